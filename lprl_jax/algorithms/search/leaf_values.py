"""What the end of a path is worth: the environment's own rule, or roll-outs of the prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.asking import Asker
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.search.levels import Nodes, levels_of, over_nodes, rows_of
from lprl_jax.priors.base import Counters
from lprl_jax.priors.sampling import sample_proposals

Value = Callable[[chex.PRNGKey, Nodes, Data, Counters], tuple[jax.Array, jax.Array, Counters]]
"""`(key, leaves [W, B], data, carry) -> (values f32[W, B], valuations i32[B], carry)`"""


def known() -> Value:
    """The heuristic, where it proposed the leaves and so is known."""

    def value(
        key: chex.PRNGKey, leaves: Nodes, data: Data, carry: Counters
    ) -> tuple[jax.Array, jax.Array, Counters]:
        return leaves.value, jnp.zeros(leaves.value.shape[1], jnp.int32), carry

    return value


def heuristic(env: Env) -> Value:
    """The environment's heuristic, of every leaf."""

    def value(
        key: chex.PRNGKey, leaves: Nodes, data: Data, carry: Counters
    ) -> tuple[jax.Array, jax.Array, Counters]:
        values = over_nodes(env.heuristic)(leaves.state, data.env_params)
        return values, jnp.sum(leaves.is_there, axis=0, dtype=jnp.int32), carry

    return value


def rollouts(env: Env, asker: Asker, num: int, length: int, gamma: float) -> Value:
    """The path's own return, and behind it the mean return of `num` roll-outs of the prior.

    A roll-out goes on for `length` actions, or to a state that is solved or terminal. From a leaf
    at which the search is over there is none.
    """

    def follow(state: Any, action: jax.Array, env_params: Any) -> tuple[Any, jax.Array, jax.Array]:
        _, states, rewards, terminated = env.transitions(state, action, env_params)
        after = jax.tree.map(lambda x: x[0], states)
        return after, rewards[0], terminated[0] | env.is_solved(after, env_params)

    def value(
        key: chex.PRNGKey, leaves: Nodes, data: Data, carry: Counters
    ) -> tuple[jax.Array, jax.Array, Counters]:
        starts = leaves.is_there & ~leaves.is_over
        states = jax.tree.map(lambda x: jnp.repeat(x, num, axis=0), rows_of(leaves.state))

        def step(loop: tuple[Any, ...], now: tuple[Any, Any]) -> tuple[tuple[Any, ...], None]:
            states, playing, total, carry = loop
            key, discount = now
            told, carry = asker.ask(data, carry, states, playing)
            action = sample_proposals(key, told.log_probs, 1)[:, 0]
            after, reward, is_over = jax.vmap(follow, in_axes=(0, 0, None))(
                states, action, data.env_params
            )
            total += jnp.where(playing, discount * reward, 0.0)
            return (after, playing & ~is_over, total, carry), None

        playing = jnp.repeat(rows_of(starts), num)
        start = states, playing, jnp.zeros(playing.shape, jnp.float32), carry
        steps = jax.random.split(key, length), gamma ** jnp.arange(length, dtype=jnp.float32)
        (_, _, total, carry), _ = jax.lax.scan(step, start, steps)
        behind = levels_of(jnp.mean(total.reshape(-1, num), axis=1), starts.shape[1])
        values = leaves.returns + gamma**leaves.length * behind
        return values, jnp.sum(starts, axis=0, dtype=jnp.int32), carry

    return value
