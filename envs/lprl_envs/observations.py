"""Observations of a `TextEnv` in each of its modes, and the space that they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from gymnax.environments import spaces

if TYPE_CHECKING:
    from lprl_envs.text_env import TextEnv


def observe(env: TextEnv[Any, Any], state: Any, params: Any) -> jax.Array:
    """A state in the environment's mode."""
    if env.observation == "tokens":
        return env.template.number_words(env.slots(state, params))
    if env.observation == "features":
        return env.features(state, params)
    index = env.state_index(state, params)
    if env.observation == "index":
        return index
    return jax.nn.one_hot(index, env.numbered_states, dtype=jnp.float32)


def space_of(env: TextEnv[Any, Any]) -> spaces.Space:
    """What `observe` gives."""
    if env.observation == "index":
        return spaces.Discrete(env.numbered_states)
    if env.observation == "tokens":
        last = env.template.num_words - 1
        return spaces.Box(0, last, (env.template.num_slots,), jnp.int32)
    width = env.num_features if env.observation == "features" else env.numbered_states
    return spaces.Box(0.0, 1.0, (width,), jnp.float32)
