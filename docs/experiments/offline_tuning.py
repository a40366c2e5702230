"""Settings of the offline learners, tuned on training instances with one budget.

    python docs/experiments/offline_tuning.py [WORLD ...]

12 random settings each, 6 training instances a setting (held-out ones are never used), with 300 and
with 3,000 transitions of data gathered as in `offline.py`, all in one program a learner: what is
tuned differs from run to run. A setting is judged by its mean return after training, over instances
and both sizes. Writes `docs/results/offline_tuning.json`; the best settings are in `configs/`.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import jax.numpy as jnp
import numpy as np
import offline
import prose
import written

from lprl_jax.experiments import gather, runner, sharding, transitions
from lprl_jax.results import comparison

RESULTS = Path(__file__).parents[1] / "results" / "offline_tuning.json"
MODELS = ("embedded",)
SETTINGS, INSTANCES, EPISODES, SIZES = 12, 6, 16, (300.0, 3_000.0)
BANK = (f"env_params.num_instances={INSTANCES}", "env_params.split=train", f"num_runs={INSTANCES}")
VALUES = {
    "learning_rate": (3e-4, 1e-3, 3e-3, 1e-2),
    "gamma": (0.95, 0.97, 0.99),
    "tau": (0.01, 0.05, 0.2),
}
PENALTY = {"beta": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0, 5.0)}
GRIDS = {
    "cql": VALUES | PENALTY,
    "cql_prior": VALUES | PENALTY,
    "offline_dqn": VALUES,
    "bc": {
        "learning_rate": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2, 2e-2, 3e-2, 5e-2)
    },
}
"""By the last part of the configs' names; alpha does nothing to greedy acting among k proposals."""


def main() -> None:
    """Tune every learner in both worlds."""
    figures = written.kept(RESULTS, MODELS)
    for world in sys.argv[1:] or offline.WORLDS:
        with tempfile.TemporaryDirectory() as folder:
            figures[world] = tune(offline.WORLDS[world], Path(folder))
        written.write(RESULTS, figures, MODELS)


def tune(world: offline.World, folder: Path) -> dict[str, Any]:
    """Every learner's settings with their returns, best first."""
    bare, _ = offline.behave(world, folder, BANK)
    labelled = folder / "labelled.npz"
    gather.relabel(offline.read(world, "cql_prior", {}, BANK), bare, labelled)
    found = {}
    for learner, grid in GRIDS.items():
        data = labelled if learner == "cql_prior" else bare
        found[learner] = settings_of(world, learner, grid, data)
        print(world.title, learner, *found[learner][:4], sep="\n  ", flush=True)
    return found


def settings_of(
    world: offline.World, learner: str, grid: dict[str, tuple[float, ...]], data: Path
) -> list[dict[str, float]]:
    """Random settings of one learner, the best first."""
    every = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    settings = [every[i] for i in np.random.default_rng(0).permutation(len(every))[:SETTINGS]]
    experiment = offline.read(world, learner, {"dataset": data}, BANK)
    setup = runner.set_up(experiment)
    dataset = transitions.load(experiment, setup.env, setup.params, setup.prior)
    # A run for each setting, size and instance; instances change fastest, as `own` does.
    num_runs = SETTINGS * len(SIZES) * INSTANCES
    swept = {
        field: jnp.repeat(jnp.array([s[field] for s in settings]), len(SIZES) * INSTANCES)
        for field in grid
    }
    swept["dataset_size"] = jnp.tile(jnp.repeat(jnp.array(SIZES), INSTANCES), SETTINGS)
    hparams = experiment.algorithm.hparams(num_runs)._replace(**swept)
    instances = jnp.arange(num_runs, dtype=jnp.int32)[:, None] % INSTANCES
    mesh = sharding.make_mesh(num_runs)
    placed = sharding.place(mesh, setup.data._replace(dataset=dataset))
    keys = jax.random.split(jax.random.key(0), num_runs)
    state = sharding.spread(mesh, setup.algorithm.init(keys, hparams, setup.data, instances))
    steps = experiment.config.total_steps
    train = sharding.compile_chunk(setup.algorithm, mesh, steps, state, placed)
    play = sharding.compile_evaluation(setup.algorithm, mesh, EPISODES, "greedy", state, placed)
    state, _ = train(state, placed)
    returns = np.asarray(play(state, placed)["return"]).reshape(SETTINGS, -1).mean(1)
    return [{**settings[i], "return": round(float(returns[i]), 4)} for i in np.argsort(-returns)]


def tables(
    figures: dict[str, Any], worlds: Mapping[str, offline.World] = offline.WORLDS
) -> dict[str, str]:
    """The best setting of every learner."""
    names = [*VALUES, *PENALTY, "return"]
    rows = [
        [worlds[world].title, learner, *(f"{best[0].get(name, '–')}" for name in names)]
        for world, learners in figures.items()
        for learner, best in learners.items()
    ]
    return {"offline_tuning": comparison.markdown(["", "config", *names], rows)}


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote."""
    tried = {len(settings) for learners in figures.values() for settings in learners.values()}
    small, large = map(prose.count, SIZES)
    return {"settings": "/".join(map(str, sorted(tried))), "instances": f"{INSTANCES}",
            "small": small, "large": large}  # fmt: skip


if __name__ == "__main__":
    main()
