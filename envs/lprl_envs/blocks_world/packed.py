"""Instances in few words: a step looks up one or two, and not two numbers a block.

Every block takes four bits of a row `u32[w]`: first of the goal, in which blocks that the instance
lacks are marked, then of the initial state.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from lprl_envs.blocks_world.rules import ABSENT, NONE
from lprl_envs.parts.batch_last import batch_last

BITS = 4
"""From ABSENT to the last of 12 blocks there are 15 numbers."""
A_WORD = 32 // BITS


def rows_of(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`u32[M, w]` of a bank's `on` and `goal`, `i32[M, n]`."""
    fields = jnp.concatenate([jnp.where(on == ABSENT, ABSENT, goal), on], axis=-1) - ABSENT
    padded = jnp.pad(fields.astype(jnp.uint32), [(0, 0), (0, -fields.shape[-1] % A_WORD)])
    words = padded.reshape(len(fields), -1, A_WORD)
    places = jnp.arange(A_WORD, dtype=jnp.uint32)[None, None] * BITS
    return jnp.sum(words << places, axis=-1, dtype=jnp.uint32)


def goal_of(rows: jax.Array, instance: jax.Array, num_blocks: int) -> tuple[jax.Array, jax.Array]:
    """The goal `i32[n]` of a row, and which blocks the instance lacks, `bool[n]`."""
    wanted = _fields(rows, instance, 0, num_blocks)
    return jnp.where(wanted == ABSENT, NONE, wanted), wanted == ABSENT


def start_of(rows: jax.Array, instance: jax.Array, num_blocks: int) -> jax.Array:
    """The initial state `i32[n]` of a row."""
    return _fields(rows, instance, num_blocks, 2 * num_blocks)


def _fields(rows: jax.Array, instance: jax.Array, start: int, end: int) -> jax.Array:
    words = range(start // A_WORD, -(-end // A_WORD))
    first = words[0] * A_WORD
    return unpacked(start - first, end - first)(jnp.stack([rows[instance, w] for w in words]))


@functools.cache
def unpacked(start: int, end: int) -> Callable[[jax.Array], jax.Array]:
    """A function from words `u32[w]` to those of their fields, `i32[end - start]`."""

    @batch_last
    def unpack(words: jax.Array) -> jax.Array:
        field = jnp.arange(start, end, dtype=jnp.uint32).reshape(-1, *[1] * (words.ndim - 1))
        word = words[:1]
        for number in range(1, len(words)):
            word = jnp.where(field >= number * A_WORD, words[number : number + 1], word)
        return ((word >> field % A_WORD * BITS) & 15).astype(jnp.int32) + ABSENT

    return unpack
