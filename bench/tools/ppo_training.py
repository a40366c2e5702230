"""`lprl train cartpole_ppo` as a program that takes turns: `ppo_training.py --runs R`.

A whole training a turn, fresh runs included, over as many devices as there are and divide the runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lprl_jax.experiments import config

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import turns
from tools.whole_training import whole_training


def main() -> None:
    parser = argparse.ArgumentParser(description="Train PPO on CartPole-v1, again and again.")
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    experiment = config.read("cartpole_ppo", [f"num_runs={options.runs}"])
    training = whole_training(experiment)
    training.call()  # compiles what makes fresh runs
    turns.serve(training.call, **training.about)


if __name__ == "__main__":
    main()
