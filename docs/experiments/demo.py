"""The README's figures of DQN-Prior: `lprl demo` with all its controls, in every world.

    python docs/experiments/demo.py [PART ...]

Parts: the demo's worlds, each as `lprl demo WORLD --controls`; of the lake also the trained learner
with other priors and another k, as `lprl eval` plays it; `slippery`, as `lprl demo --slippery`,
with DQN-Prior for as many steps as the others. On one device. Writes `docs/results/demo.json`.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import prose
import written

from lprl_jax.cli import demo
from lprl_jax.experiments import config, evaluate, runner
from lprl_jax.results import comparison, reading, statistics
from lprl_jax.results.curves import WINDOW
from lprl_jax.results.reading import Result

RESULTS = Path(__file__).parents[1] / "results" / "demo.json"
MODELS = ("embedded", "embedded-early-1")
LAKE, SLIPPERY = "frozen_lake", "slippery"
PRIOR, HABIT = demo.PRIOR, demo.HABIT
OTHER_PRIORS, KS, EPISODES = (*MODELS, "habit", "uniform"), ("1", "5", "15", "exact"), 32
"""At evaluation."""
TITLES = {
    "DQN": "DQN, ε-greedy",
    PRIOR: "**DQN-Prior, embedded model**",
    HABIT: "control: habit, the state not looked at",
    "DQN-Prior, degraded": "control: its prior mixed with half uniform (ε = .5)",
    "DQN-Prior, weakest model": "control: the ladder's weakest model (`embedded-early-1`)",
    "DQN-Prior, uniform": "control: uniform",
    "DQN-Prior, adversarial": "control: adversarial, its logits turned round",
}
"""Of rows, where they differ from the demo's."""


def main() -> None:
    """Run the parts and write the figures."""
    figures = written.kept(RESULTS, MODELS)
    for part in sys.argv[1:] or (*demo.WORLDS, SLIPPERY):
        with tempfile.TemporaryDirectory() as folder:
            figures[part] = measure(part, Path(folder) / "demo")
        written.write(RESULTS, figures, MODELS)


def measure(part: str, out: Path) -> dict[str, Any]:
    """A demonstration's figures.

    Args:
        part: A world of the demo's, or `slippery`.
        out: New directory.
    """
    world = LAKE if part == SLIPPERY else part
    results = demo.run(out, world, controls=part != SLIPPERY, slippery=part == SLIPPERY)
    if part == SLIPPERY:
        longest = int(results["DQN"].steps[-1])
        every = int(results["DQN"].steps[1])
        more = [f"total_steps={longest}", f"eval_every={every}", "env_params.is_slippery=true"]
        run = runner.run(config.read(f"{LAKE}_dqn_prior", more), out / "longer", progress=False)
        results[PRIOR] = reading.read(run)
    found: dict[str, Any] = {"rows": rows(results)}
    if part == LAKE:
        found["evaluated"] = evaluated(out / "dqn-prior")
    return found


def rows(results: Mapping[str, Result]) -> dict[str, dict[str, Any]]:
    """A learner each, as `lprl demo` names it."""
    against = {HABIT: results[HABIT], **results}  # the first is what the others are held against
    ahead = {name: s.better for name, s in comparison.summarize(against).items()}
    return {
        name: {
            "steps": s.steps,
            "every": int(results[name].steps[1] - results[name].steps[0]),
            "runs": s.runs,
            "success": _ends(s.success),
            "untrained": _ends(statistics.bootstrap_interval(results[name].success[:, 0])),
            "steps_to_80": f"{s.steps_to_threshold}",
            "median": _median(s),
            "more_area_than_the_first": None if s.better is None else _ends(s.better),
            "more_area_than_habit": None if name == HABIT else _ends(_known(ahead[name])),
            "queries": s.queries,
            "evaluations": s.evaluations,
        }
        for name, s in comparison.summarize(results).items()
    }


def evaluated(run: Path) -> list[dict[str, Any]]:
    """The trained learner with every other prior and k, sampling and by the best proposal."""
    return [
        {
            "prior": row.prior,
            "k": f"{row.k}",
            "policy": row.policy,
            "success": _ends(statistics.bootstrap_interval(row.success)),
        }
        for row in evaluate.run(run, [f"eval_episodes={EPISODES}"], OTHER_PRIORS, KS)
    ]


def _known(found: statistics.Interval | None) -> statistics.Interval:
    """An interval that there must be."""
    assert found is not None
    return found


def _ends(found: statistics.Interval) -> list[float | None]:
    return found.rounded()


def _median(of: comparison.Summary) -> float | None:
    """Steps to 80 %, if half of the runs got there."""
    assert of.steps_to_threshold is not None  # the demo's configs are evaluated often enough
    steps = of.steps_to_threshold.median.estimate
    return float(steps) if steps <= of.steps else None


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """A table a demonstration, and that of other priors."""
    made = {f"demo_{part}": _rows(own["rows"]) for part, own in figures.items()}
    found = {(row["prior"], row["k"], row["policy"]): row for row in figures[LAKE]["evaluated"]}
    lines = [["prior at evaluation", *(k if k == "exact" else f"k = {k}" for k in KS)]]
    for prior in OTHER_PRIORS:
        cells = [
            " / ".join(prose.share(found[prior, k, policy]["success"][0])
                       for policy in ("posterior", "greedy"))
            for k in KS
        ]  # fmt: skip
        lines.append([prior, *cells])
    made["demo_other_priors"] = comparison.markdown(lines[0], lines[1:])
    return made


def _rows(rows: Mapping[str, Mapping[str, Any]]) -> str:
    head = ["", "environment steps", "measured every", "final success"]
    head += [
        "environment steps to 80 %",
        "P(more area than with the habit)",
        "queries",
        "evaluations",
    ]
    cells = [
        [
            TITLES.get(name, name),
            f"{row['steps']:,}",
            f"{row['every']:,}",
            comparison.interval(statistics.Interval(*row["success"])),
            row["steps_to_80"],
            _ahead(row),
            f"{row['queries']:,}",
            f"{row['evaluations']:,}",
        ]
        for name, row in rows.items()
    ]
    return comparison.markdown(head, cells)


def _ahead(row: Mapping[str, Any]) -> str:
    """How probably a run has more area than one with the habit, but for the habit itself."""
    found = row["more_area_than_habit"]
    return "–" if found is None else comparison.interval(statistics.Interval(*found))


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """What sentences quote: `frozen_lake.dqn.steps`, `.success`, `.untrained`, `.better`, `.times`.

    `.times` is how many times DQN-Prior's steps to 80 % a learner takes, in the median; `.floor` is
    the least that evaluations so far apart can show;
    `frozen_lake.evaluated.embedded-early-1.5.posterior` is of another prior and k.
    """
    found: prose.Numbers = {"episodes": f"{EPISODES}"}
    for part, own in figures.items():
        ours = own["rows"][PRIOR]["median"]
        for name, row in own["rows"].items():
            at = f"{part}.{prose.slug(name)}"
            found |= prose.reached(f"{at}.steps", row["steps_to_80"])
            found |= prose.estimate(f"{at}.success", row["success"])
            found |= prose.estimate(f"{at}.untrained", row["untrained"], prose.percent)
            found |= {f"{at}.{x}": prose.count(row[x]) for x in ("queries", "evaluations")}
            found |= {f"{at}.total": prose.count(row["steps"])}
            found |= {f"{at}.every": prose.count(row["every"])}
            found |= {f"{at}.floor": prose.count((WINDOW - 1) * row["every"])}
            found |= {"runs": f"{row['runs']}"}
            for key, of in (("the_first", "better"), ("habit", "than_habit")):
                if row[f"more_area_than_{key}"] is not None:
                    found |= prose.estimate(f"{at}.{of}", row[f"more_area_than_{key}"])
            if ours:
                least = row["median"] is None
                times = (row["steps"] if least else row["median"]) / ours
                found[f"{at}.times"] = f"more than {math.floor(times)}" if least else _times(times)
        for row in own.get("evaluated", ()):
            name = f"{part}.evaluated.{row['prior']}.{row['k']}.{row['policy']}"
            found |= prose.estimate(name, row["success"])
    return found


def _times(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


if __name__ == "__main__":
    main()
