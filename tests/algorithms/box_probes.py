"""BoxMDP: a finite process acted in by points of a box, and the probes that make sense there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from algorithms.probes import END, State, TabularMDP
from gymnax.environments import spaces
from lprl_envs import TextEnvParams

LOW, HIGH = np.array([-1.0, 0.0], np.float32), np.array([3.0, 0.5], np.float32)
"""The box: two numbers, neither of a range around 0."""


class Places(NamedTuple):
    """One process of S places, without chance. Where one is led, no action decides."""

    next_state: np.ndarray
    """i32[S]; `END` terminates."""
    reward: np.ndarray
    """f32[S]: of the best action."""
    weight: np.ndarray
    """f32[S]: what is lost by the square of the distance from it, in half boxes."""
    best: np.ndarray
    """f32[S, 2]: that action, as a point of [-1, 1]²."""
    starts: np.ndarray
    """i32[2]: an episode starts on either."""


def places(
    next_state: Sequence[int],
    reward: Sequence[float],
    weight: Sequence[float] = (0, 0),
    best: Sequence[Sequence[float]] = ((0, 0), (0, 0)),
    starts: tuple[int, int] = (0, 0),
) -> Places:
    whole, real = (lambda x: np.array(x, np.int32)), (lambda x: np.array(x, np.float32))
    return Places(whole(next_state), real(reward), real(weight), real(best), whole(starts))


class BoxMDP(TabularMDP):
    """A bank of processes of one size; `TabularMDP` otherwise. Two words: the least, the most."""

    def __init__(self, num_places: int):
        super().__init__(num_places, 2)

    @property
    def name(self) -> str:
        return "BoxMDP"

    @property
    def default_params(self) -> TextEnvParams:
        none = [0] * self.num_places
        return self.params_of([places(none, none, none, [(0, 0)] * self.num_places)])

    def params_of(self, instances: Sequence[Any], max_steps: int = 100) -> TextEnvParams:
        return super().params_of(instances, max_steps)

    def action_space(self, params: Any = None) -> spaces.Box:
        return spaces.Box(jnp.asarray(LOW), jnp.asarray(HIGH), (2,), jnp.float32)

    @property
    def action_words(self) -> np.ndarray:
        return np.stack([LOW, HIGH])

    def action_mask(self, state: State, params: TextEnvParams) -> jax.Array:
        return jnp.ones(2, bool)

    def transitions(self, state: State, action: Any, params: TextEnvParams) -> Any:
        own, ended = jax.tree.map(lambda x: x[state.instance], params.bank), state.place
        ended = self.is_terminated(state, params)
        best = LOW + (own.best[state.place] + 1.0) * (HIGH - LOW) / 2.0
        away = (jnp.clip(action, LOW, HIGH) - best) * 2.0 / (HIGH - LOW)
        reward = own.reward[state.place] - own.weight[state.place] * jnp.sum(away**2)
        place = own.next_state[state.place]
        over = ended | (place == END)
        after = dataclasses.replace(state, place=jnp.where(over, self.num_places, place))
        reward = jnp.where(ended, 0.0, reward)
        return jnp.ones(1), jax.tree.map(lambda x: x[None], after), reward[None], over[None]


# Two places: what a learner must be able to do. Which of several legal actions is the best, and
# which are illegal, are no questions here.
_BEST = ((0.5, -0.5), (-0.25, 0.5))
BOX_PROBES = {
    "a constant": places([END, END], [1, 0]),
    "by observation": places([END, END], [1, -1], starts=(0, 1)),
    "discounting": places([1, END], [0, 1]),
    "by action": places([END, END], [1, 0], [1, 0], _BEST),
    "by both": places([END, END], [1, 0], [1, 1], _BEST, starts=(0, 1)),
    "which bootstrap": places([1, END], [0, 1], [0, 2], _BEST),
    "time limit": places([0, END], [1, 0]),
}
