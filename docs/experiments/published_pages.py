"""Tables and numbers of `published.py`, as pages show them: of the parts that are measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import linvit
import prose
import slinvit

from lprl_jax.cli.demo import HABIT
from lprl_jax.results import comparison
from lprl_jax.results.statistics import Interval

GOALS, BLOCKS = ("corner", "anywhere"), "blocks"


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """`published_corner_dqn`, `published_corner_linvit`, ...; `published_slinvit`."""
    made = {}
    for goal in (goal for goal in GOALS if goal in figures):
        made[f"published_{goal}_dqn"] = _of_dqn(figures[goal]["dqn"])
        made[f"published_{goal}_linvit"] = _of_linvit(figures[goal]["linvit"])
    if BLOCKS in figures:
        made["published_slinvit"] = _of_slinvit(figures[BLOCKS])
    return made


def _of_dqn(own: Mapping[str, Any]) -> str:
    head = ["prior", "α", "final success", "environment steps to 80 %"]
    head += ["P(more area than with the habit)", "queries", "evaluations"]
    cells = []
    for name, row in own["rows"].items():
        more = row["more_area_than_habit"]
        settings = own["tuned"].get("habit" if name == HABIT else name, {})
        cells.append(
            [
                "habit" if name == HABIT else name,
                f"{settings['alpha']:g}" if settings else "",
                comparison.interval(Interval(*row["success"])),
                row["steps_to_80"],
                "–" if more is None else comparison.interval(Interval(*more)),
                prose.count(row["queries"]),
                prose.count(row["evaluations"]),
            ]
        )
    return comparison.markdown(head, cells)


def _of_linvit(own: Mapping[str, Any]) -> str:
    head = ["prior", "ε_LLM", "lost by the prior alone", "episodes to ε", "times uniform's"]
    cells = [
        [
            row["prior"],
            linvit.shown(row["epsilon_llm"], 2),
            linvit.shown(row["lost_by_prior"], 3),
            row["episodes"],
            row["times_uniform"],
        ]
        for row in own["rows"]
    ]
    return comparison.markdown(head, cells)


def _of_slinvit(own: Mapping[str, Any]) -> str:
    head = ["proposed by"]
    head += [f"{x}, depth {d}" for d in slinvit.DEPTHS for x in ("solved", "queries")]
    names = dict.fromkeys(row["prior"] for row in own["rows"])
    cells = []
    for name in names:
        line = [name]
        for row in (row for row in own["rows"] if row["prior"] == name):
            solved = comparison.interval(Interval(*row["success"]))
            line += [solved, f"{row['expanded']:.1f}"]
        cells.append(line)
    return comparison.markdown(head, cells)


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """What sentences quote: `corner.dqn.smollm2.steps`, `corner.linvit.PRIOR.episodes`.

    `corner.dqn.way`, ...: how the model was asked; `blocks.PRIOR.1`: success at a depth of 1.
    """
    found: prose.Numbers = {}
    for goal in (goal for goal in GOALS if goal in figures):
        own = figures[goal]["dqn"]
        found[f"{goal}.dqn.way"] = _said(own["way"])
        for name, row in own["rows"].items():
            at = f"{goal}.dqn.{prose.slug(name)}"
            found |= prose.reached(f"{at}.steps", row["steps_to_80"])
            found |= prose.estimate(f"{at}.success", row["success"])
            found |= {"runs": f"{row['runs']}", "every": f"{row['every']}"}
            found["steps"] = prose.count(row["steps"])
            if row["more_area_than_habit"] is not None:
                found |= prose.estimate(f"{at}.than_habit", row["more_area_than_habit"])
        own = figures[goal]["linvit"]
        found[f"{goal}.linvit.way"] = _said(own["way"])
        for row in own["rows"]:
            at = f"{goal}.linvit.{prose.slug(row['prior'])}"
            found |= prose.reached(f"{at}.episodes", row["episodes"])
            found[f"{at}.times"] = row["times_uniform"]
    if BLOCKS in figures:
        own = figures[BLOCKS]
        found[f"{BLOCKS}.way"] = _said(own["way"])
        found |= {f"{BLOCKS}.{x}": f"{own[x]}" for x in ("instances", "seeds")}
        for row in own["rows"]:
            at = f"{BLOCKS}.{prose.slug(row['prior'])}.{row['depth']}"
            found |= prose.estimate(at, row["success"])
    return found


def _said(way: Mapping[str, Any]) -> str:
    return f"{way['wording']}, {way['method']}, T {way['temperature']:g}"
