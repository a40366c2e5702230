"""Track: a small continuous world with a text, whose states are real numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import spaces
from lprl_envs import (
    InvalidInput,
    Literal,
    Scope,
    Slot,
    Template,
    TextEnv,
    TextEnvParams,
    TextEnvState,
    content_hash,
)

STUCK = 0.25
"""Probability that the wheels do not turn."""


@struct.dataclass(kw_only=True)
class State(TextEnvState):
    at: jax.Array
    """f32[2]: where the car is, in [0, 1], and where its load is."""


class Track(TextEnv[State, TextEnvParams]):
    """A car with a load on a sloping track: push both, by two numbers in [-1, 1], to its end."""

    version = 1
    observation = "features"
    config = ()

    @property
    def name(self) -> str:
        return "Track"

    @property
    def template(self) -> Template:
        slopes = Slot("slope", (" falls", " rises"), Scope.INSTANCE)
        places = Slot("place", (" back", " halfway", " ahead", " there"))
        words = Literal("The track"), slopes, Literal(".\nThe car is", Scope.STATE), places
        return Template((*words, Literal(".\nPush", Scope.STATE)))

    def slots(self, state: State, params: TextEnvParams) -> jax.Array:
        rises = (params.bank[state.instance] < 0).astype(jnp.int32)
        place = jnp.clip(jnp.floor(state.at[0] * 3).astype(jnp.int32), 0, 3)
        return jnp.stack([rises, place])

    @property
    def num_actions(self) -> int:
        return 3

    @property
    def action_texts(self) -> tuple[str, ...]:
        return " back", " nothing", " on"

    @property
    def action_words(self) -> np.ndarray:
        return np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], np.float32)

    def action_space(self, params: TextEnvParams | None = None) -> spaces.Box:
        return spaces.Box(-1.0, 1.0, (2,), jnp.float32)

    def initial_state(self, key: Any, instance: Any, params: TextEnvParams) -> State:
        at = jax.random.uniform(key, (2,), jnp.float32, 0.0, 0.3)
        return State(time=jnp.int32(0), instance=jnp.int32(instance), at=at)

    def action_mask(self, state: State, params: TextEnvParams) -> jax.Array:
        return jnp.ones(self.num_actions, bool)

    def is_terminated(self, state: State, params: TextEnvParams) -> jax.Array:
        return state.at[0] >= 1.0

    def is_solved(self, state: State, params: TextEnvParams) -> jax.Array:
        return self.is_terminated(state, params)

    def transitions(self, state: State, action: jax.Array, params: TextEnvParams) -> Any:
        push = jnp.clip(jnp.asarray(action, jnp.float32), -1.0, 1.0)
        force = jnp.stack([push * 0.5, jnp.zeros(2)])
        after = jnp.clip(state.at[None] + force + params.bank[state.instance], 0.0, 1.0)
        over = self.is_terminated(state, params)
        after = jnp.where(over, state.at[None], after)
        states = jax.vmap(lambda at: dataclasses.replace(state, at=at))(after)
        prob = jnp.array([1 - STUCK, STUCK], jnp.float32)
        reward = jnp.where(over, 0.0, after[:, 0] - 0.1 * jnp.sum(push**2))
        return prob, states, reward, jax.vmap(self.is_terminated, (0, None))(states, params)

    def step_env(self, key: Any, state: State, action: Any, params: TextEnvParams) -> Any:
        prob, states, reward, terminated = self.transitions(state, action, params)
        row = jax.random.categorical(key, jnp.log(prob))
        after = jax.tree.map(lambda x: x[row], states)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, action, params), after, reward[row], terminated[row], {}

    @property
    def num_features(self) -> int:
        return 3

    def features(self, state: State, params: TextEnvParams) -> jax.Array:
        slope = (params.bank[state.instance] + 1.0) / 2.0
        return jnp.append(state.at, slope).astype(jnp.float32)

    def state_space(self, params: TextEnvParams) -> spaces.Dict:
        own = spaces.Box(0.0, 1.0, (2,), jnp.float32)
        return spaces.Dict({**super().state_space(params).spaces, "at": own})

    # -- instances: how steep it is ------------------------------------------------------------

    def identity(self, instance: Any) -> jax.Array:
        return (instance < 0).astype(jnp.int32)[None]

    def held_out(self, instance: Any) -> jax.Array:
        return instance < 0

    def split_hash(self, instance: Any) -> jax.Array:
        return content_hash(self.identity(instance))

    @property
    def default_params(self) -> TextEnvParams:
        return self.params_of([0.1, -0.1])

    def params_of(self, instances: Sequence[float]) -> TextEnvParams:
        return TextEnvParams.of_all(jnp.array(instances, jnp.float32), 20)

    def sample_params(self, key: Any, num_instances: int, split: str | None = None) -> Any:
        if split not in (None, "train", "held-out"):
            raise InvalidInput(f"unknown split {split!r}")
        slope = jax.random.uniform(key, (num_instances,), jnp.float32, -0.2, 0.2)
        slope = slope if split is None else jnp.abs(slope) * (1 if split == "train" else -1)
        return TextEnvParams.of_all(slope, 20)
