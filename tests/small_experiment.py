"""A small experiment that tests of the runner and of the commands share, and so compile once."""

from typing import Any

FIELDS: dict[str, Any] = {
    "env": "FrozenLake-lprl",
    "env_params": {
        "map_name": "4x4",
        "is_slippery": False,
        "num_instances": 4,
        "split": "train",
        "instance_per_run": True,
    },
    "prior": "uniform",
    "num_runs": 4,
    "total_steps": 90,
    "eval_every": 30,
    "eval_episodes": 2,
    "buffer_size": 100,
    "batch_size": 4,
    "hidden_sizes": [8],
    "checkpoint_every": 2,
}


def fields(**changes: Any) -> dict[str, Any]:
    """FIELDS with changes; those of `env_params` are merged."""
    inner = {**FIELDS["env_params"], **changes.pop("env_params", {})}
    return {**FIELDS, **changes, "env_params": inner}
