"""A small experiment whose policy is a language model, and what every such run must keep."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from small_experiment import fields

from lprl_jax.experiments import config, run_directory, runner

OF_DQN = ("buffer_size", "batch_size", "hidden_sizes")


def policy_fields(policy: Path, **changes: Any) -> dict[str, Any]:
    """Of the small experiment, with a model as its policy."""
    own = fields(
        algorithm="ppo",
        policy=str(policy),
        prior="uniform",
        env_params={"instance_per_run": False},
        num_runs=2,
        num_envs=5,
        rollout_length=6,
        num_epochs=1,
        num_minibatches=1,
        total_steps=60,
        checkpoint_every=1,
    )
    return {name: value for name, value in own.items() if name not in OF_DQN} | changes


def assert_resumes(run: Path, changed: dict[str, Any], folder: Path) -> None:
    """A run that lost its last checkpoint goes on to the same bytes."""
    begun = shutil.copytree(run, folder / "run")
    shutil.rmtree(begun / run_directory.CHECKPOINTS / "60")
    runner.run(config.parse(changed), begun, progress=False, resume=True)
    metrics = [(path / run_directory.METRICS).read_text() for path in (run, begun)]
    assert metrics[0] == metrics[1]
    last = json.loads(metrics[0].splitlines()[-1])
    assert last["step"] == 60
    assert np.isfinite(last["kl"]).all()
