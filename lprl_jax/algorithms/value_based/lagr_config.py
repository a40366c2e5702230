"""The settings of LaGR and LaGR-SEQ, and which of them may differ from run to run."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
from lprl_envs import InvalidInput
from lprl_envs.errors import require_one_of

from lprl_jax.algorithms.base import (
    require_above_0,
    require_finite,
    require_fraction,
    same_for_all,
)
from lprl_jax.algorithms.schedules import ScheduleConfig
from lprl_jax.algorithms.value_based.guide import ELIGIBLE, KEEP
from lprl_jax.algorithms.value_based.primaries import PRIMARIES, TABLE
from lprl_jax.field_help import described

MASKED, REDRAWN = ILLEGAL = ("masked", "redrawn")


@described
@dataclasses.dataclass(frozen=True)
class LaGRConfig(ScheduleConfig):
    """Settings; those of `HParams` are only the defaults of a run. When to ask is `ScheduleConfig`.

    The one inherits the other so that a config stays flat, with each setting declared once.
    """

    completer: str = "recorded"
    """Who completes: `recorded`, `perfect`, `never-right`, or a model's name or directory."""
    completer_temperature: float = 0.0
    """A model's; 0 writes the likeliest token."""
    completer_epsilon: float = 0.0
    """Share of prompts whose answer is replaced by a wrong one: a control."""
    memory_size: int = 256
    """Answers that a run remembers."""
    keep: str = "episode"
    """How long an accepted completion is held: for the `"episode"`, or for the `"trial"`, where a
    run plays one instance."""
    eligible: str = "changed"
    """Which prompts may be asked: `"any"`; `"changed"`, those that differ from the last one asked;
    `"grown"`, those that show something, and more than the last one asked in this episode."""
    explore_while_following: bool = False
    """Whether a random action, with the primary's probability, may take the place of a
    completion's."""
    learn_while_following: bool = True
    """Whether the primary learns of steps that follow a completion."""
    primary: str = "network"
    """The learner that is guided: a Q-`"network"` with replay, or a `"table"` of Q-learning."""
    num_envs: int = 1
    """N: environments a run."""
    rollout_length: int = 10
    """Steps of every environment between two learning phases; a table learns at every step."""
    updates_per_rollout: int = 1
    """Gradient steps a learning phase."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the Q-network; none makes it linear."""
    num_heads: int = 1
    """H: Q-networks of a run, which act by their mean; schedules may go by how they differ."""
    buffer_size: int = 10_000
    """Transitions that are kept a run; a multiple of `num_envs`."""
    batch_size: int = 64
    """Transitions a gradient step."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm."""
    optimism: float = 0.0
    """Initial value of every action, of a network."""
    learning_rate: float = 1e-3
    """Of Adam, or of the table."""
    gamma: float = 0.99
    """Discount."""
    tau: float = 0.05
    """Share of the network that enters the target network at each gradient step."""
    epsilon: float = 0.1
    """Final probability of a random action."""
    epsilon_steps: float = 10_000.0
    """Environment steps a run over which it falls from 1 to `epsilon`."""
    epsilons: tuple[float, ...] = ()
    """If any, the probability is these, an episode each, and then the last for ever."""
    illegal: str = "masked"
    """What keeps the primary from illegal actions: they are `"masked"`, or an illegal choice is
    `"redrawn"` among the legal ones, as the paper's code does."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        super().__post_init__()
        require_one_of("keep", self.keep, KEEP)
        require_one_of("eligible", self.eligible, ELIGIBLE)
        require_one_of("primary", self.primary, PRIMARIES)
        require_one_of("illegal", self.illegal, ILLEGAL)
        counts = ("num_envs", "rollout_length", "updates_per_rollout", "batch_size")
        counts += ("memory_size", "num_heads")
        require_above_0(self, *counts, "learning_rate", "max_grad_norm", "epsilon_steps")
        require_above_0(self, "hidden_sizes")
        require_finite(self, "optimism", "learning_rate", "completer_temperature")
        require_fraction(self, "gamma", "tau", "epsilon", "completer_epsilon")
        if self.completer_temperature < 0:
            raise InvalidInput(
                f"completer_temperature is {self.completer_temperature:g}; it must be 0 or above"
            )
        if self.primary == TABLE and self.num_heads > 1:
            raise InvalidInput(
                f"num_heads is {self.num_heads}, and primary is 'table', which has one; right: "
                "primary=network"
            )
        if bad := [x for x in self.epsilons if not 0 <= x <= 1]:
            raise InvalidInput(f"epsilons has {bad[0]:g}; each must lie in [0, 1]")
        if self.buffer_size < self.num_envs or self.buffer_size % self.num_envs:
            raise InvalidInput(
                f"buffer_size is {self.buffer_size}; it must be a multiple of "
                f"num_envs = {self.num_envs}"
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`."""
        return self.num_envs * self.rollout_length

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `LaGRConfig`."""

    learning_rate: jax.Array
    gamma: jax.Array
    tau: jax.Array
    epsilon: jax.Array
    epsilon_steps: jax.Array
