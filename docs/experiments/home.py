"""What a prior is worth in the papers' own worlds: learners in kitchens and in a household.

    python docs/experiments/home.py [PART ...]

Parts: `search-WORLD`, the settings of all learners, on training instances; `WORLD`, with the
settings that were found best: 32 runs on held-out instances, one each, the same ones in every row,
and the priors alone. WORLD is `tomato`, `salad` or `pick`. Writes `docs/results/home.json`; parts
that are not named are kept.

All rows of a world have as many steps and are evaluated at the same ones. Every learner is tried at
three learning rates and three values of how it explores, those without a prior at more. How DQN
explores is when ε has fallen, PPO its entropy, who has a prior α. The setting with most area under
its curve of success is taken. Where states are numbered DQN also has a table, which begins with
hopeful values.

DQN is played greedily. These worlds have no chance, so that it fails or succeeds in all episodes of
an evaluation, and may do so in a loop; who has a prior, and PPO, draw their actions. Therefore rows
say too when 80 % was first reached, if only for three evaluations, and success is a mean over runs.
The habit looks at which actions are legal, and at nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import numpy as np
import prose
import written
from home_learners import (
    ALONE,
    EPISODES,
    INSTANCES,
    MODELS,
    PRIORS,
    ROWS,
    RUNS,
    SEARCHES,
    SELDOM,
    WITH_MODEL,
    WORLDS,
)
from key_rooms import times

from lprl_jax.experiments import config, runner
from lprl_jax.experiments.config import Experiment
from lprl_jax.results import comparison, curves, reading, statistics
from lprl_jax.results.comparison import THRESHOLD, markdown
from lprl_jax.results.reading import Result
from lprl_jax.results.statistics import StepsSummary

T = TypeVar("T")
OUT = written.ROOT / "docs/results/home.json"
SEARCH = "search-"
PARTS = (*(SEARCH + world for world in WORLDS), *WORLDS)
TENTHS = 10
"""Parts of a run, after each of which it is told."""


def main() -> None:
    """Measure the parts that are named, or all."""

    def of_part(part: str, folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
        if part.startswith(SEARCH):
            return search(part.removeprefix(SEARCH), folder)
        found = figures.get(SEARCH + part, {})
        missing = [name for name in of_world(part, SEARCHES) if name not in found]
        command = f"python docs/experiments/home.py {SEARCH}{part}"
        written.require_settings(OUT, missing, command)
        return measure(part, found, folder)

    written.by_parts(__doc__, OUT, PARTS, MODELS, of_part)


def read(world: str, learner: str, fields: Sequence[str], split: str, runs: int) -> Experiment:
    """Runs on instances of a split, one each."""
    place = WORLDS[world]
    alike = [f"num_runs={runs}", f"env_params.num_instances={runs}", f"env_params.split={split}"]
    alike += [f"total_steps={place.steps}", f"eval_every={place.every}"]
    alike += [f"eval_episodes={EPISODES}"]
    return config.read(f"{place.configs}_{learner}", [*place.own, *alike, *fields])


def of_world(world: str, named: Mapping[str, T]) -> dict[str, T]:
    """Those searches or rows that a world has."""
    return {name: x for name, x in named.items() if name not in WORLDS[world].lacks}


def search(world: str, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Settings with the areas under their success curves, the best first, by learner."""
    found: dict[str, list[dict[str, Any]]] = {}
    seldom = f"eval_every={SELDOM * WORLDS[world].every}"
    for name, plan in of_world(world, SEARCHES).items():
        fields = (*plan.common, *plan.swept, seldom)
        experiment = read(world, plan.config, fields, "train", INSTANCES)
        result = reading.read(runner.run(experiment, folder / prose.slug(name), progress=False))
        areas = []
        for one in result.by_setting().values():
            setting = " ".join(f"{field}={value:g}" for field, value in one.settings[0].items())
            area = statistics.normalized_area(one.steps, one.success).mean()
            areas.append((float(area), setting))
        ranked = sorted(areas, key=lambda row: -row[0])
        found[name] = [{"setting": setting, "area": round(area, 4)} for area, setting in ranked]
        print(world, name, *found[name][:3], sep="\n  ", flush=True)
    return found


def measure(
    world: str, found: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path
) -> dict[str, Any]:
    """Every row of a world, and the priors alone."""
    results: dict[str, Result] = {}
    for name, row in of_world(world, ROWS).items():
        plan = SEARCHES[row.search]
        setting = found[row.search][0]["setting"].split()
        fields = (*plan.common, *setting, *row.own)
        experiment = read(world, plan.config, fields, "held-out", RUNS)
        out = runner.run(experiment, folder / prose.slug(name), progress=False)
        results[name] = reading.read(out)
        print(world, name, figures_of(name, results[name], results["DQN"]), flush=True)
    steps = {tuple(result.steps.tolist()) for result in results.values()}
    assert len(steps) == 1, "rows are evaluated at different steps"
    rows = {name: figures_of(name, result, results["DQN"]) for name, result in results.items()}
    return {"rows": rows, "asked": asked(results[WITH_MODEL]), "alone": alone(world, folder)}


def alone(world: str, folder: Path) -> dict[str, list[float]]:
    """The share of episodes that the priors solve by themselves: mean over runs, with interval."""
    found = {}
    for name, own in PRIORS.items():
        fields = (*own, "total_steps=1", "eval_every=1", f"eval_episodes={ALONE}")
        out = runner.run(
            read(world, "prior_only", fields, "held-out", RUNS),
            folder / f"alone-{prose.slug(name)}",
            progress=False,
        )
        share = statistics.share_interval(reading.read(out).success[:, -1])
        found[name] = [share.estimate, share.low, share.high]
    return found


def asked(result: Result) -> dict[str, Any]:
    """What a prior was asked in training and how often the model ran, all runs together, by steps.

    Evaluation is not counted. Devices share the runs, and each has a memory of its own.
    """
    every = (len(result.steps) - 1) // TENTHS
    names = ("steps", "queries", "evaluations")
    told = {name: getattr(result, name)[every::every].tolist() for name in names}
    return {"memories": jax.device_count(), **told}


def figures_of(name: str, result: Result, dqn: Result) -> dict[str, Any]:
    """A row: steps to 80 %, success and return at the end, and what the model was asked, a run."""
    (own,) = comparison.summarize({name: result}).values()
    success = statistics.share_interval(result.success[:, -1])
    return {
        "steps": own.steps,
        "steps_to_80": f"{own.steps_to_threshold}",
        "times": times(dqn, result) if name != "DQN" else "–",
        "first": f"{first_reached(result)}",
        "success": [success.estimate, success.low, success.high],
        "return": statistics.bootstrap_interval(result.returns[:, -1], np.mean).rounded(),
        "queries": round(own.queries / own.runs),
        "evaluations": round(own.evaluations / own.runs),
    }


def first_reached(result: Result, window: int = curves.WINDOW) -> StepsSummary:
    """Steps after which the mean of three evaluations first was 80 %, whatever came later."""
    sums = np.cumsum(np.pad(result.success, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, window:] - sums[:, :-window]) / window
    means += 1e-5  # what is recorded is rounded to so many places
    steps, reached = curves.first_passage(result.steps[window - 1 :], means, THRESHOLD)
    return statistics.summarize_steps(steps, reached)


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Markdown by name."""
    head = ["learner", "steps to 80 %", "times as fast as DQN", "first at 80 %"]
    head += ["success at the end", "return at the end", "questions a run", "run through the model"]
    worlds = [world for world in WORLDS if world in figures]
    found = {}
    for world in worlds:
        rows = []
        for name, row in figures[world]["rows"].items():
            ends = [prose.interval(row[what]) for what in ("success", "return")]
            counts = [prose.count(row[what]) for what in ("queries", "evaluations")]
            rows.append([name, row["steps_to_80"], row["times"], row["first"], *ends, *counts])
        found[f"home_{world}"] = markdown(head, rows)
    if worlds:
        found["home_alone"] = markdown(
            ["episodes solved by the prior alone", *(WORLDS[world].title for world in worlds)],
            [
                [name, *(prose.interval(figures[world]["alone"][name]) for world in worlds)]
                for name in PRIORS
            ],
        )
        head = ["world", "asked, all runs", "run through the model", "asked for one run"]
        head += ["run of those asked, first tenth", "last tenth"]
        rows = [[WORLDS[world].title, *_remembered(figures[world]["asked"])] for world in worlds]
        found["home_memory"] = markdown(head, rows)
    return found


def numbers(figures: Mapping[str, Any]) -> dict[str, str]:
    """What sentences quote."""
    found = {"runs": f"{RUNS}", "instances": f"{INSTANCES}", "alone": f"{ALONE}"}
    for world, place in WORLDS.items():
        found |= {f"{world}.steps": prose.count(place.steps), f"{world}.every": f"{place.every}"}
        found[f"{world}.earliest"] = prose.count((curves.WINDOW - 1) * place.every)
        for name, settings in figures.get(SEARCH + world, {}).items():
            found[f"{world}.search.{prose.slug(name)}"] = settings[0]["setting"]
            found[f"{world}.tried.{prose.slug(name)}"] = f"{len(settings)}"
        if world in figures:
            told = figures[world]["asked"]
            found[f"{world}.memories"] = f"{told['memories']}"
            found[f"{world}.fewer"] = _remembered(told)[2]
        for name, share in figures.get(world, {}).get("alone", {}).items():
            found |= prose.estimate(f"{world}.alone.{prose.slug(name)}", share)
        for name, row in figures.get(world, {}).get("rows", {}).items():
            key = f"{world}.{prose.slug(name)}"
            found |= prose.within(key, prose.reached("steps", row["steps_to_80"]))
            found |= prose.within(key, prose.reached("first", row["first"]))
            found[f"{key}.times"] = row["times"].partition(" [")[0]
            found[f"{key}.times.interval"] = row["times"]
            for what in ("success", "return"):
                found |= prose.estimate(f"{key}.{what}", row[what])
            for what in ("queries", "evaluations"):
                found[f"{key}.{what}"] = prose.count(row[what])
    return found


def _remembered(told: Mapping[str, Any]) -> list[str]:
    """A row about the memory, behind its world."""
    queries, evaluations = told["queries"], told["evaluations"]
    late = (evaluations[-1] - evaluations[-2]) / (queries[-1] - queries[-2])
    shares = [prose.percent(x) for x in (evaluations[0] / queries[0], late)]
    in_all = [prose.count(x) for x in (queries[-1], evaluations[-1])]
    return [*in_all, f"{queries[-1] / evaluations[-1]:.0f}", *shares]


if __name__ == "__main__":
    main()
