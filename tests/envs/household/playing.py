"""Random play, legal or not, in random rooms: worked out once a configuration, and on the host."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import Household

NUM_ROOMS, NUM_STEPS = 48, 50
ILLEGAL = -0.25


@functools.cache
def environment(room, commands="physical"):
    return Household(room, commands, illegal_reward=ILLEGAL)


@functools.cache
def bank(room, num=NUM_ROOMS):
    return environment(room).sample_params(jax.random.key(3), num)


@functools.cache
def played(room, commands="physical"):
    """`(states, masks, actions, afters, rewards, ends)`, `[rooms, steps, ...]`; a tenth illegal.

    Nothing is reset: play goes on behind a goal.
    """
    env, params = environment(room, commands), bank(room)

    def step(state, key):
        key_action, key_any, key_step = jax.random.split(key, 3)
        mask = env.action_mask(state, params)
        is_any = jax.random.uniform(key_any) < 0.1
        action = jax.random.categorical(key_action, jnp.where(mask | is_any, 0.0, -jnp.inf))
        _, after, reward, ended, _ = env.step_env(key_step, state, action, params)
        return after, (state, mask, action, after, reward, ended)

    def play(instance, key):
        start = env.initial_state(key, instance, params)
        return jax.lax.scan(step, start, jax.random.split(key, NUM_STEPS))[1]

    keys = jax.random.split(jax.random.key(0), NUM_ROOMS)
    found = jax.jit(jax.vmap(play))(jnp.arange(NUM_ROOMS, dtype=jnp.int32), keys)
    return jax.device_get(found)


def row(tree, *place):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[place], tree)


def flat(tree):
    """`[rooms * steps, ...]`."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tree)
