"""Tune a world's learners with one budget: `python bench/tune.py blocks_world`.

24 random settings each, 8 training instances a setting (held-out ones are never used), in one
program, or one for each shape of roll-outs: what else is tuned differs from run to run. A setting
is judged by the area under its success curve; the best one is what `configs/` holds, and
`bench/results/tuning.json` all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax import Data
from lprl_jax.experiments import build, config, sharding
from lprl_jax.results import statistics

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "experiments"))

import prose  # pyright: ignore[reportMissingImports]
import written  # pyright: ignore[reportMissingImports]

SETTINGS, INSTANCES, EPISODES = 24, 8, 8
RESULTS = Path(__file__).parent / "results" / "tuning.json"
REWARDS = {"frozen_lake": 1.0, "blocks_world": 1.0, "cube_stacking": 30.0}
"""How large they are: the learning rates of a table of Q are in units of it."""
ALPHAS = {
    "frozen_lake": (0.01, 0.03, 0.1, 0.3),
    "blocks_world": (0.001, 0.003, 0.01, 0.03),  # nothing is lost for good, so values differ less
    "cube_stacking": (0.3, 1.0, 3.0, 10.0),
}
COMMON = {
    "learning_rate": (3e-4, 1e-3, 3e-3, 1e-2),
    "gamma": (0.95, 0.97, 0.99),
    "tau": (0.01, 0.05, 0.2),
}
EXPLORING = {"epsilon": (0.02, 0.05, 0.1, 0.2), "epsilon_steps": (3e3, 1e4, 3e4, 6e4)}
TRUSTING = {
    "learning_rate": (3e-3, 1e-2, 3e-2, 1e-1),
    "epsilon": (0.0, 0.02, 0.05),
    "epsilon_steps": (1.0,),
}
POLICY = {
    "learning_rate": (3e-4, 1e-3, 3e-3, 1e-2),
    "gamma": (0.95, 0.97, 0.99),
    "gae_lambda": (0.8, 0.9, 0.95),
    "entropy_coef": (0.0, 0.003, 0.01, 0.03, 0.1),
}
KL_ALPHAS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ROLLOUTS: dict[str, tuple[tuple[int, int], ...]] = {
    "frozen_lake": ((10, 5), (10, 25), (5, 50)),
    "blocks_world": ((10, 5), (10, 25), (5, 50)),
    "cube_stacking": ((10, 5), (5, 10)),
}
"""PPO's environments, and their steps between two learning phases. They divide what lies between
two evaluations, which is the same for all learners of a world."""
LEARNERS = ("dqn", "dqn_optimistic", "dqn_prior", "dqn_prior_habit", "ppo", "kl_ppo")
WITH_A_MODEL = ("dqn_prior", "kl_ppo")


def grid_of(world: str, learner: str) -> dict[str, tuple[float, ...]]:
    """Values by hyper-parameter."""
    if learner == "dqn":
        return COMMON | EXPLORING
    if learner == "ppo":
        return POLICY
    if learner == "kl_ppo":
        return POLICY | {"alpha": KL_ALPHAS}
    if learner in ("dqn_prior", "dqn_prior_habit"):
        return COMMON | {"alpha": ALPHAS[world]}
    rates = tuple(round(rate * REWARDS[world], 6) for rate in TRUSTING["learning_rate"])
    return COMMON | TRUSTING | {"learning_rate": rates}


def shapes_of(world: str, learner: str) -> list[dict[str, Any]]:
    """What settings differ in that takes another program."""
    if learner not in ("ppo", "kl_ppo"):
        return [{}]
    # Where most runs meet no reward for long, normalising makes advantages of the values' errors:
    # the best of 24 settings, half of them so, had an area of .32 where goals are in a corner.
    normalized = (False,) if (world, learner) == ("frozen_lake", "ppo") else (False, True)
    both = itertools.product(ROLLOUTS[world], normalized)
    return [{"num_envs": n, "rollout_length": t, "normalize_advantages": x} for (n, t), x in both]


def tune(world: str, learner: str, seed: int, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Every setting's figures, best first; `overrides` are of the learner's config."""
    grid, rng = grid_of(world, learner), np.random.default_rng(seed)
    settings = [
        {field: float(rng.choice(values)) for field, values in grid.items()}
        for _ in range(SETTINGS)
    ]
    shapes = shapes_of(world, learner)
    found, each = [], SETTINGS // len(shapes)
    for i, shape in enumerate(shapes):
        own = settings[i * each : (i + 1) * each]
        found += measure(world, learner, shape, own, seed, overrides)
    total = config.read(f"{world}_{learner}", overrides).config.total_steps
    return {"settings": sorted(found, key=lambda one: -one["area"]), "steps": total}


def measure(
    world: str,
    learner: str,
    shape: dict[str, Any],
    settings: list[dict[str, float]],
    seed: int,
    overrides: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """These settings' figures, in one program."""
    num_runs = len(settings) * INSTANCES
    bank = (f"num_instances={INSTANCES}", "split=train", f"bank_seed={seed}")
    own = [*(f"env_params.{b}" for b in bank), f"num_runs={num_runs}"]
    own += [f"{field}={value}" for field, value in shape.items()]
    experiment = config.read(f"{world}_{learner}", [*overrides, *own])
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    prior = build.make_prior(experiment, env, params)
    algorithm = build.make_algorithm(experiment, env, prior)
    data = Data(() if prior is None else prior.params, params)

    swept = {
        field: jnp.repeat(jnp.array([s[field] for s in settings]), INSTANCES)
        for field in settings[0]
    }
    hparams = experiment.algorithm.hparams(num_runs)._replace(**swept)
    rows = jnp.tile(jnp.arange(INSTANCES, dtype=jnp.int32), len(settings))[:, None]
    keys = jax.random.split(jax.random.key(seed), num_runs)
    mesh = sharding.make_mesh(num_runs)
    state = jax.jit(algorithm.init)(keys, hparams, data, rows)
    state = sharding.spread(mesh, state)
    total, a_chunk = experiment.config.total_steps, experiment.algorithm.steps_per_update
    updates = max(1, round(experiment.config.eval_every / a_chunk))
    every = updates * a_chunk
    train = sharding.compile_chunk(algorithm, mesh, updates, state, data)
    play = sharding.compile_evaluation(
        algorithm, mesh, EPISODES, algorithm.policies[0], state, data
    )
    curves = [play(state, data)["success"]]
    for _ in range(total // every):
        state, _ = train(state, data)
        curves.append(play(state, data)["success"])
    steps = np.arange(len(curves)) * every
    success = np.array(curves).T
    area = statistics.normalized_area(steps, success).reshape(-1, INSTANCES).mean(1)
    crossed, _ = statistics.steps_to_threshold(steps, success, 0.8)
    median = np.median(crossed.reshape(-1, INSTANCES), axis=1)
    final = success[:, -1].reshape(-1, INSTANCES).mean(1)
    return [
        {
            **shape,
            **setting,
            "area": round(float(area[i]), 4),
            "final": round(float(final[i]), 3),
            "median_steps_to_80": float(median[i]),
        }
        for i, setting in enumerate(settings)
    ]


def tables(report: dict[str, Any]) -> dict[str, str]:
    """None: pages name the file."""
    del report
    return {}


def numbers(report: dict[str, Any]) -> prose.Numbers:
    """What sentences quote: `frozen_lake.ppo.best`, the largest area."""
    found = {"settings": f"{SETTINGS}", "instances": f"{INSTANCES}"}
    for world, learners in report.items():
        for learner, own in learners.items():
            found[f"{world}.{learner}.best"] = prose.share(own["settings"][0]["area"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Tune a world's learners with one budget.")
    parser.add_argument("world", choices=ALPHAS, help="the first part of a config's name")
    parser.add_argument("--only", choices=LEARNERS, action="append", help="one; repeatable")
    parser.add_argument("--seed", type=int, default=0, help="of settings, instances and runs")
    options = parser.parse_args()
    report = json.loads(RESULTS.read_text())
    for learner in options.only or LEARNERS:
        models = ["embedded"] if learner in WITH_A_MODEL else []
        found = {written.MADE: written.made(models), **tune(options.world, learner, options.seed)}
        report.setdefault(options.world, {})[learner] = found
        print(learner)
        for setting in found["settings"][:6]:
            print("  ", setting)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
