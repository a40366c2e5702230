"""`lprl train cartpole_ppo` as a program that takes turns: `ppo_training.py --runs R`.

A whole training a turn, fresh runs included, over as many devices as there are and divide the runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import jax

from lprl_jax.experiments import config, runner, sharding

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import turns


def main() -> None:
    parser = argparse.ArgumentParser(description="Train PPO on CartPole-v1, again and again.")
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    experiment = config.read("cartpole_ppo", [f"num_runs={options.runs}"])
    setup = runner.set_up(experiment)
    updates = experiment.config.total_steps // experiment.algorithm.steps_per_update
    start = time.perf_counter()
    train = sharding.compile_chunk(
        setup.algorithm, setup.mesh, updates, setup.initial_state(), setup.data
    )
    compiling = time.perf_counter() - start

    def call() -> Any:
        return jax.block_until_ready(train(setup.initial_state(), setup.data))

    call()  # compiles what makes fresh runs
    turns.serve(
        call,
        compile_seconds=compiling,
        steps=options.runs * updates * experiment.algorithm.steps_per_update,
        devices=setup.mesh.devices.size,
    )


if __name__ == "__main__":
    main()
