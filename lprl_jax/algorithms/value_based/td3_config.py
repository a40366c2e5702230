"""The settings of TD3, and which of them may differ from run to run."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax

from lprl_jax.algorithms.base import require_above_0, require_not_below_0, same_for_all
from lprl_jax.algorithms.shift_config import ShiftConfig
from lprl_jax.algorithms.value_based import from_replay


@dataclasses.dataclass(frozen=True)
class TD3Config(ShiftConfig):
    """Settings; those of `HParams` are only the defaults of a run.

    Noises are in units of half the box.
    """

    num_envs: int = 1
    """N: environments a run."""
    rollout_length: int = 1
    """Steps of every environment between two learning phases."""
    updates_per_rollout: int = 1
    """Gradient steps a learning phase."""
    learning_starts: int = 500
    """Environment steps a run before anything is learnt, by actions drawn uniformly."""
    policy_delay: int = 2
    """The policy descends, and the targets follow, at every so many gradient steps."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the policy's network, and of each critic's."""
    buffer_size: int = 100_000
    """Transitions that are kept a run; a multiple of `num_envs`."""
    batch_size: int = 128
    """Transitions a gradient step."""
    max_grad_norm: float = math.inf
    """Gradients of policy and critics are each clipped to this norm."""
    learning_rate: float = 1e-3
    """Of Adam: of policy and critics."""
    gamma: float = 0.99
    """Discount."""
    tau: float = 0.005
    """Share of the networks that enters their targets whenever these follow."""
    exploration_noise: float = 0.1
    """Standard deviation of what is added to actions that are learnt from."""
    target_noise: float = 0.2
    """Standard deviation of what is added to the target policy's actions."""
    noise_clip: float = 0.5
    """Bound on that."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        from_replay.check(self)
        require_above_0(self, "policy_delay")
        require_not_below_0(self, "exploration_noise", "target_noise", "noise_clip")

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`."""
        return self.num_envs * self.rollout_length

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `TD3Config`."""

    learning_rate: jax.Array
    gamma: jax.Array
    tau: jax.Array
    exploration_noise: jax.Array
    target_noise: jax.Array
    noise_clip: jax.Array
    shift_scale: jax.Array
    shift_steps: jax.Array
