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

TABLE, HAND, ABSENT = -1, -2, -3
NONE = -1
"""In a goal: the block may lie anywhere."""
SOLVED = 1000.0
"""The heuristic value of a state that reaches the goal."""


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


def legal_moves(on: jax.Array, order: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """The legal actions as a list: `i32[n]`, and which of these are any, `bool[n]`.

    With an empty hand a block has one move at most, otherwise the block held has one to each of the
    others and one to the table. They come in the order of the blocks, the table last.
    """
    n, clear = on.size, is_clear(on)
    blocks = jnp.asarray(order, jnp.int32)
    held = jnp.argmax(on == HAND).astype(jnp.int32)
    later = jnp.arange(n) >= jnp.argmax(blocks == held)
    others = jnp.where(later, jnp.roll(blocks, -1), blocks)  # the held block left out, then one more
    to_table = jnp.arange(n) == n - 1
    taken = jnp.where(on[blocks] == TABLE, blocks, _pair(blocks, on[blocks], n) + n * (n - 1))
    laid = jnp.where(to_table, n + held, _pair(held, others, n))
    is_held = jnp.any(on == HAND)
    return (
        jnp.where(is_held, laid, taken),
        jnp.where(is_held, to_table | clear[others], clear[blocks]),
    )


def _pair(upper: jax.Array, lower: jax.Array, n: int) -> jax.Array:
    """The action of stacking one block on another, by its place in `moves`."""
    return 2 * n + upper * (n - 1) + lower - (lower > upper)


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


def is_reached(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`bool[]`: whether all facts of the goal hold."""
    return jnp.all((goal == NONE) | (on == goal))


def heuristic(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`f32[]`: how promising a state is, by SLINVIT's rules (arXiv 2402.16181).

    SOLVED where the goal is reached. Otherwise a sum over the facts "x on y" of the goal: 1 where
    it holds; .5 where x is held and y is clear; else minus the blocks above x and those above y.

    Blocks are written out, one number each: under `vmap` every operation is then one over the whole
    batch, which compilers turn into vector instructions. Arrays `[..., n]` are an eighth as fast.
    """
    blocks = range(on.size)
    clear, above = is_clear(on), num_above(on)
    total = jnp.float32(0)
    for x, y in ((x, y) for x in blocks for y in blocks if x != y):
        ready = (on[x] == HAND) & clear[y]
        buried = (above[x] + above[y]).astype(jnp.float32)
        value = jnp.where(on[x] == y, 1.0, jnp.where(ready, 0.5, -buried))
        total += jnp.where(goal[x] == y, value, 0.0)
    return jnp.where(is_reached(on, goal), SOLVED, total)


def num_above(on: jax.Array) -> list[jax.Array]:
    """`i32[]` a block: how many lie above it, directly or not."""
    blocks = range(on.size)
    masks = [sum((on[x] == y).astype(jnp.int32) << x for x in blocks if x != y) for y in blocks]
    for z in blocks:  # Warshall's closure: what lies above z lies above all that z lies above
        masks = [mask | jnp.where((mask >> z) & 1, masks[z], 0) for mask in masks]
    return [jax.lax.population_count(mask) for mask in masks]
