"""Where the legal actions of a state lead: what a search asks of any environment.

Environments with a quicker way have their own: `TextEnv.legal_actions` and its neighbours.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lprl_envs.text_env_data import Successor


def legal_actions(env: Any, state: Any, params: Any) -> tuple[jax.Array, jax.Array]:
    """See `TextEnv.legal_actions`: by the actions' numbers."""
    mask = env.action_mask(state, params)
    if env.max_legal == env.num_actions:
        return jnp.arange(env.num_actions, dtype=jnp.int32), mask
    (actions,) = jnp.nonzero(mask, size=env.max_legal, fill_value=0)
    count = jnp.sum(mask, dtype=jnp.int32)
    return actions.astype(jnp.int32), jnp.arange(env.max_legal, dtype=jnp.int32) < count


def successor(env: Any, state: Any, place: jax.Array, params: Any) -> Successor:
    """See `TextEnv.successor`: the first outcome of the law."""
    action = env.legal_actions(state, params)[0][place]
    _, states, rewards, terminated = env.transitions(state, action, params)
    after = jax.tree.map(lambda x: x[0], states)
    is_solved = env.is_solved(after, params)
    return Successor(action, after, rewards[0], is_solved, is_solved | terminated[0])


def look_ahead(env: Any, state: Any, params: Any) -> tuple[jax.Array, jax.Array]:
    """See `TextEnv.look_ahead`."""

    def look(place: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = env.successor(state, place, params)
        return env.heuristic(found.state, params), found.is_solved

    _, is_any = env.legal_actions(state, params)
    values, solved = jax.vmap(look)(jnp.arange(env.max_legal, dtype=jnp.int32))
    return jnp.where(is_any, values, -jnp.inf), is_any & solved
