"""The settings of SAC, in a box and among numbered actions, and which may differ run by run."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax

from lprl_jax.algorithms.base import require_above_0, require_finite, same_for_all
from lprl_jax.algorithms.shift_config import ShiftConfig
from lprl_jax.algorithms.value_based import from_replay


@dataclasses.dataclass(frozen=True)
class SACConfig(ShiftConfig):
    """Settings of SAC; those of `HParams` are only the defaults of a run."""

    num_envs: int = 1
    """N: environments a run."""
    rollout_length: int = 1
    """Steps of every environment between two learning phases."""
    updates_per_rollout: int = 1
    """Gradient steps a learning phase."""
    learning_starts: int = 500
    """Environment steps a run before anything is learnt, by actions drawn uniformly."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the policy's network, and of each critic's."""
    buffer_size: int = 100_000
    """Transitions that are kept a run; a multiple of `num_envs`."""
    batch_size: int = 128
    """Transitions a gradient step."""
    max_grad_norm: float = math.inf
    """Gradients of policy and critics are each clipped to this norm."""
    learning_rate: float = 1e-3
    """Of Adam: of policy, critics and temperature."""
    gamma: float = 0.99
    """Discount."""
    tau: float = 0.005
    """Share of the critics that enters their targets at each gradient step."""
    temperature: float = 1.0
    """What a nat of entropy is worth at first; then it is led to where entropy is its target."""
    target_entropy: float = -1.0
    """Of the policy, in nats for each number of an action, the box being taken as [-1, 1]^d."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        from_replay.check(self)
        require_above_0(self, "temperature")
        require_finite(self, "temperature", "target_entropy")

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`."""
        return self.num_envs * self.rollout_length

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


@dataclasses.dataclass(frozen=True)
class DiscreteSACConfig(ShiftConfig):
    """Settings of SAC among numbered actions; those of `HParams` are only the defaults of a run."""

    num_envs: int = 1
    """N: environments a run."""
    rollout_length: int = 1
    """Steps of every environment between two learning phases."""
    updates_per_rollout: int = 1
    """Gradient steps a learning phase."""
    learning_starts: int = 500
    """Environment steps a run before anything is learnt, by legal actions drawn uniformly."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the policy's network, and of each critic's."""
    buffer_size: int = 100_000
    """Transitions that are kept a run; a multiple of `num_envs`."""
    batch_size: int = 128
    """Transitions a gradient step."""
    max_grad_norm: float = math.inf
    """Gradients of policy and critics are each clipped to this norm."""
    learning_rate: float = 1e-3
    """Of Adam: of policy, critics and temperature."""
    gamma: float = 0.99
    """Discount."""
    tau: float = 0.005
    """Share of the critics that enters their targets at each gradient step."""
    temperature: float = 1.0
    """What a nat of entropy is worth at first; then it is led to where entropy is its target."""
    target_entropy: float = 0.89
    """Of the policy, as a share of the most there is in a state of L legal actions, log L."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        from_replay.check(self)
        require_above_0(self, "temperature")
        require_finite(self, "temperature", "target_entropy")

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`."""
        return self.num_envs * self.rollout_length

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of the configs."""

    learning_rate: jax.Array
    gamma: jax.Array
    tau: jax.Array
    temperature: jax.Array
    target_entropy: jax.Array
    shift_scale: jax.Array
    shift_steps: jax.Array
