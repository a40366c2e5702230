"""What a search asks of Blocks World: the moves in a fixed order, and how promising a state is.

Here blocks come first: `on[b]`, `goal[b]` and what is made of them may have any further axes, which
are a batch. Every operation then runs over the whole batch at once, as vector instructions want it,
in 16 bits, of which they take twice as many as of 32; with the blocks last it takes many times as
long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lprl_envs.batch_last import batch_last
from lprl_envs.blocks_world_rules import ABSENT, HAND, NONE, TABLE

SOLVED = 1000.0
"""The heuristic value of a state that reaches the goal."""
Blocks = Sequence[jax.Array]
"""An array a block."""


@batch_last
def heuristic(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`f32[...]`: how promising states are, by SLINVIT's rules (arXiv 2402.16181).

    SOLVED where the goal is reached. Otherwise a sum over the facts "x on y" of the goal: 1 where
    it holds; .5 where x is held and y is clear; else minus the blocks above x and those above y.
    """
    return _heuristic(_short(on), _short(goal))


@functools.cache
def list_moves(order: tuple[int, ...]) -> Callable[[jax.Array], Any]:
    """A function of `on [n, ...]`: the legal moves as `i32[n, ...]`, and which there are.

    With an empty hand a block has one move at most, otherwise the block held has one to each of the
    others and one to the table. They come in the `order` of the blocks, the table last.
    """

    @batch_last
    def moves(on: jax.Array) -> tuple[jax.Array, jax.Array]:
        blocks = [x[None] for x in _short(on)]
        move = _move(blocks, _places(on), order)
        return _action(blocks, move), move.is_any

    return moves


@functools.cache
def make_move(order: tuple[int, ...]) -> Callable[[jax.Array, jax.Array], Any]:
    """A function `(on [n, ...], place [1, ...])`: the action there, and `on` after it."""

    @batch_last
    def make(on: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
        blocks = _short(on)
        move = _move(blocks, place[0].astype(jnp.int16), order)
        after = jnp.stack(
            [jnp.where(move.block == b, move.target, x) for b, x in enumerate(blocks)]
        )
        return _action(blocks, move), after.astype(jnp.int32)

    return make


@functools.cache
def look_ahead(order: tuple[int, ...]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """A function `(on, goal) -> f32[n, ...]`: the heuristic after each move; -inf of none."""

    @batch_last
    def values(on: jax.Array, goal: jax.Array) -> jax.Array:
        blocks, wanted = ([x[None] for x in _short(part)] for part in (on, goal))
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
    blocks = range(len(on))
    masks, clear = masks_above(on), clear_blocks(on)
    doubled, reached = jnp.int16(0), jnp.bool_(True)
    uppers, lowers = jnp.int16(0), jnp.int16(0)  # of the facts that count the blocks above
    for x, y in enumerate(goal):
        is_wanted, holds = y != NONE, on[x] == y
        reached &= ~is_wanted | holds
        ready = (on[x] == HAND) & has(clear, y)
        doubled += jnp.where(is_wanted & holds, jnp.int16(2), jnp.int16(0))
        doubled += jnp.where(is_wanted & ready, jnp.int16(1), jnp.int16(0))
        is_buried = is_wanted & ~holds & ~ready
        uppers |= jnp.where(is_buried, jnp.int16(1 << x), jnp.int16(0))
        lowers |= jnp.where(is_buried, _bit(y), jnp.int16(0))
    for z in blocks:
        times = ((uppers >> z) & 1) + ((lowers >> z) & 1)
        doubled -= 2 * times * jax.lax.population_count(masks[z])
    return jnp.where(reached, SOLVED, 0.5 * doubled.astype(jnp.float32))


def masks_above(on: Blocks) -> list[jax.Array]:
    """`i16[...]` a block: a bit for each block that lies above it, directly or not."""
    blocks = range(len(on))
    none = jnp.int16(0)
    lies = [
        [jnp.where(on[x] == y, jnp.int16(1 << x), none) for x in blocks if x != y] for y in blocks
    ]
    masks = [functools.reduce(jnp.bitwise_or, bits) for bits in lies]
    for z in blocks:  # Warshall's closure: what lies above z lies above all that z lies above
        masks = [mask | jnp.where((mask & (1 << z)) != 0, masks[z], none) for mask in masks]
    return masks


def clear_blocks(on: Blocks) -> jax.Array:
    """`i16[...]`: a bit for each block that may be laid upon."""
    mask, covered, none = jnp.int16(0), jnp.int16(0), jnp.int16(0)
    for b, x in enumerate(on):
        covered |= jnp.where(x >= 0, _bit(x), none)
        mask |= jnp.where((x != HAND) & (x != ABSENT), jnp.int16(1 << b), none)
    return mask & ~covered


def has(mask: jax.Array, block: jax.Array) -> jax.Array:
    """`bool[...]`: whether a mask has the bit of a block; anything if it is none."""
    return (mask & _bit(block)) != 0


def pick(xs: Sequence[jax.Array | int], place: jax.Array) -> jax.Array:
    """`xs[place]`, without a gather; the first where there is no such place."""
    found = jnp.asarray(xs[0], jnp.int16)
    for i, x in enumerate(xs[1:], 1):
        found = jnp.where(place == i, jnp.asarray(x, jnp.int16), found)
    return found


def _bit(block: jax.Array) -> jax.Array:
    return jnp.int16(1) << jnp.maximum(block, 0)


def _places(on: jax.Array) -> jax.Array:
    return jnp.arange(len(on), dtype=jnp.int16).reshape(-1, *[1] * (on.ndim - 1))


def _short(on: jax.Array) -> list[jax.Array]:
    return [x.astype(jnp.int16) for x in on]
