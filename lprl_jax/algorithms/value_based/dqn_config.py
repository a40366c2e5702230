"""The settings of DQN and DQN-Prior, and which of them may differ from run to run."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
from lprl_envs import InvalidInput, values

from lprl_jax.algorithms.base import (
    require_above_0,
    require_finite,
    require_fraction,
    require_k,
    require_not_below_0,
    same_for_all,
)
from lprl_jax.algorithms.shift_config import ShiftConfig
from lprl_jax.field_help import described

Q_INPUTS = ("observation", "features")


@described
@dataclasses.dataclass(frozen=True)
class DQNConfig(ShiftConfig):
    """Settings; those of `HParams` are only the defaults of a run."""

    num_envs: int = 1
    """N: environments a run."""
    rollout_length: int = 10
    """Steps of every environment between two learning phases."""
    updates_per_rollout: int = 1
    """Gradient steps a learning phase."""
    k: int | str = 5
    """Proposals drawn from the prior in a state, or "exact"."""
    q_input: str = "observation"
    """What Q-networks read: the environment's `"observation"`, or the prior's `"features"` of the
    state's text. Replay then keeps these of both its states, so that learning asks no model."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the Q-network; none makes it linear, and a table on one-hot observations."""
    buffer_size: int = 10_000
    """Transitions that are kept a run; a multiple of `num_envs`."""
    batch_size: int = 64
    """Transitions a gradient step."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm."""
    optimism: float = 0.0
    """Initial value of every action; 1 is the best return of Frozen Lake."""
    count_bonus: float = 0.0
    """β, in units of reward: learning is paid β / √n(s, a) beside r; see `count_bonus`."""
    learning_rate: float = 1e-3
    """Of Adam."""
    gamma: float = 0.99
    """Discount."""
    tau: float = 0.05
    """Share of the network that enters the target network at each gradient step."""
    alpha: float = 0.1
    """Temperature of Q, with a prior."""
    epsilon: float = 0.1
    """Final probability of a random action, without a prior."""
    epsilon_steps: float = 10_000.0
    """Environment steps a run over which it falls from 1 to `epsilon`."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_k(self.k)
        if self.q_input not in Q_INPUTS:
            values.refuse("q_input", self.q_input, f"valid: {', '.join(Q_INPUTS)}")
        counts = ("num_envs", "rollout_length", "updates_per_rollout", "batch_size")
        require_above_0(self, *counts, "alpha", "learning_rate", "max_grad_norm", "epsilon_steps")
        require_above_0(self, "hidden_sizes")
        require_finite(self, "optimism", "count_bonus", "learning_rate", "alpha")
        require_not_below_0(self, "count_bonus")
        require_fraction(self, "gamma", "tau", "epsilon")
        self.check_shift()
        if self.buffer_size < self.num_envs or self.buffer_size % self.num_envs:
            raise InvalidInput(
                f"buffer_size is {self.buffer_size}; it must be a multiple of "
                f"num_envs = {self.num_envs}"
            )

    @property
    def reads_features(self) -> bool:
        """Whether Q-networks read the prior's features."""
        return self.q_input == "features"

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`."""
        return self.num_envs * self.rollout_length

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `DQNConfig`."""

    learning_rate: jax.Array
    gamma: jax.Array
    tau: jax.Array
    alpha: jax.Array
    epsilon: jax.Array
    epsilon_steps: jax.Array
    shift_scale: jax.Array
    shift_steps: jax.Array
