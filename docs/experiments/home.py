"""What a prior is worth in the papers' own worlds: learners in kitchens and in a household.

    python docs/experiments/home.py [PART ...]

Parts: `search-WORLD`, the settings of all learners, on training instances; `WORLD`, with the
settings that were found best: 32 runs on held-out instances, one each, the same ones in every row.
WORLD is `tomato`, `salad` or `pick`. Writes `docs/results/home.json`; parts that are not named are
kept.

All rows are evaluated at the same steps. Rows without a model, which cost little, are run for
longer: they need more. Every learner has nine settings tried. The habit is the best prior that does
not look at the state. A learner that a model proposes to asks it about each state once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import prose
import written
from home_learners import EPISODES, INSTANCES, MODELS, ROWS, RUNS, SEARCHES, WORLDS
from key_rooms import times

from lprl_jax.experiments import config, runner
from lprl_jax.experiments.config import Experiment
from lprl_jax.experiments.places import asks_model
from lprl_jax.results import comparison, reading, statistics
from lprl_jax.results.reading import Result

OUT = written.ROOT / "docs/results/home.json"
SEARCH = "search-"
PARTS = (*(SEARCH + world for world in WORLDS), *WORLDS)


def main() -> None:
    """Measure the parts that are named, or all."""

    def of_part(part: str, folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
        if part.startswith(SEARCH):
            return search(part.removeprefix(SEARCH), folder)
        found = figures.get(SEARCH + part, {})
        if missing := [name for name in SEARCHES if name not in found]:
            lacks = f"{OUT.name} holds no settings of {', '.join(missing)} in {part}"
            print(
                f"{lacks}; first: python docs/experiments/home.py {SEARCH}{part}", file=sys.stderr
            )
            sys.exit(2)
        return measure(part, found, folder)

    written.by_parts(__doc__, OUT, PARTS, MODELS, of_part)


def read(world: str, learner: str, fields: Sequence[str], split: str, runs: int) -> Experiment:
    """Runs on instances of a split, one each."""
    place = WORLDS[world]
    alike = [f"num_runs={runs}", f"eval_every={place.every}", f"eval_episodes={EPISODES}"]
    alike += [f"env_params.num_instances={runs}", f"env_params.split={split}"]
    chosen = config.read(f"{place.configs}_{learner}", [*place.own, *alike, *fields])
    steps = place.steps if asks_model(chosen.config.prior) else place.more
    return config.read(
        f"{place.configs}_{learner}", [*place.own, *alike, *fields, f"total_steps={steps}"]
    )


def search(world: str, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Settings with the areas under their success curves, the best first, by learner."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, plan in SEARCHES.items():
        experiment = read(world, plan.config, (*plan.common, *plan.swept), "train", INSTANCES)
        result = reading.read(runner.run(experiment, folder / prose.slug(name), progress=False))
        rows = []
        for one in result.by_setting().values():
            setting = " ".join(f"{field}={value:g}" for field, value in one.settings[0].items())
            area = float(statistics.normalized_area(one.steps, one.success).mean())
            rows.append({"setting": setting, "area": round(area, 3)})
        found[name] = sorted(rows, key=lambda row: -row["area"])
        print(world, name, *found[name][:3], sep="\n  ", flush=True)
    return found


def measure(
    world: str, found: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path
) -> dict[str, Any]:
    """Every row of a world."""
    results: dict[str, Result] = {}
    for name, row in ROWS.items():
        plan = SEARCHES[row.search]
        setting = found[row.search][0]["setting"].split()
        fields = (*plan.common, *setting, *row.own)
        experiment = read(world, plan.config, fields, "held-out", RUNS)
        out = runner.run(experiment, folder / prose.slug(name), progress=False)
        results[name] = reading.read(out)
        print(world, name, results[name].success.mean(0)[[1, 4, -1]].round(2), flush=True)
    return {name: figures_of(name, result, results["DQN"]) for name, result in results.items()}


def figures_of(name: str, result: Result, dqn: Result) -> dict[str, Any]:
    """A row: steps to 80 %, success and return at the end, and what the model was asked, a run."""
    (own,) = comparison.summarize({name: result}).values()
    reached = own.steps_to_threshold
    has_median = reached is not None and np.isfinite(reached.median.estimate)
    returns = statistics.bootstrap_interval(np.asarray(result.returns[:, -1]))
    return {
        "steps": own.steps,
        "steps_to_80": f"{reached}",
        "times": times(dqn, result) if has_median and name != "DQN" else "–",
        "success": own.success.rounded(),
        "return": returns.rounded(),
        "queries": round(own.queries / own.runs),
        "evaluations": round(own.evaluations / own.runs),
    }


if __name__ == "__main__":
    main()
