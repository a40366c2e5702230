"""What the tests of the worlds with a pattern share: to follow completions."""

import jax
import jax.numpy as jnp
import numpy as np


def followed(env, params, completion, start, num_steps):
    """`(state, action, reward, ended)`, leaves `[B, T, ...]`, of B completions `i32[B, n]`.

    States are those acted in, from `start` on. After the end nothing changes, and nothing is paid.
    """

    def one(completion, start, key):
        def step(carry, key):
            state, over = carry
            action = env.follow(completion, state, params)
            _, after, reward, ended, _ = env.step_env(key, state, action, params)
            after = jax.tree.map(lambda x, y: jnp.where(over, x, y), state, after)
            ended |= over
            return (after, ended), (state, action, jnp.where(over, 0.0, reward), ended)

        carry = start, env.is_terminated(start, params)
        return jax.lax.scan(step, carry, jax.random.split(key, num_steps))[1]

    keys = jax.random.split(jax.random.key(0), len(completion))
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(completion, start, keys))


def repeated(state, num):
    """The same state in every row, `[num, ...]`."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (num, *x.shape)), state)
