"""Schedules by their names, with settings that lie flat in an algorithm's config."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lprl_envs import InvalidInput, values
from lprl_envs.errors import require_one_of

from lprl_jax.algorithms.base import (
    require_above_0,
    require_finite,
    require_fraction,
    require_not_below_0,
)
from lprl_jax.algorithms.schedules import by_values, cost, fixed, seq
from lprl_jax.algorithms.schedules.base import Schedule
from lprl_jax.algorithms.schedules.budget import budgeted
from lprl_jax.field_help import described

THOMPSON, EPSILON = CHOICES = ("thompson", "epsilon")


@described
@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """When to ask. Each schedule reads the settings that its name's line in `SCHEDULES` names."""

    schedule: str = "always"
    """One of `SCHEDULES`."""
    ask_budget: int = 0
    """Queries that a run may make, by all its environments; 0 sets no bound."""
    ask_probability: float = 0.5
    """Of `random`."""
    ask_every: int = 10
    """Of `every`: steps of an environment from one query to the next."""
    ask_first: int = 50
    """Of `first`: steps of an environment in which it asks."""
    ask_decay_steps: float = 1000.0
    """Of `linear_decay`: steps of an environment over which the probability falls from 1 to 0."""
    ask_threshold: float = 0.1
    """Of `importance` and `head_variance`: what must be exceeded."""
    ask_scale: float = 0.1
    """Of `selective_sampling`: the margin at which it asks every other time."""
    ask_percentile: float = 70.0
    """Of `adaptive_percentile`: what must be exceeded, of the last uncertainties."""
    ask_window: int = 200
    """Of `adaptive_percentile`: uncertainties that a run holds."""
    ask_least: int = 50
    """Of `adaptive_percentile`: until so many are held it asks everywhere."""
    ask_uncertainty: str = "margin"
    """Of `adaptive_percentile`: how little the best action's value is ahead, `"margin"`, or the
    variance of an ensemble's, `"heads"`."""
    query_cost: float = 0.5
    """Of `seq` and `seq_network`: the best choice is to ask where the probability of acceptance
    exceeds it. The paper's rewards of ±1 are ½."""
    seq_bins: int = 9
    """Of `seq`: entries of its table, over the fraction that is revealed."""
    seq_choose: str = "thompson"
    """Of `seq`: `"thompson"` sampling of probabilities, or ε-greedy by values, `"epsilon"`."""
    seq_alpha: float = 0.1
    """Of `seq` by `"epsilon"`: the share by which a value moves towards a reward."""
    seq_epsilon: float = 0.05
    """Of `seq` by `"epsilon"`, and of `seq_network`: the final probability of a random choice."""
    seq_epsilon_steps: float = 1000.0
    """Steps of an environment over which it falls from 1 to `seq_epsilon`."""
    seq_epsilon_shared: bool = False
    """Whether it is the primary learner's instead, as in the paper's code of cube stacking."""
    seq_hidden_sizes: tuple[int, ...] = (64,)
    """Of the networks of `seq_network` and `when2ask`; none makes them linear."""
    seq_learning_rate: float = 1e-3
    """Of Adam, of `seq_network` and `when2ask`."""
    query_price: float = 0.01
    """Of `when2ask`: what a query takes off the environment's reward."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_one_of("schedule", self.schedule, SCHEDULES)
        require_one_of("seq_choose", self.seq_choose, CHOICES)
        require_one_of("ask_uncertainty", self.ask_uncertainty, by_values.UNCERTAINTIES)
        require_not_below_0(self, "ask_budget", "ask_first", "ask_least", "query_price")
        require_not_below_0(self, "ask_threshold")
        require_above_0(self, "ask_every", "ask_window", "ask_decay_steps", "ask_scale", "seq_bins")
        require_above_0(self, "seq_epsilon_steps", "seq_learning_rate", "seq_hidden_sizes")
        require_fraction(self, "ask_probability", "query_cost", "seq_alpha", "seq_epsilon")
        require_finite(self, "ask_threshold", "ask_scale", "query_price", "seq_learning_rate")
        if not 0 <= self.ask_percentile <= 100:
            values.refuse("ask_percentile", self.ask_percentile, "it must lie in [0, 100]")
        if self.ask_least > self.ask_window:
            raise InvalidInput(
                f"ask_least is {self.ask_least}; it must be ask_window = {self.ask_window} at most"
            )

    @classmethod
    def of(cls, config: Any) -> ScheduleConfig:
        """The settings among another config's fields, which has them by the same names.

        Raises:
            InvalidInput: if one is not what it should be.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(config, name) for name in names})


def schedule_of(config: Any, num_states: int = 0) -> Schedule:
    """The schedule that a config names, within its budget if there is one.

    Args:
        config: A `ScheduleConfig`, or a config with its fields.
        num_states: Of environments whose observations are indices; they run up to here.

    Raises:
        InvalidInput: if a setting is not what it should be.
    """
    own = ScheduleConfig.of(config)
    schedule = SCHEDULES[own.schedule](own, num_states)
    return budgeted(schedule, own.ask_budget) if own.ask_budget else schedule


def _exploration(config: ScheduleConfig) -> seq.Exploration:
    if config.seq_epsilon_shared:
        return seq.of_primary
    return seq.decaying(config.seq_epsilon, config.seq_epsilon_steps)


def _seq(config: ScheduleConfig, num_states: int) -> Schedule:
    if config.seq_choose == THOMPSON:
        return seq.thompson(config.seq_bins, config.query_cost)
    exploration = _exploration(config)
    return seq.epsilon_greedy(config.seq_bins, config.query_cost, config.seq_alpha, exploration)


SCHEDULES: Mapping[str, Callable[[ScheduleConfig, int], Schedule]] = {
    "never": lambda config, num_states: fixed.never(),
    "always": lambda config, num_states: fixed.always(),
    "random": lambda config, num_states: fixed.random(config.ask_probability),
    "every": lambda config, num_states: fixed.every(config.ask_every),
    "first": lambda config, num_states: fixed.first(config.ask_first),
    "on_change": lambda config, num_states: fixed.on_change(),
    "once": lambda config, num_states: fixed.once(),
    "linear_decay": lambda config, num_states: fixed.linear_decay(config.ask_decay_steps),
    "importance": lambda config, num_states: by_values.importance(config.ask_threshold),
    "selective_sampling": lambda config, num_states: by_values.selective_sampling(config.ask_scale),
    "head_variance": lambda config, num_states: by_values.head_variance(config.ask_threshold),
    "adaptive_percentile": lambda config, num_states: by_values.adaptive_percentile(
        config.ask_window, config.ask_least, config.ask_percentile, config.ask_uncertainty
    ),
    "seq": _seq,
    "seq_network": lambda config, num_states: seq.network(
        config.seq_hidden_sizes,
        config.seq_learning_rate,
        config.query_cost,
        _exploration(config),
        num_states,
    ),
    "when2ask": lambda config, num_states: cost.when2ask(
        config.query_price, config.seq_hidden_sizes, config.seq_learning_rate
    ),
}
"""Each by its config and the number of states."""
