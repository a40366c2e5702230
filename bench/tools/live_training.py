"""Steps a second of DQN-Prior that asks the model at every step, in a process of its own.

    python bench/tools/live_training.py --maps 50 --runs 256 --windows 5

prints a JSON line. It is what `lprl train frozen_lake_dqn_prior prior_access=live` compiles,
without the evaluations, which ask the model as well.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import jax

from lprl_jax.experiments import config, runner, sharding
from lprl_jax.experiments.config import Experiment

UPDATES = 2
"""Of every run, a window; ten environment steps each."""


def overrides(maps: int, runs: int) -> tuple[str, ...]:
    """Of the experiment: run r plays map r modulo their number."""
    return f"env_params.num_instances={maps}", f"num_runs={runs}", "prior_access=live"


def measure(experiment: Experiment, windows: int) -> dict[str, Any]:
    """Steps a second in every window after a first, and seconds of compilation."""
    setup = runner.set_up(experiment)
    state = setup.initial_state()
    start = time.perf_counter()
    train = sharding.compile_chunk(setup.algorithm, setup.mesh, UPDATES, state, setup.data)
    compiling = time.perf_counter() - start
    steps = UPDATES * experiment.algorithm.steps_per_update * experiment.num_runs
    rates = []
    for _ in range(1 + windows):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(train(state, setup.data))
        rates.append(steps / (time.perf_counter() - start))
    return {"rates": rates[1:], "compile_seconds": compiling}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time training with a live prior.")
    parser.add_argument("--maps", type=int, default=1, help="in the bank")
    parser.add_argument("--runs", type=int, default=32, help="of one program")
    parser.add_argument("--windows", type=int, default=10, help="repeats")
    options = parser.parse_args()
    experiment = config.read("frozen_lake_dqn_prior", overrides(options.maps, options.runs))
    print(json.dumps(measure(experiment, options.windows)))


if __name__ == "__main__":
    main()
