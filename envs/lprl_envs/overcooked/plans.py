"""Shortest plans in macros, from every state of a kitchen: the demonstrator of the embedded model.

The distances to a delivery, by backups over all states at once. How far the agent walks within a
macro does not count, and so neither does what is paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from lprl_envs.overcooked.states import EnvParams

if TYPE_CHECKING:
    from lprl_envs.overcooked.env import Overcooked

FARTHEST = 64
"""More macros than any shortest plan takes; also where the dish cannot be delivered any more."""


def macros_left(
    env: Overcooked, params: EnvParams, instance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Macros to the delivery, `i32[num_states]`, 0 once it is done, and those after each macro.

    The second is `i32[num_states, num_macros]`.

    Args:
        env: The world.
        params: With the bank.
        instance: `i32[]`: which kitchen of it.
    """
    numbers = jnp.arange(env.num_states, dtype=jnp.int32)
    macros = jnp.arange(env.kind.num_macros, dtype=jnp.int32)

    def outcome(number: jax.Array, macro: jax.Array) -> jax.Array:
        state = env.state_at(instance, number, params)
        return env.state_index(env.outcome(state, macro, params).state, params)

    over_macros = jax.vmap(outcome, (None, 0))
    after = jax.vmap(over_macros, (0, None))(numbers, macros)
    done = jax.vmap(lambda i: env.is_terminated(env.state_at(instance, i, params), params))(numbers)

    def backup(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        left, _ = carry
        nearer = jnp.minimum(1 + jnp.min(left[after], axis=1), FARTHEST)
        nearer = jnp.where(done, 0, nearer)
        return nearer, jnp.any(nearer != left)

    start = jnp.where(done, 0, FARTHEST), jnp.bool_(True)
    left, _ = jax.lax.while_loop(lambda carry: carry[1], backup, start)
    return left, left[after]


def right_actions(
    env: Overcooked, params: EnvParams, instance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The legal wordings of macros that begin a shortest plan, `bool[num_states, A]`, and its
    length `i32[num_states]`. Arguments as of `macros_left`.
    """
    left, after = macros_left(env, params, instance)
    numbers = jnp.arange(env.num_states, dtype=jnp.int32)
    is_open = (left > 0) & (left < FARTHEST)
    leads = (after == left[:, None] - 1) & is_open[:, None]
    legal = jax.vmap(lambda i: env.action_mask(env.state_at(instance, i, params), params))(numbers)
    return legal & leads[:, jnp.asarray(env.macro_of)], left
