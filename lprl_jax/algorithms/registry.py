"""The algorithms, by the names that configs give them: an entry each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lprl_jax.algorithms import dqn


class AlgorithmEntry(NamedTuple):
    """What an experiment needs to know of an algorithm."""

    config: type[Any]
    """Its settings, a frozen dataclass."""
    make: Callable[..., Any]
    """`(config, env, prior) -> Algorithm`"""
    sweepable: tuple[str, ...]
    """Settings that may differ between the runs of one program."""


ALGORITHMS = {
    "dqn": AlgorithmEntry(dqn.DQNConfig, dqn.make, dqn.HParams._fields),
}
"""By name."""
