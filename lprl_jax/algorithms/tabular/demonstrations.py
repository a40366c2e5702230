"""States that a demonstrator meets, and what is right there: of worlds that know it by themselves.

Where states can be gone through, `optimal_actions` plans instead.
"""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import TextEnvParams

MOST_RANDOM = 0.7
"""The share of an episode's actions that are random is uniform from 0 to this."""


def met(
    env: Any,
    key: chex.PRNGKey,
    params: TextEnvParams,
    instance: jax.Array,
    num_states: int,
    most_before: int = 0,
) -> tuple[Any, jax.Array]:
    """States of an episode `[S, ...]`, one behind the other, and what is right there, `bool[S, A]`.

    Behind the episode's end nothing is right.

    Args:
        env: A `TextEnv` that is `Demonstrated`.
        key: Random key.
        params: With the bank.
        instance: `i32[]`
        num_states: S.
        most_before: Before the first of them there are up to so many random actions: none in half
            of the episodes, and any number as likely in the others.
    """
    key_start, key_before, key_random, key_steps = jax.random.split(key, 4)
    random = jax.random.uniform(key_random, maxval=MOST_RANDOM)

    def step(state: Any, key: chex.PRNGKey) -> tuple[Any, tuple[Any, jax.Array]]:
        key_mix, key_act, key_step = jax.random.split(key, 3)
        right = env.right_actions(state, params)
        anyhow = jax.random.bernoulli(key_mix, random) | ~jnp.any(right)
        among = jnp.where(anyhow, env.action_mask(state, params), right)
        action = jax.random.categorical(key_act, jnp.where(among, 0.0, -jnp.inf))
        _, after, _, _, _ = env.step_env(key_step, state, action, params)
        over = env.is_terminated(state, params)
        after = jax.tree.map(lambda new, old: jnp.where(over, old, new), after, state)
        return after, (state, right)

    def wander(i: int | jax.Array, state: Any) -> Any:
        key_act, key_step = jax.random.split(keys[i])
        legal = env.action_mask(state, params)
        action = jax.random.categorical(key_act, jnp.where(legal, 0.0, -jnp.inf))
        _, after, _, _, _ = env.step_env(key_step, state, action, params)
        stays = (i >= before) | env.is_terminated(state, params)
        return jax.tree.map(lambda new, old: jnp.where(stays, old, new), after, state)

    start = env.initial_state(key_start, instance, params)
    if most_before:
        key_count, key_before = jax.random.split(key_before)
        before = jax.random.randint(key_count, (), -most_before, most_before + 1)
        keys = jax.random.split(key_before, most_before)
        start = jax.lax.fori_loop(0, most_before, wander, start)
    return jax.lax.scan(step, start, jax.random.split(key_steps, num_states))[1]
