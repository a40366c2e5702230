"""What a search asks of Blocks World: the moves in a fixed order, and how promising a state is.

Here blocks come first: `on[b]`, `goal[b]` and what is made of them may have any further axes, which
are a batch. Every operation then runs over the whole batch at once, as vector instructions want it,
in 16 bits, of which they take twice as many as of 32; with the blocks last it takes many times as
long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lprl_envs.blocks_world.rules import (
    HAND,
    NONE,
    TABLE,
    Blocks,
    bit_of,
    clear_blocks,
    has,
    pick,
    shorts,
)
from lprl_envs.parts.batch_last import batch_last

SOLVED = 1000.0
"""The heuristic value of a state that reaches the goal."""


@batch_last
def heuristic(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`f32[...]`: how promising states are, by SLINVIT's rules (arXiv 2402.16181).

    SOLVED where the goal is reached. Otherwise a sum over the facts "x on y" of the goal: 1 where
    it holds; .5 where x is held and y is clear; else minus the blocks above x and those above y.
    """
    return _heuristic(shorts(on), shorts(goal))


@functools.cache
def list_moves(order: tuple[int, ...]) -> Callable[[jax.Array], Any]:
    """A function of `on [n, ...]`: the legal moves as `i32[n, ...]`, and which there are.

    With an empty hand a block has one move at most, otherwise the block held has one to each of the
    others and one to the table. They come in the `order` of the blocks, the table last.
    """

    @batch_last
    def moves(on: jax.Array) -> tuple[jax.Array, jax.Array]:
        blocks = [x[None] for x in shorts(on)]
        move = _move(blocks, _places(on), order)
        return _action(blocks, move), move.is_any

    return moves


@functools.cache
def make_move(order: tuple[int, ...]) -> Callable[[jax.Array, jax.Array], Any]:
    """A function `(on [n, ...], place i32[...])`: the action there, and `on` after it."""

    @batch_last
    def make(on: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
        blocks = shorts(on)
        move = _move(blocks, place.astype(jnp.int16), order)
        target = move.target.astype(jnp.int32)
        after = [jnp.where(move.block == b, target, x) for b, x in enumerate(on)]
        return _action(blocks, move), jnp.stack(after)

    return make


@functools.cache
def look_ahead(order: tuple[int, ...]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """A function `(on, goal) -> f32[n, ...]`: the heuristic after each move; -inf of none."""

    @batch_last
    def values(on: jax.Array, goal: jax.Array) -> jax.Array:
        blocks, wanted = ([x[None] for x in shorts(part)] for part in (on, goal))
        move = _move(blocks, _places(on), order)
        after = [jnp.where(move.block == b, move.target, x) for b, x in enumerate(blocks)]
        return jnp.where(move.is_any, _heuristic(after, wanted), -jnp.inf)

    return values


class _Move(NamedTuple):
    """Of one block, to the hand or out of it."""

    block: jax.Array
    target: jax.Array
    """A block, TABLE or HAND."""
    is_any: jax.Array
    """bool"""


def _move(on: Blocks, place: jax.Array, order: tuple[int, ...]) -> _Move:
    """The legal move at a place of the list."""
    clear = clear_blocks(on)
    held, rank = jnp.int16(0), jnp.int16(0)
    holds = jnp.bool_(False)
    for i, b in enumerate(order):
        is_held = on[b] == HAND
        holds |= is_held
        held, rank = (jnp.where(is_held, jnp.int16(x), y) for x, y in ((b, held), (i, rank)))
    own = pick(order, place)
    # The block held is not one of the others: from where it would come, it is the next one.
    other = pick((*order, order[-1]), place + (place >= rank))
    is_last = place == len(order) - 1
    return _Move(
        block=jnp.where(holds, held, own),
        target=jnp.where(holds, jnp.where(is_last, jnp.int16(TABLE), other), jnp.int16(HAND)),
        is_any=jnp.where(holds, is_last | has(clear, other), has(clear, own)),
    )


def _action(on: Blocks, move: _Move) -> jax.Array:
    """`i32[...]`: its number."""
    n, block, target = len(on), move.block, move.target
    source = pick(on, block)
    take = jnp.where(source == TABLE, block, _pair(block, source, n) + n * (n - 1))
    lay = jnp.where(target == TABLE, n + block, _pair(block, target, n))
    return jnp.where(target == HAND, take, lay).astype(jnp.int32)


def _pair(upper: jax.Array, lower: jax.Array, n: int) -> jax.Array:
    """The action of stacking one block on another, by its place in `moves`."""
    return 2 * n + upper * (n - 1) + lower - (lower > upper)


def _heuristic(on: Blocks, goal: Blocks) -> jax.Array:
    clear, none = clear_blocks(on), jnp.int16(0)
    held_is_ready, reached = jnp.bool_(False), jnp.bool_(True)
    met, uppers, lowers = none, none, none  # upper blocks of facts that hold; blocks of the buried
    for x, y in enumerate(goal):
        is_wanted, holds = y != NONE, on[x] == y
        is_open = is_wanted & ~holds
        is_ready = is_open & (on[x] == HAND) & has(clear, y)
        is_buried = is_open & ~is_ready
        reached &= ~is_open
        held_is_ready |= is_ready
        met |= jnp.where(is_wanted & holds, jnp.int16(1 << x), none)
        uppers |= jnp.where(is_buried, jnp.int16(1 << x), none)
        lowers |= jnp.where(is_buried, bit_of(y), none)
    count = jax.lax.population_count
    buried = sum((count(mask & uppers) + count(mask & lowers) for mask in masks_below(on)), none)
    doubled = 2 * (count(met) - buried) + held_is_ready.astype(jnp.int16)
    return jnp.where(reached, SOLVED, 0.5 * doubled.astype(jnp.float32))


def masks_below(on: Blocks) -> list[jax.Array]:
    """`i16[...]` a block: a bit for each block that lies below it, directly or not."""
    masks = [bit_of(x) for x in on]
    for z in range(len(on)):  # Warshall's closure: below what lies on z is all that is below z
        masks = [m if b == z else jnp.where((m & (1 << z)) != 0, m | masks[z], m)
                 for b, m in enumerate(masks)]  # fmt: skip
    return masks


def _places(on: jax.Array) -> jax.Array:
    return jnp.arange(len(on), dtype=jnp.int16).reshape(-1, *[1] * (on.ndim - 1))
