"""Tables, numbers and pictures of `lagr.py`: of the parts that are measured.

`python docs/experiments/lagr_pages.py` draws `docs/pictures/lagr_frontier.svg` and
`lagr_returns.svg` from `docs/results/lagr.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import prose
import written
from matplotlib.figure import Figure

from lprl_jax.results import comparison, plotting
from lprl_jax.results.statistics import Interval

PICTURES = written.ROOT / "docs/pictures"
PAPER = {"Q-learning": (51, 0), "LaGR": (80, 291), "LaGR-SEQ": (75, 130)}
"""Return in episodes 2 to 5, and queries a trial, of the paper's released code."""
REWARDS = ("paper", "exact")
TITLES = {
    "cube_stacking": "eight cubes",
    "cube_stacking_11": "eleven cubes",
    "object_arrangement": "objects, 5×5",
    "image_completion": "pictures, 10×10",
    "object_arrangement_8": "objects, 8×8",
    "image_completion_16": "pictures, 16×16",
}


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """`lagr_schedules`, `lagr_cubes`, `lagr_held_out`."""
    made = {}
    if "schedules" in figures:
        made["lagr_schedules"] = _of_schedules(figures["schedules"]["rows"])
    if "cubes" in figures:
        made["lagr_cubes"] = _of_cubes(figures["cubes"]["rewards"])
    if "held_out" in figures:
        made["lagr_held_out"] = _of_held_out(figures["held_out"])
    return made


def _of_schedules(rows: Mapping[str, Any]) -> str:
    head = ["when it asks", "steps to acceptance: median", "mean", "queries", "evaluations"]
    head += ["accepted"]
    lines = []
    for name, row in rows.items():
        median = "–" if row["median"] is None else f"{row['median']:.0f}"
        own = [_with_error(row[x]) for x in ("steps", "queries", "evaluations")]
        lines.append([name, median, *own, prose.percent(row["accepted"])])
    return comparison.markdown(head, lines)


def _of_cubes(rewards: Mapping[str, Any]) -> str:
    head = ["learner", "reward", "return in episodes 2 to 5", "paper's code", "in the last ten"]
    head += ["queries a trial", "paper's code", "evaluations"]
    lines = []
    for reward in REWARDS:
        for name, row in rewards[reward].items():
            paper = PAPER.get(name) if reward == REWARDS[0] else None
            told = ["", ""] if paper is None else [f"{x}" for x in paper]
            own = [_with_error(row[x]) for x in ("early", "last", "queries", "evaluations")]
            lines.append([name, reward, own[0], told[0], own[1], own[2], told[1], own[3]])
    return comparison.markdown(head, lines)


def _of_held_out(worlds: Mapping[str, Any]) -> str:
    head = ["patterns", "learner", "environment steps to 80 %", "final success", "queries a run"]
    head += ["evaluations a run"]
    lines = []
    for world, rows in worlds.items():
        for name, row in rows.items():
            success = comparison.interval(Interval(*row["success"]))
            asked = [f"{row[x] / row['runs']:.1f}" for x in ("queries", "evaluations")]
            lines.append([TITLES[world], name, row["steps_to_80"], success, *asked])
    return comparison.markdown(head, lines)


def _with_error(found: list[float]) -> str:
    """A mean and its standard error."""
    mean, error = found
    return f"{mean:.1f} ± {error:.1f}"


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """What sentences quote: `schedules.ROW.steps`, `cubes.REWARD.ROW.early`, ...

    Of held-out patterns `held_out.WORLD.ROW.steps`.
    """
    found: prose.Numbers = {}
    if "schedules" in figures:
        own = figures["schedules"]
        found |= {"trials": prose.count(own["trials"]), "taught": f"{own['taught']}"}
        for name, row in own["rows"].items():
            at = f"schedules.{prose.slug(name)}"
            found |= {f"{at}.{x}": f"{row[x][0]:.1f}" for x in ("steps", "queries", "evaluations")}
            found[f"{at}.accepted"] = prose.percent(row["accepted"])
    if "pictures" in figures:
        own = figures["pictures"]
        found |= {"pictures.part": prose.count(own["part"])}
        found |= {"pictures.steps": prose.count(own["steps"])}
        for name, row in own["rows"].items():
            at = f"pictures.{prose.slug(name)}"
            found |= {f"{at}.{x}": f"{row[x][0]:.1f}" for x in ("first", "last")}
    if "cubes" in figures:
        own = figures["cubes"]
        found |= {"seeds": f"{own['seeds']}", "episodes": f"{own['episodes']}"}
        for reward, rows in own["rewards"].items():
            for name, row in rows.items():
                at = f"cubes.{reward}.{prose.slug(name)}"
                for x in ("early", "last", "queries", "evaluations"):
                    found[f"{at}.{x}"] = f"{row[x][0]:.0f}"
    for world, rows in figures.get("held_out", {}).items():
        for name, row in rows.items():
            at = f"held_out.{world}.{prose.slug(name)}"
            found |= prose.reached(f"{at}.steps", row["steps_to_80"])
            found |= prose.estimate(f"{at}.success", row["success"])
            found[f"{at}.queries"] = f"{row['queries'] / row['runs']:.1f}"
            found[f"{at}.runs"] = f"{row['runs']}"
            if "unreadable" in row:
                found[f"{at}.unreadable"] = prose.percent(row["unreadable"])
    return found


def frontier(rows: Mapping[str, Any]) -> Figure:
    """Queries against steps to acceptance, a point a schedule, with their standard errors.

    Of schedules by which every trial came to an accepted answer.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for i, (name, row) in enumerate(x for x in rows.items() if x[1]["accepted"] == 1):
        (steps, error), (queries, spread) = row["steps"], row["queries"]
        color = plotting.COLORS[i % len(plotting.COLORS)]
        marker = "D" if name.startswith("SEQ") else "o"
        axes.errorbar(steps, queries, spread, error, fmt=marker, color=color, markersize=5)
        axes.annotate(name, (steps, queries), xytext=(5, 3), textcoords="offset points", fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="environment steps to an accepted answer")
    axes.set_ylabel("queries")
    axes.grid(alpha=0.3)
    return figure


def returns(rewards: Mapping[str, Any]) -> Figure:
    """Return against episodes, under either reward."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    for axes, reward in zip(figure.subplots(1, 2, sharey=True), REWARDS, strict=True):
        for color, name in zip(plotting.COLORS, PAPER, strict=False):
            curve = rewards[reward][name]["curve"]
            axes.plot(range(1, len(curve) + 1), curve, color=color, label=name)
        axes.set(title=f"reward: {reward}", xlabel="episode", xscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.axes[0].set_ylabel("return")
    return figure


def main() -> None:
    """Draw the pictures."""
    figures = written.read(written.ROOT / "docs/results/lagr.json")
    drawn = {
        "lagr_frontier.svg": frontier(figures["schedules"]["rows"]),
        "lagr_returns.svg": returns(figures["cubes"]["rewards"]),
    }
    for name, figure in drawn.items():
        (PICTURES / name).write_bytes(plotting.as_image(figure, Path(name).suffix))


if __name__ == "__main__":
    main()
