"""Where else a run's progress can go: TensorBoard and Weights & Biases, by CleanRL's names.

Metrics arrive once a chunk, as means over all runs; nothing is logged per step. `metrics.jsonl` is
written in any case and holds a value for every run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from lprl_envs import InvalidInput


class Logger(Protocol):
    """Takes scalars."""

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Scalars at an environment step of a run."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


NAMES = {
    "return": "charts/episodic_return",
    "length": "charts/episodic_length",
    "success": "charts/success_rate",
    "loss": "losses/loss",
    "value_loss": "losses/value_loss",
    "entropy": "losses/entropy",
    "kl": "losses/prior_kl",
    "episodes": "charts/episodes",
    "queries": "charts/prior_queries",
    "evaluations": "charts/prior_evaluations",
}
"""Names in metrics.jsonl to names in the logs."""


def scalars(record: Mapping[str, Any], steps_per_second: float) -> dict[str, float]:
    """A line of metrics.jsonl as scalars: the mean over the runs."""
    values = {log: float(np.mean(record[own])) for own, log in NAMES.items() if own in record}
    return {**values, "charts/SPS": steps_per_second} if steps_per_second else values


class TensorBoard:
    """Event files in `out/tensorboard`."""

    def __init__(self, out: Path, config: Mapping[str, Any], from_step: int):
        writer = _needs("tensorboardX", "tensorboard").SummaryWriter
        # What a killed run wrote after its checkpoint is written again, and hidden here.
        self._writer = writer(str(out / "tensorboard"), purge_step=from_step or None)
        if not from_step:
            table = "".join(f"|{name}|{value}|\n" for name, value in config.items())
            self._writer.add_text("hyperparameters", f"|param|value|\n|-|-|\n{table}")

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """One point in every chart."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush."""
        self._writer.close()


class WandB:
    """A Weights & Biases run, its files in `out/wandb`; WANDB_MODE=offline keeps it here."""

    def __init__(self, out: Path, config: Mapping[str, Any], from_step: int):
        del from_step
        self._run = _needs("wandb", "wandb").init(
            project="lprl-jax", name=out.absolute().name, dir=str(out), config=dict(config)
        )

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """One point in every chart."""
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


LOGGERS: dict[str, Callable[[Path, Mapping[str, Any], int], Logger]] = {
    "tensorboard": TensorBoard,
    "wandb": WandB,
}


def make(
    names: Sequence[str], out: Path, config: Mapping[str, Any], from_step: int
) -> list[Logger]:
    """The loggers of these names.

    Raises:
        InvalidInput: if there is no logger of a name, or its package is not installed.
    """
    require_known(names)
    return [LOGGERS[name](out, config, from_step) for name in names]


def require_known(names: Sequence[str]) -> None:
    """Raise InvalidInput unless every name is a logger whose package is installed."""
    packages = {"tensorboard": "tensorboardX", "wandb": "wandb"}
    for name in names:
        if name not in LOGGERS:
            raise InvalidInput(f"unknown log {name!r}; valid: {', '.join(LOGGERS)}")
        _needs(packages[name], name)


def _needs(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput(f"{module} is not installed; pip install 'lprl-jax[{extra}]'") from None
