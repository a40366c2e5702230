"""The settings that all learners from a replay with a policy share; see `from_replay`."""

from __future__ import annotations

import dataclasses
import math

from lprl_envs import InvalidInput, values

from lprl_jax.algorithms.base import require_above_0, require_fraction
from lprl_jax.algorithms.shift_config import LOOK_BACK, RAW, ShiftConfig
from lprl_jax.field_help import described

COUNTS = ("num_envs", "rollout_length", "updates_per_rollout", "buffer_size", "batch_size")


@described
@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplayConfig(ShiftConfig):
    """Settings; the last three may differ from run to run."""

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
    """Of Adam: of all that is descended on."""
    gamma: float = 0.99
    """Discount."""
    tau: float = 0.005
    """Share of the networks that enters their targets whenever these follow."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_above_0(self, *COUNTS, "hidden_sizes", "learning_rate", "max_grad_norm")
        values.finite("learning_rate", self.learning_rate)
        require_fraction(self, "gamma", "tau")
        self.check_shift((RAW, LOOK_BACK))
        if self.learning_starts < 0:
            values.refuse("learning_starts", self.learning_starts, "it must be 0 or above")
        if self.buffer_size < self.num_envs or self.buffer_size % self.num_envs:
            raise InvalidInput(
                f"buffer_size is {self.buffer_size}; it must be a multiple of "
                f"num_envs = {self.num_envs}"
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`."""
        return self.num_envs * self.rollout_length
