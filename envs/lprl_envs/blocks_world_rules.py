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
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.batch_last import batch_last

TABLE, HAND, ABSENT = -1, -2, -3
NONE = -1
"""In a goal: the block may lie anywhere."""


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


def is_covered(on: jax.Array) -> jax.Array:
    """`bool[n]`: whether another block lies on it."""
    return jnp.any(on[:, None] == jnp.arange(on.size)[None, :], axis=0)


def is_clear(on: jax.Array) -> jax.Array:
    """`bool[n]`: whether a block may be laid on it: it is there, not held, and bare."""
    return ~is_covered(on) & (on != HAND) & (on != ABSENT)


def is_legal(on: jax.Array, block: jax.Array, source: jax.Array, target: jax.Array) -> jax.Array:
    """`bool[...]`: whether these moves (all of one shape, as in `Moves`) keep the rules."""
    clear, hand_is_empty = is_clear(on), ~jnp.any(on == HAND)
    takes = hand_is_empty & clear[block]
    lays = (target == TABLE) | clear[jnp.maximum(target, 0)]
    return (on[block] == source) & jnp.where(target == HAND, takes, lays)


def legal_actions(on: jax.Array) -> jax.Array:
    """`bool[A]`; n at most: a move for each clear block, or the table and each clear block."""
    return is_legal(on, *map(jnp.asarray, moves(on.size)))


def act(on: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The state after an action `i32[]`, and whether it was legal; an illegal one does nothing."""
    block, source, target = (jnp.asarray(part)[action] for part in moves(on.size))
    legal = is_legal(on, block, source, target)
    return jnp.where(legal & (jnp.arange(on.size) == block), target, on), legal


def settle(on: jax.Array, is_missing: jax.Array) -> jax.Array:
    """The state with blocks that an instance lacks, `bool[n]`, ABSENT where they lie on their own.

    Such blocks never move. But where states are numbered, every instance has all numbers, also
    those of states in which a missing block lies in a stack: they are states like others.
    """
    return jnp.where(is_missing & (on == TABLE) & ~is_covered(on), ABSENT, on)


def num_satisfied(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`i32[]`: facts of the goal that hold."""
    return jnp.sum((goal != NONE) & (on == goal), dtype=jnp.int32)


@batch_last
def is_reached(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`bool[...]`: whether all facts of the goal hold."""
    facts = [(y == NONE) | (x == y) for x, y in zip(on, goal, strict=True)]
    return functools.reduce(jnp.logical_and, facts)
