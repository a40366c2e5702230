"""Actions at random, numbered or points of a box, by one signature."""

from __future__ import annotations

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp

from lprl_envs.actions import bounds
from lprl_envs.text_env import TextEnv


def num_weights(env: TextEnv[Any, Any]) -> int:
    """Numbers that make an action: A, or the d of a box."""
    space: Any = env.action_space()
    return space.shape[0] if env.is_continuous else env.num_actions


def action_of(env: TextEnv[Any, Any], weights: jax.Array, state: Any, params: Any) -> jax.Array:
    """The action that `f32[num_weights]` in [0, 1) make: if they are random, so is it.

    Of numbered ones the legal one of largest weight; in a box the point so far from the lowest.
    """
    if env.is_continuous:
        low, high = bounds(env, params)
        return low + weights * (high - low)
    legal = env.action_mask(state, params)
    return jnp.argmax(jnp.where(legal, weights, -1.0)).astype(jnp.int32)


def walk(env: TextEnv[Any, Any], keys: chex.PRNGKey, instance: jax.Array, params: Any) -> Any:
    """States `[len(keys) - 1]` that random legal actions meet; after an end they start again."""

    def step(state: Any, key: jax.Array) -> tuple[Any, Any]:
        key_action, key_step = jax.random.split(key)
        weights = jax.random.uniform(key_action, (num_weights(env),))
        action = action_of(env, weights, state, params)
        _, after, _, ended, _ = env.step_env(key_step, state, action, params)
        after = jax.tree.map(lambda x, y: jnp.where(ended, x, y), start, after)
        return dataclasses.replace(after, time=jnp.int32(0)), state

    start = env.initial_state(keys[0], instance, params)
    return jax.lax.scan(step, start, keys[1:])[1]
