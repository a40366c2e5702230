"""States of Blocks World: drawn uniformly in the graph, and numbered where they are few.

How many states there are: take n blocks that float, next to k stacks that stand on the table. The
first floating tower is set on the table, or on one of the n - 1 + k other towers. Every state comes
about in exactly one way, so for their number g holds

    g(n, k) = g(n - 1, k + 1) + (n - 1 + k) g(n - 1, k),        g(0, k) = 1.

Drawing each placement in proportion to the states that it leaves open is therefore uniform over
states (Slaney & Thiébaux 2001, "Blocks World revisited").
"""

from __future__ import annotations

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.blocks_world.rules import ABSENT, HAND, TABLE

MOST_NUMBERED = 6
"""Blocks of which states are numbered: 7,057 states."""


@functools.cache
def num_extensions(floating: int, stacks: int) -> int:
    """g(n, k) from above: states with the hand empty that grow out of n floating blocks."""
    if floating == 0:
        return 1
    others = floating - 1 + stacks
    on_others = others * num_extensions(floating - 1, stacks)
    return num_extensions(floating - 1, stacks + 1) + on_others


def count_states(num_blocks: int) -> int:
    """How many states there are, those with a block in the hand included."""
    return num_extensions(num_blocks, 0) + num_blocks * num_extensions(num_blocks - 1, 0)


@functools.cache
def _chances(num_blocks: int) -> np.ndarray:
    """`f32[i, k]`: how likely block i goes on each other tower, where k stacks stand already."""
    chance = np.zeros((num_blocks, num_blocks), np.float32)
    for i in range(num_blocks):
        floating = num_blocks - i
        for k in range(i + 1):
            chance[i, k] = num_extensions(floating - 1, k) / num_extensions(floating, k)
    return chance


def random_state(key: chex.PRNGKey, num_blocks: int) -> jax.Array:
    """`i32[n]`: uniform over the states with the hand empty."""
    blocks = jnp.arange(num_blocks, dtype=jnp.int32)

    def place(carry: tuple[jax.Array, jax.Array], now: Any) -> tuple[Any, None]:
        on, top = carry  # `top[b]`: the uppermost block of the tower whose lowest is b
        block, uniform, chance = now
        stands = (blocks < block) & (on == TABLE)
        is_other = stands | (blocks > block)
        # The other towers, one after the other, take `chance` each of [0, 1), the table the rest.
        rank = (uniform / chance[jnp.sum(stands)]).astype(jnp.int32)
        tower = jnp.argmax(jnp.cumsum(is_other) > rank)
        goes_up = rank < jnp.sum(is_other)
        on = jnp.where(goes_up & (blocks == block), top[tower], on)
        top = jnp.where(goes_up & (blocks == tower), top[block], top)
        return (on, top), None

    uniforms = jax.random.uniform(key, (num_blocks,), dtype=jnp.float32)
    start = jnp.full(num_blocks, TABLE, jnp.int32), blocks
    rows = blocks, uniforms, jnp.asarray(_chances(num_blocks))
    return jax.lax.scan(place, start, rows)[0][0]


# -- numbers -------------------------------------------------------------------------------------
# A state's code has a digit a block, HAND to n - 1, the first block's first. Its number is how
# many codes of states come before.


@functools.cache
def _numbering(num_blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of every code, `i32[(n + 2)^n]`, and the states in order, `i32[S, n]`."""
    base = (num_blocks + 2,) * num_blocks
    digits = np.unravel_index(np.arange(np.prod(base)), base)
    on = np.stack(digits, axis=1).astype(np.int32) + HAND
    valid = (on == HAND).sum(1) <= 1
    below = np.tile(np.arange(num_blocks), (len(on), 1))
    for block in range(num_blocks):
        valid &= (on == block).sum(1) <= (on[:, block] != HAND)
        below = np.where(below < 0, below, np.take_along_axis(on, np.maximum(below, 0), 1))
    valid &= (below < 0).all(1)  # n steps down from every block end below the blocks
    return np.cumsum(valid, dtype=np.int32) - 1, on[valid]


def number_state(on: jax.Array) -> jax.Array:
    """`i32[]` in `[0, count_states(n))`; an absent block counts as lying on the table."""
    n = on.size
    worth = jnp.asarray((n + 2) ** np.arange(n - 1, -1, -1), jnp.int32)
    code = jnp.sum((jnp.where(on == ABSENT, TABLE, on) - HAND) * worth)
    return jnp.asarray(_numbering(n)[0])[code]


def numbered_state(number: jax.Array | int, num_blocks: int) -> jax.Array:
    """`i32[n]`: the inverse of `number_state`, no block absent."""
    return jnp.asarray(_numbering(num_blocks)[1])[number]


@functools.cache
def with_empty_hand(num_blocks: int) -> np.ndarray:
    """`i32[E]`: the numbers of the states with an empty hand."""
    return np.flatnonzero((_numbering(num_blocks)[1] != HAND).all(1)).astype(np.int32)
