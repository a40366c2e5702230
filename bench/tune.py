"""Tune the demo's three learners with one budget: `python bench/tune.py --json FILE`.

24 random settings each, 8 training maps a setting (held-out maps are never used), all in one
program: what is tuned differs from run to run. A setting is judged by the area under its
success curve; the best one is what `configs/` holds.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import jax.numpy as jnp
import numpy as np

import lprl_jax
from lprl_jax import Data, LanguagePrior, dqn, evaluation, sharding, tabulate

SETTINGS, MAPS, EPISODES = 24, 8, 8
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
LEARNERS: dict[str, dict[str, Any]] = {
    "DQN": {"grid": COMMON | EXPLORING, "steps": 60_000, "every": 1_000},
    "DQN, optimistic": {
        "grid": COMMON | TRUSTING, "steps": 60_000, "every": 1_000,
        "config": {"optimism": 1.0, "hidden_sizes": ()},
    },
    "DQN-Prior": {
        "grid": COMMON | {"alpha": (0.01, 0.03, 0.1, 0.3)},
        "steps": 10_000, "every": 100, "prior": True,
    },
}  # fmt: skip


def tune(name: str, seed: int) -> dict[str, Any]:
    """Every setting's figures, best first."""
    learner = LEARNERS[name]
    rng = np.random.default_rng(seed)
    settings = [
        {field: float(rng.choice(values)) for field, values in learner["grid"].items()}
        for _ in range(SETTINGS)
    ]
    env, _ = lprl_jax.make("FrozenLake-lprl", map_name="8x8", is_slippery=False)
    params = env.sample_params(jax.random.key(seed), MAPS, "train")
    prior = None
    if learner.get("prior"):
        prior = tabulate(LanguagePrior.from_pretrained("embedded", env, params), env, params)
    config = dqn.DQNConfig(**learner.get("config", {}))
    algorithm = dqn.make(config, env, prior)
    data = Data(() if prior is None else prior.params, params)

    num_runs = SETTINGS * MAPS
    swept = {
        field: jnp.repeat(jnp.array([s[field] for s in settings]), MAPS)
        for field in learner["grid"]
    }
    hparams = config.hparams(num_runs)._replace(**swept)
    own = jnp.tile(jnp.arange(MAPS, dtype=jnp.int32), SETTINGS)[:, None]
    keys = jax.random.split(jax.random.key(seed), num_runs)
    mesh = sharding.runs_mesh(num_runs)
    state = jax.jit(algorithm.init)(keys, hparams, data, own)
    state = sharding.spread(mesh, state)
    updates = learner["every"] // config.steps_per_update
    train = sharding.compile_chunk(algorithm, mesh, updates, state, data)
    play = sharding.compile_evaluation(
        algorithm, mesh, EPISODES, algorithm.policies[0], state, data
    )
    curves = [play(state, data)["success"]]
    for _ in range(learner["steps"] // learner["every"]):
        state, _ = train(state, data)
        curves.append(play(state, data)["success"])
    steps = np.arange(len(curves)) * learner["every"]
    success = np.array(curves).T
    area = evaluation.normalized_area(steps, success).reshape(SETTINGS, MAPS).mean(1)
    crossed, _ = evaluation.steps_to_threshold(steps, success, 0.8)
    median = np.median(crossed.reshape(SETTINGS, MAPS), axis=1)
    final = success[:, -1].reshape(SETTINGS, MAPS).mean(1)
    return {
        "settings": [
            {**settings[i], "area": round(float(area[i]), 4), "final": round(float(final[i]), 3),
             "median_steps_to_80": float(median[i])}
            for i in np.argsort(-area)
        ],
        "steps": learner["steps"],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Tune the demo's learners with one budget.")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--only", choices=LEARNERS, action="append", help="one; repeatable")
    parser.add_argument("--seed", type=int, default=0, help="of settings, maps and runs")
    options = parser.parse_args()
    report = {}
    for name in options.only or LEARNERS:
        report[name] = tune(name, options.seed)
        print(name)
        for setting in report[name]["settings"][:6]:
            print("  ", setting)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
