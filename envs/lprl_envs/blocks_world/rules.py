"""The rules of Blocks World: STRIPS with four operators, on one integer a block.

A state is `on: i32[n]`: for every block the block that it lies on, or TABLE, HAND (it is held) or
ABSENT (the instance has fewer blocks). A goal is `i32[n]`: for every block the block that it must
lie on, or NONE.

An action takes one block from where it is to somewhere else, so that it is three integers:

    pick up x             x from the table to the hand
    put down x            x from the hand to the table
    stack x on y          x from the hand to y
    unstack x from y      x from y to the hand
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.parts.batch_last import batch_last

TABLE, HAND, ABSENT = -1, -2, -3
NONE = -1
"""In a goal: the block may lie anywhere."""
MOST_BLOCKS = 12
"""Blocks that there may be."""
Blocks = Sequence[jax.Array]
"""An array a block."""


class Moves(NamedTuple):
    """Grounded actions as moves of one block each; for n blocks there are A = 2 n²."""

    block: np.ndarray
    """i32[A]"""
    source: np.ndarray
    """i32[A]: a block, TABLE or HAND, like `target`."""
    target: np.ndarray
    """i32[A]"""


@functools.cache
def moves(num_blocks: int) -> Moves:
    """All of them: pick up (n), put down (n), stack (n (n - 1)), unstack (n (n - 1))."""
    blocks = range(num_blocks)
    pairs = [(x, y) for x in blocks for y in blocks if x != y]
    rows = [
        *((x, TABLE, HAND) for x in blocks),
        *((x, HAND, TABLE) for x in blocks),
        *((x, HAND, y) for x, y in pairs),
        *((x, y, HAND) for x, y in pairs),
    ]
    return Moves(*np.array(rows, np.int32).T)


def is_clear(on: jax.Array) -> jax.Array:
    """`bool[n]`: whether a block may be laid on it: it is there, not held, and bare."""
    bits = jnp.asarray(1 << np.arange(on.size), jnp.int16)
    return (clear_blocks(shorts(on)) & bits) != 0


@batch_last
def legal_actions(on: jax.Array) -> jax.Array:
    """`bool[A]`; n at most: a move for each clear block, or the table and each clear block."""
    listed = [jnp.asarray(x, jnp.int16).reshape(-1, *[1] * (on.ndim - 1)) for x in moves(len(on))]
    below = pick([x[None] for x in shorts(on)], listed[0])
    clear, holds = _clear_and_held(on)
    return _is_legal(below, clear[None].astype(jnp.int16), holds[None], *listed)


@batch_last
def act(on: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The state after an action `i32[]`, and whether it was legal; an illegal one does nothing."""
    move = packed_moves(len(on))[action].astype(jnp.int32)
    block, source, target = (((move >> shift) & 15) + ABSENT for shift in (0, 4, 8))
    moved = _numbers(on) == block[None]
    below = jnp.max(jnp.where(moved, on, ABSENT), axis=0)
    clear, holds = _clear_and_held(on)
    legal = _is_legal(below, clear, holds, block, source, target)
    return jnp.where(legal[None] & moved, target[None], on), legal


def packed_moves(num_blocks: int) -> jax.Array:
    """`i16[A]`: block, source and target in four bits each: one gather instead of three.

    That, and a bit a block in 16, is enough for the 12 blocks that there may be.
    """
    places = [x - ABSENT for x in moves(num_blocks)]
    return jnp.asarray(sum(x << 4 * i for i, x in enumerate(places)), jnp.int16)


@batch_last
def settle(on: jax.Array, is_missing: jax.Array) -> jax.Array:
    """The state with blocks that an instance lacks, `bool[n]`, ABSENT where they lie on their own.

    Such blocks never move. But where states are numbered, every instance has all numbers, also
    those of states in which a missing block lies in a stack: they are states like others.
    """
    clear, _ = _clear_and_held(on)
    return jnp.where(is_missing & (on == TABLE) & has(clear[None], _numbers(on)), ABSENT, on)


@batch_last
def num_satisfied(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`i32[]`: facts of the goal that hold."""
    met = [((y != NONE) & (x == y)).astype(jnp.int32) for x, y in zip(on, goal, strict=True)]
    return functools.reduce(jnp.add, met)


@batch_last
def is_reached(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`bool[...]`: whether all facts of the goal hold."""
    return jnp.all((goal == NONE) | (on == goal), axis=0)


def features_of(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`f32[n (2 n + 3)]`: one-hots of what is below each block, and of what the goal wants."""
    below = jax.nn.one_hot(on - ABSENT, on.size - ABSENT, dtype=jnp.float32)
    wanted = jax.nn.one_hot(goal, on.size, dtype=jnp.float32)  # all 0 where there is no fact
    return jnp.concatenate([below.ravel(), wanted.ravel()])


# -- sets of blocks as bits; all arrays may have further axes -------------------------------------


def clear_blocks(on: Blocks) -> jax.Array:
    """`i16[...]`: a bit for each block that may be laid upon."""
    there, covered = jnp.int16(0), jnp.int16(0)
    for b, x in enumerate(on):
        there |= jnp.where(x > HAND, jnp.int16(1 << b), jnp.int16(0))  # a block, or TABLE
        covered |= bit_of(x)
    return there & ~covered


def has(mask: jax.Array, block: jax.Array) -> jax.Array:
    """`bool[...]`: whether a mask has the bit of a block; not that of what is none."""
    return (mask & bit_of(block)) != 0


def pick(xs: Sequence[jax.Array | int], place: jax.Array) -> jax.Array:
    """`xs[place]`, without a gather; the first where there is no such place."""
    found = jnp.asarray(xs[0], jnp.int16)
    for i, x in enumerate(xs[1:], 1):
        found = jnp.where(place == i, jnp.asarray(x, jnp.int16), found)
    return found


def bit_of(block: jax.Array) -> jax.Array:
    """The bit of a block; 0 of what is none, for XLA shifts by less than 0 to 0."""
    return jax.lax.shift_left(jnp.ones_like(block), block)


def shorts(on: jax.Array) -> list[jax.Array]:
    """An `i16[...]` a block, of `on [n, ...]`."""
    return [x.astype(jnp.int16) for x in on]


def _is_legal(
    below: jax.Array,
    clear: jax.Array,
    holds: jax.Array,
    block: jax.Array,
    source: jax.Array,
    target: jax.Array,
) -> jax.Array:
    """`bool[...]`: whether moves keep the rules, `below` being what their blocks lie on."""
    takes, lays = ~holds & has(clear, block), (target == TABLE) | has(clear, target)
    return (below == source) & jnp.where(target == HAND, takes, lays)


def _clear_and_held(on: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`clear_blocks` of `on [n, ...]`, and whether the hand holds one, by one reduction.

    A reduction is there before what uses it. What is made of an array a block, XLA would compute
    anew for every block that depends on it.
    """
    held, there, covered = 2 * MOST_BLOCKS, _numbers(on), MOST_BLOCKS + jnp.maximum(on, 0)
    bits = jnp.where(on > HAND, 1 << there, 0)
    bits |= jnp.where(on >= 0, 1 << covered, jnp.where(on == HAND, 1 << held, 0))
    found = jax.lax.reduce_or(bits, axes=(0,))
    clear = found & ~(found >> MOST_BLOCKS) & ((1 << MOST_BLOCKS) - 1)
    return clear, (found >> held) != 0


def _numbers(on: jax.Array) -> jax.Array:
    """`i32[n, 1...]`: the blocks' numbers, to be held against arrays of `on`'s other axes."""
    return jnp.arange(len(on), dtype=jnp.int32).reshape(-1, *[1] * (on.ndim - 1))
