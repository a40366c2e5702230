"""Our SAC on Pendulum-v1 as a program that takes turns: `sac_training.py --runs R`.

`lprl train pendulum_sac` with the settings that rejax publishes for its own; a whole training a
turn, fresh runs included, on one device.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

from lprl_jax.experiments import config

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import timing, turns
from tools.whole_training import whole_training

SETTINGS = {
    "num_envs": 1,
    "updates_per_rollout": 1,
    "total_steps": 10_000,
    "learning_starts": 257,  # they begin after 256
    "buffer_size": 10_000,
    "batch_size": 256,
    "hidden_sizes": "[64, 64]",
    "learning_rate": 0.01,
    "gamma": 0.99,
    "tau": 0.02,
    "temperature": 1.0,
    "target_entropy": -1.0,
}
EPISODES = 128
"""By which a run's policy is measured at the end, with its noise."""
MATRIX = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description="Train SAC on Pendulum-v1, again and again.")
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    overrides = {**SETTINGS, "num_runs": options.runs}
    experiment = config.read("pendulum_sac", [f"{name}={x}" for name, x in overrides.items()])
    training = whole_training(experiment)
    state, _ = training.call()  # compiles what makes fresh runs, too
    played = training.setup.algorithm.evaluate(state, training.setup.data, EPISODES, "sample")
    turns.serve(
        training.call,
        **training.about,
        returns=played["return"].tolist(),
        gradient_steps=options.runs * int(state.num_updates),
        matmul_flops=matmul_flops(),
    )


def matmul_flops() -> float:
    """A second, of large square matrices: what the device does at its best."""
    square = jax.random.normal(jax.random.key(0), (MATRIX, MATRIX))
    product = timing.compiled(jnp.matmul, square, square, amount=2.0 * MATRIX**3, unit="FLOP/s")
    return product.amount / statistics.median(timing.race({"": product})[""])


if __name__ == "__main__":
    main()
