"""Observations of a `TextEnv` in each of its modes, and the space that they lie in."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.errors import InvalidInput, require_one_of
from lprl_envs.template import Template

OBSERVATIONS = ("index", "onehot", "features", "tokens")
"""What `observe` gives: the state's index i32[], that as f32[num_states], f32[num_features], or
i32[num_slots], the words of the state's text, numbered by the template's vocabulary."""


def require_mode(observation: str, is_numbered: bool, limit: str) -> None:
    """Raise InvalidInput unless this is a mode, and one for which the states may be too many.

    Args:
        observation: To be one of OBSERVATIONS.
        is_numbered: Whether states have an index.
        limit: Continues "observation 'index'" where they have none: what would be right.
    """
    require_one_of("observation", values.text("observation", observation), OBSERVATIONS)
    if observation in ("index", "onehot") and not is_numbered:
        raise InvalidInput(f"observation {observation!r} {limit}")


class Observed(Protocol):
    """What observing needs of an environment: members of `TextEnv`."""

    observation: str
    """One of OBSERVATIONS."""

    @property
    def template(self) -> Template:
        """How a state reads."""
        ...

    @property
    def numbered_states(self) -> int:
        """How many states an instance has; raises where they are not numbered."""
        ...

    @property
    def num_features(self) -> int:
        """Length of `features`."""
        ...

    def slots(self, state: Any, params: Any) -> jax.Array:
        """`i32[num_slots]`"""
        ...

    def state_index(self, state: Any, params: Any) -> jax.Array:
        """`i32[]`"""
        ...

    def features(self, state: Any, params: Any) -> jax.Array:
        """`f32[num_features]`"""
        ...


def observe(env: Observed, state: Any, params: Any) -> jax.Array:
    """A state in the environment's mode."""
    if env.observation == "tokens":
        return env.template.number_words(env.slots(state, params))
    if env.observation == "features":
        return env.features(state, params)
    index = env.state_index(state, params)
    if env.observation == "index":
        return index
    return jax.nn.one_hot(index, env.numbered_states, dtype=jnp.float32)


def space_of(env: Observed) -> spaces.Space:
    """What `observe` gives."""
    if env.observation == "index":
        return spaces.Discrete(env.numbered_states)
    if env.observation == "tokens":
        last = env.template.num_words - 1
        return spaces.Box(0, last, (env.template.num_slots,), jnp.int32)
    width = env.num_features if env.observation == "features" else env.numbered_states
    return spaces.Box(0.0, 1.0, (width,), jnp.float32)


def state_space(params: Any) -> spaces.Dict:
    """Of the fields that every state has."""
    num_instances = jax.tree.leaves(params.bank)[0].shape[0]
    limit = int(params.max_steps_in_episode)
    return spaces.Dict(
        {"time": spaces.Discrete(limit + 1), "instance": spaces.Discrete(num_instances)}
    )
