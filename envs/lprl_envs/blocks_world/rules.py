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
    return is_legal([x[None] for x in shorts(on)], *listed)


@batch_last
def act(on: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The state after an action `i32[]`, and whether it was legal; an illegal one does nothing."""
    blocks, move = shorts(on), packed_moves(len(on))[action]
    block, source, target = (((move >> shift) & 15) + ABSENT for shift in (0, 4, 8))
    legal = is_legal(blocks, block, source, target)
    after = [jnp.where(legal & (block == b), target, x) for b, x in enumerate(blocks)]
    return jnp.stack(after).astype(jnp.int32), legal


def packed_moves(num_blocks: int) -> jax.Array:
    """`i16[A]`: block, source and target in four bits each: one gather instead of three.

    That, and a bit a block in 16, is enough for the 12 blocks that there may be.
    """
    places = [x - ABSENT for x in moves(num_blocks)]
    return jnp.asarray(sum(x << 4 * i for i, x in enumerate(places)), jnp.int16)


def is_legal(on: Blocks, block: jax.Array, source: jax.Array, target: jax.Array) -> jax.Array:
    """`bool[...]`: whether moves keep the rules."""
    clear = clear_blocks(on)
    holds = functools.reduce(jnp.logical_or, [x == HAND for x in on])
    takes, lays = ~holds & has(clear, block), (target == TABLE) | has(clear, target)
    return (pick(on, block) == source) & jnp.where(target == HAND, takes, lays)


@batch_last
def settle(on: jax.Array, is_missing: jax.Array) -> jax.Array:
    """The state with blocks that an instance lacks, `bool[n]`, ABSENT where they lie on their own.

    Such blocks never move. But where states are numbered, every instance has all numbers, also
    those of states in which a missing block lies in a stack: they are states like others.
    """
    clear = clear_blocks(shorts(on))
    after = [
        jnp.where(is_missing[b] & (x == TABLE) & has(clear, jnp.int16(b)), ABSENT, x)
        for b, x in enumerate(on)
    ]
    return jnp.stack(after)


@batch_last
def num_satisfied(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`i32[]`: facts of the goal that hold."""
    met = [((y != NONE) & (x == y)).astype(jnp.int32) for x, y in zip(on, goal, strict=True)]
    return functools.reduce(jnp.add, met)


@batch_last
def is_reached(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`bool[...]`: whether all facts of the goal hold."""
    facts = [(y == NONE) | (x == y) for x, y in zip(on, goal, strict=True)]
    return functools.reduce(jnp.logical_and, facts)


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
    """`i16[...]`: the bit of a block; 0 of what is none, for XLA shifts by less than 0 to 0."""
    return jax.lax.shift_left(jnp.int16(1), block)


def shorts(on: jax.Array) -> list[jax.Array]:
    """An `i16[...]` a block, of `on [n, ...]`."""
    return [x.astype(jnp.int16) for x in on]
