"""KL-PPO beside PPO, DQN, DQN-Prior and the prior alone, at equal numbers of environment steps.

    python docs/experiments/kl_ppo.py [WORLD ...] [--tables DIR]

32 held-out instances, one a run, 32 runs a row. Settings are those of `configs/`, tuned on training
instances by `bench/tune.py`; α is swept, and the value that the controls are held at is the one
with the largest area under the success curve on 32 *training* instances. Writes
`docs/results/kl_ppo.json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import numpy as np
import prose
import written

from lprl_jax.experiments import build, config, runner
from lprl_jax.experiments.config import Experiment
from lprl_jax.experiments.places import WITHOUT_MODEL
from lprl_jax.priors import tabulate
from lprl_jax.results import comparison, reading, statistics
from lprl_jax.results.reading import Result
from lprl_jax.results.statistics import Interval

RESULTS = Path(__file__).parents[1] / "results" / "kl_ppo.json"
K = 5
"""Proposals, where the divergence is estimated; the paper's."""
SMALL = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclasses.dataclass(frozen=True)
class World:
    """Where the learners are compared."""

    title: str
    """For tables."""
    every: int
    """Environment steps between two evaluations, of every learner."""
    shown: tuple[int, ...]
    """Steps at which success is shown; the last are all."""
    alphas: tuple[float, ...] = SMALL
    """Of the sweep: advantages are in units of the reward."""
    left_out: tuple[str, ...] = ()
    """Controls, where a table takes long to make."""


WORLDS = {
    "frozen_lake": World("Frozen Lake 8×8, firm", 250, (500, 1_000, 3_000, 10_000)),
    "blocks_world": World(
        "Blocks World, 5 blocks",
        250,
        (500, 1_000, 3_000, 10_000),
        left_out=("embedded-early-3", "embedded-early-2"),
    ),
    "cube_stacking": World(
        "Stacking 8 cubes",
        50,
        (200, 500, 1_000, 5_000),
        (0.0, 0.03, 0.3, 3.0, 30.0, 300.0),
    ),
}
PRIORS: dict[str, dict[str, Any]] = {
    "embedded": {"prior": "embedded"},
    "temperature 4": {"prior": "embedded", "prior_temperature": 4.0},
    "half uniform": {"prior": "embedded", "prior_epsilon": 0.5},
    "embedded-early-3": {"prior": "embedded-early-3"},
    "embedded-early-2": {"prior": "embedded-early-2"},
    "embedded-early-1": {"prior": "embedded-early-1"},
    "habit": {"prior": "habit"},
    "uniform": {"prior": "uniform"},
    "adversarial, 10 % uniform": {
        "prior": "embedded",
        "prior_adversarial": True,
        "prior_epsilon": 0.1,
    },
}
"""The prior, then the controls."""
MODELS = ("embedded", "embedded-early-3", "embedded-early-2", "embedded-early-1")
LEARNERS = {"PPO": "ppo", "DQN": "dqn", "DQN-Prior": "dqn_prior"}
"""What KL-PPO is held against, by the last part of their configs' names."""


def main() -> None:
    """Measure the worlds and write the figures."""
    parser = argparse.ArgumentParser(description="KL-PPO and its controls.")
    parser.add_argument("worlds", nargs="*", default=list(WORLDS), metavar="WORLD")
    parser.add_argument("--tables", type=Path, help="keep the models' tables in this directory")
    options = parser.parse_args()
    figures = written.kept(RESULTS, MODELS)
    for world in options.worlds:
        with tempfile.TemporaryDirectory() as folder:
            figures[world] = measure(world, Path(folder), options.tables or Path(folder))
        written.write(RESULTS, figures, MODELS)


def measure(world: str, folder: Path, tables: Path) -> dict[str, Any]:
    """All learners of one world."""
    here, rows = WORLDS[world], {}
    own = table_of(world, "embedded", "held-out", tables)

    def learn(learner: str, **fields: Any) -> dict[str, Result]:
        """A result for each value of α."""
        with tempfile.TemporaryDirectory(dir=folder) as out:
            run = runner.run(read(world, learner, fields), Path(out) / "run", progress=False)
            return reading.read(run).by_setting()

    def only(results: dict[str, Result]) -> dict[str, Any]:
        (result,) = results.values()
        return row_of(here, result)

    for name, learner in LEARNERS.items():
        rows[name] = only(learn(learner, **({"prior": own} if name == "DQN-Prior" else {})))
    chosen, sweeps = {}, {}
    swept = {"alpha": ",".join(f"{alpha:g}" for alpha in here.alphas)}
    for k in ("exact", K):
        known = table_of(world, "embedded", "train", tables)
        bank = {"env_params.split": "train", "env_params.bank_seed": 1}
        tuned = learn("kl_ppo", prior=known, k=k, **swept, **bank)
        areas = [area(here, result) for result in tuned.values()]
        chosen[str(k)] = here.alphas[int(np.argmax(areas))]
        held = learn("kl_ppo", prior=own, k=k, **swept)
        sweeps[str(k)] = [
            {
                "alpha": alpha,
                "area_in_training_instances": round(found, 4),
                **row_of(here, result, len(held)),
            }
            for alpha, found, result in zip(here.alphas, areas, held.values(), strict=True)
        ]
        print(world, k, chosen[str(k)], np.round(areas, 3), flush=True)
    controls, alone = {}, {}
    for name in [name for name in PRIORS if name not in here.left_out]:
        fields, model = PRIORS[name], PRIORS[name]["prior"]
        where = model if model in WITHOUT_MODEL else table_of(world, model, "held-out", tables)
        fields = {**fields, "prior": where}
        controls[name] = only(learn("kl_ppo", **fields, alpha=chosen["exact"]))
        alone[name] = only(learn("prior_only", **fields))
        print(world, name, controls[name], alone[name]["success"], flush=True)
    return {"others": rows, "chosen": chosen, "sweeps": sweeps, "controls": controls,
            "alone": alone}  # fmt: skip


def read(world: str, learner: str, fields: Mapping[str, Any]) -> Experiment:
    """A config with other fields, for as many steps as all have; `prior_only` is KL-PPO's."""
    overrides = [f"{name}={value}" for name, value in fields.items()]
    if learner == "prior_only":
        found = config.read(f"{world}_kl_ppo", overrides).config
        own = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        return config.parse({**own, "algorithm": learner, "total_steps": 1, "eval_every": 1})
    here = WORLDS[world]
    steps = [f"total_steps={here.shown[-1]}", f"eval_every={here.every}"]
    return config.read(f"{world}_{learner}", [*steps, *overrides])


def table_of(world: str, model: str, split: str, folder: Path) -> str:
    """A file with a model's answers about every state of a world's instances, asked once."""
    path = folder / f"{world}-{model}-{split}.npz"
    if not path.exists():
        seed = 1 if split == "train" else 0
        bank = [f"env_params.split={split}", f"env_params.bank_seed={seed}"]
        experiment = config.read(f"{world}_kl_ppo", bank)
        where = experiment.config.env, experiment.env_arguments, experiment.bank
        env, params = build.make_env(*where)
        prior = build.language_prior(model, env, params)
        tabulate(prior, env, params, **prior.settings).save(path, params)
    return str(path)


def row_of(world: World, result: Result, settings: int = 1) -> dict[str, Any]:
    """A result's figures; the queries of a sweep are of all its settings alike."""
    at = np.minimum(np.searchsorted(result.steps, world.shown), len(result.steps) - 1)
    solved = comparison.summarize({"": result})[""].steps_to_threshold
    return {
        "runs": len(result.success),
        "success": [interval(result.success[:, i]) for i in at],
        "return": [interval(result.returns[:, i]) for i in at],
        "steps_to_80": "–" if solved is None else f"{solved}",
        "queries": int(result.queries[-1]) // settings,
        "evaluations": int(result.evaluations[-1]),
    }


def area(world: World, result: Result) -> float:
    """Mean area under the runs' success curves."""
    return float(np.mean(statistics.normalized_area(result.steps, result.success)))


def interval(values: np.ndarray) -> list[float | None]:
    """IQM and its interval."""
    return statistics.bootstrap_interval(values).rounded()


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """Success against steps, α and the prior, by the names of their places on the page."""
    made = {}
    for name, world in WORLDS.items():
        found = figures[name]
        made[f"kl_ppo_{name}"] = _learners(world, found)
        made[f"kl_ppo_{name}_controls"] = _controls(world, found)
    made["kl_ppo_alpha"] = _alphas(figures)
    return made


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote, and steps to 80 %: `WORLD.dqn.3000`, `WORLD.exact.0.03.steps`.

    `WORLD.exact.chosen.steps` is of the α that was chosen, `WORLD.exact.α` that α;
    `WORLD.controls.PRIOR.steps` of the controls, `WORLD.alone.PRIOR` of what a prior does alone.
    """
    episodes = {read(world, "kl_ppo", {}).config.eval_episodes for world in WORLDS}
    found = {"k": f"{K}", "episodes": " or ".join(map(str, sorted(episodes)))}
    for world, here in WORLDS.items():
        own = figures[world]
        every = {prose.slug(name): row for name, row in own["others"].items()}
        every |= {f"controls.{prose.slug(name)}": row for name, row in own["controls"].items()}
        for k, sweep in own["sweeps"].items():
            kind = "exact" if k == "exact" else f"k{k}"
            found[f"{world}.{kind}.α"] = f"{own['chosen'][k]:g}".replace("0.", ".")
            for row in sweep:
                every[f"{kind}.{row['alpha']:g}"] = row
                if row["alpha"] == own["chosen"][k]:
                    every[f"{kind}.chosen"] = row
        for name, row in every.items():
            at = f"{world}.{name}"
            found |= prose.reached(f"{at}.steps", row["steps_to_80"])
            found |= prose.estimate(f"{at}.return", row["return"][-1], lambda x: f"{x:.3g}")
            found |= {f"{at}.end": prose.share(row["success"][-1][0])}
            found["runs"] = f"{row['runs']}"
            for steps, values in zip(here.shown, row["success"], strict=True):
                found |= prose.estimate(f"{at}.{steps}", values)
        found[f"{world}.total"] = prose.count(here.shown[-1])
        for name, row in own["alone"].items():
            found |= prose.estimate(f"{world}.alone.{prose.slug(name)}", row["success"][0])
    return found


def _learners(world: World, found: dict[str, Any]) -> str:
    rows = [_row(name, row) for name, row in found["others"].items()]
    for k, sweep in found["sweeps"].items():
        for row in sweep:
            name = f"KL-PPO, {'exact' if k == 'exact' else f'k = {k}'}, α = {row['alpha']:g}"
            bold = row["alpha"] == found["chosen"][k]
            rows.append(_row(f"**{name}**" if bold else name, row))
    alone = found["alone"]["embedded"]
    rows.append(_row("the prior alone", alone, learns=False))
    return comparison.markdown(_head(world), rows)


def _controls(world: World, found: dict[str, Any]) -> str:
    head = [*_head(world), "that prior alone"]
    head[0] = f"prior (α = {found['chosen']['exact']:g})"
    rows = [
        [*_row(name, row), _text(found["alone"][name]["success"][0])]
        for name, row in found["controls"].items()
    ]
    return comparison.markdown(head, rows)


def _alphas(figures: dict[str, Any]) -> str:
    """What α was chosen by."""
    rows = []
    for name, world in WORLDS.items():
        for k, sweep in figures[name]["sweeps"].items():
            cells = [f"{row['alpha']:g}: {row['area_in_training_instances']:.3f}" for row in sweep]
            rows.append([world.title, k, *cells])
    return comparison.markdown(["world", "k", *["α: area"] * len(SMALL)], rows)


def _head(world: World) -> list[str]:
    cells = [f"success at {steps:,}" for steps in world.shown]
    asked = ["queries", "evaluations"]
    return ["learner", *cells, "return at the end", "environment steps to 80 %", *asked]


def _row(name: str, row: dict[str, Any], learns: bool = True) -> list[str]:
    cells = [_text(values) for values in row["success"]]
    if not learns:
        cells = [cells[0], *["as before"] * (len(cells) - 1)]
    cells += [_text(row["return"][-1]), row["steps_to_80"] if learns else "–"]
    return [name, *cells, f"{row['queries']:,}", f"{row['evaluations']:,}"]


def _text(values: list[float]) -> str:
    return comparison.interval(Interval(*values))


if __name__ == "__main__":
    main()
