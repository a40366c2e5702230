"""Ours as a program that takes turns: `own_training.py CONFIG --policy NAME key=value ...`.

`lprl train CONFIG key=value ...`: a whole training a turn, fresh runs included, over as many
devices as there are and divide the runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.experiments import config, sharding

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import timing, turns
from tools.peer_program import adam_counts
from tools.whole_training import whole_training

MATRIX = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a config, again and again.")
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--policy", required=True, help="by which runs play at the end")
    parser.add_argument("--episodes", type=int, default=0, help="that runs play at the end")
    options = parser.parse_intermixed_args()
    experiment = config.read(options.config, options.overrides)
    training = whole_training(experiment)
    state, _ = training.call()  # compiles what makes fresh runs, too
    returns = None
    if options.episodes:
        setup = training.setup
        own = setup.algorithm, setup.mesh, options.episodes, options.policy, state, setup.data
        played = sharding.compile_evaluation(*own)(state, setup.data)
        returns = np.asarray(played["return"]).tolist()
    turns.serve(
        training.call,
        **training.about,
        returns=returns,
        steps_a_run=training.about["steps"] // experiment.num_runs,
        gradient_steps=adam_counts(state.opt_state),
        matmul_flops=matmul_flops(),
    )


def matmul_flops() -> float:
    """A second, of large square matrices: what the device does at its best."""
    square = jax.random.normal(jax.random.key(0), (MATRIX, MATRIX))
    product = timing.compiled(jnp.matmul, square, square, amount=2.0 * MATRIX**3, unit="FLOP/s")
    return product.amount / statistics.median(timing.race({"": product})[""])


if __name__ == "__main__":
    main()
