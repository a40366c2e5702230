"""What the tests of the two pattern environments share: rollouts, and laws as arrays."""

import jax
import jax.numpy as jnp
import numpy as np


def play(env, params, num_envs, num_steps, act):
    """Random steps with auto-reset, `[num_envs, num_steps, ...]`; acts with that probability."""

    def step(state, key):
        key_action, key_step = jax.random.split(key)
        action = jax.random.bernoulli(key_action, act).astype(jnp.int32)
        _, after, reward, terminated, truncated, info = env.step(key_step, state, action, params)
        seen = {"state": state, "final": info["final_state"], "action": action}
        return after, seen | {"reward": reward, "terminated": terminated, "truncated": truncated}

    def one(key):
        key_reset, key_steps = jax.random.split(key)
        _, state = env.reset(key_reset, params)
        return jax.lax.scan(step, state, jax.random.split(key_steps, num_steps))[1]

    seen = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), num_envs))
    return jax.tree.map(np.asarray, seen)


def take(tree, place):
    """The leaves' entries at that place."""
    return jax.tree.map(lambda x: x[place], tree)


def law(env, params):
    """`(prob, next index, reward, terminated)`, `[S, 2, K]`, of the first instance."""

    def outcomes(index, action):
        state = env.state_at(jnp.int32(0), index, params)
        prob, after, reward, terminated = env.transitions(state, action, params)
        return prob, jax.vmap(env.state_index, (0, None))(after, params), reward, terminated

    over_actions = jax.vmap(outcomes, (None, 0))
    found = jax.jit(jax.vmap(over_actions, (0, None)))(jnp.arange(env.num_states), jnp.arange(2))
    return jax.tree.map(np.asarray, found)
