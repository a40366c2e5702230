"""The settings of SAC, in a box and among numbered actions, and which may differ run by run."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax

from lprl_jax.algorithms.base import require_above_0, require_finite, same_for_all
from lprl_jax.algorithms.value_based.replay_config import ReplayConfig
from lprl_jax.field_help import described


@described
@dataclasses.dataclass(frozen=True, kw_only=True)
class EntropyConfig(ReplayConfig):
    """What both kinds share."""

    temperature: float = 1.0
    """What a nat of entropy is worth at first; then it is led to where entropy is its target."""
    target_entropy: float
    """Of the policy, in the units of a kind."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        super().__post_init__()
        require_above_0(self, "temperature")
        require_finite(self, "temperature", "target_entropy")

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


@described
@dataclasses.dataclass(frozen=True, kw_only=True)
class SACConfig(EntropyConfig):
    """Settings of SAC; those of `HParams` are only the defaults of a run."""

    target_entropy: float = -1.0
    """Of the policy, in nats for each number of an action, the box being taken as [-1, 1]^d."""


@described
@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscreteSACConfig(EntropyConfig):
    """Settings of SAC among numbered actions; those of `HParams` are only the defaults of a run."""

    target_entropy: float = 0.89
    """Of the policy, as a share of the most there is in a state of L legal actions, log L."""


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of the configs."""

    learning_rate: jax.Array
    gamma: jax.Array
    tau: jax.Array
    temperature: jax.Array
    target_entropy: jax.Array
    shift_scale: jax.Array
    shift_steps: jax.Array
