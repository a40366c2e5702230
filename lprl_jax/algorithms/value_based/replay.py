"""A ring of transitions for R runs, as arrays.

All runs write at the same place, so the write is one slice update and its index is not batched.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp


class Replay(NamedTuple):
    """Items of R runs."""

    items: Any
    """Pytree of `[R, capacity, ...]` arrays."""
    num_added: jax.Array
    """i32[]: items added to each run so far; more than the capacity, once the ring is full."""


def init(item: Any, num_runs: int, capacity: int) -> Replay:
    """An empty ring for items like this one (one item's arrays or shapes)."""

    def empty(leaf: Any) -> jax.Array:
        return jnp.zeros((num_runs, capacity, *leaf.shape), leaf.dtype)

    return Replay(jax.tree.map(empty, item), jnp.int32(0))


def add(replay: Replay, items: Any) -> Replay:
    """Add N items a run, `[R, N, ...]`; the capacity is a multiple of N."""
    capacity = jax.tree.leaves(replay.items)[0].shape[1]
    count = jax.tree.leaves(items)[0].shape[1]
    start = replay.num_added % capacity

    def write(ring: jax.Array, new: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_slice_in_dim(ring, new, start, axis=1)

    return Replay(jax.tree.map(write, replay.items, items), replay.num_added + count)


def sample(replay: Replay, keys: chex.PRNGKey, batch_size: int) -> Any:
    """Uniformly, with replacement: `[R, batch_size, ...]`; `keys [R]`."""
    capacity = jax.tree.leaves(replay.items)[0].shape[1]
    size = jnp.minimum(replay.num_added, capacity)

    def draw(key: chex.PRNGKey, items: Any) -> Any:
        index = jax.random.randint(key, (batch_size,), 0, size, dtype=jnp.int32)
        return jax.tree.map(lambda leaf: leaf[index], items)

    return jax.vmap(draw)(keys, replay.items)
