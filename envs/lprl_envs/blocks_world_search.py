"""What a search asks of Blocks World: the moves in a fixed order, and how promising a state is.

Here blocks come first: `on[b]`, `goal[b]` and what is made of them may have any further axes, which
are a batch. Every operation then runs over the whole batch at once, as vector instructions want it;
with the blocks last it takes six times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from lprl_envs.blocks_world_rules import ABSENT, HAND, NONE, TABLE

SOLVED = 1000.0
"""The heuristic value of a state that reaches the goal."""
Blocks = Sequence[jax.Array] | jax.Array
"""An array a block."""


def heuristic(on: Blocks, goal: Blocks) -> jax.Array:
    """`f32[...]`: how promising states are, by SLINVIT's rules (arXiv 2402.16181).

    SOLVED where the goal is reached. Otherwise a sum over the facts "x on y" of the goal: 1 where
    it holds; .5 where x is held and y is clear; else minus the blocks above x and those above y.
    """
    blocks = range(len(on))
    masks = masks_above(on)
    above = [jax.lax.population_count(mask) for mask in masks]
    clear = [(masks[y] == 0) & (on[y] != HAND) & (on[y] != ABSENT) for y in blocks]
    doubled, reached = jnp.int32(0), jnp.bool_(True)
    for x in blocks:
        reached &= (goal[x] == NONE) | (on[x] == goal[x])
        for y in (y for y in blocks if y != x):
            ready = (on[x] == HAND) & clear[y]
            value = jnp.where(on[x] == y, 2, jnp.where(ready, 1, -2 * (above[x] + above[y])))
            doubled += jnp.where(goal[x] == y, value, 0)
    return jnp.where(reached, SOLVED, 0.5 * doubled)


def masks_above(on: Blocks) -> list[jax.Array]:
    """`i32[...]` a block: a bit for each block that lies above it, directly or not."""
    blocks = range(len(on))
    lies = [[(on[x] == y).astype(jnp.int32) << x for x in blocks if x != y] for y in blocks]
    masks = [functools.reduce(jnp.bitwise_or, bits) for bits in lies]
    for z in blocks:  # Warshall's closure: what lies above z lies above all that z lies above
        masks = [mask | jnp.where((mask >> z) & 1, masks[z], 0) for mask in masks]
    return masks


def legal_moves(on: Blocks, order: Sequence[int]) -> tuple[jax.Array, ...]:
    """The legal moves as a list of n: `(action, block, target, is_any)`, `[n, ...]` each.

    With an empty hand a block has one move at most, otherwise the block held has one to each of the
    others and one to the table. They come in the `order` of the blocks, the table last.
    """
    n = len(on)
    is_held = [place == HAND for place in on]
    holds, held = sum(is_held) > 0, sum(b * is_held[b] for b in range(n))
    covered = [functools.reduce(jnp.logical_or, (place == b for place in on)) for b in range(n)]
    clear = [~covered[b] & ~is_held[b] & (on[b] != ABSENT) for b in range(n)]
    moves = []
    for i, block in enumerate(order):
        take = jnp.where(on[block] == TABLE, block, pair(block, on[block], n) + n * (n - 1))
        if i == n - 1:
            lay, other, may_lay = n + held, TABLE, True
        else:  # from where the held block would come, it is the next one
            is_later = sum(is_held[b] for b in order[: i + 1]) > 0
            other = jnp.where(is_later, order[i + 1], block)
            lay = pair(held, other, n)
            may_lay = jnp.where(is_later, clear[order[i + 1]], clear[block])
        choices = (lay, take), (held, block), (other, HAND), (may_lay, clear[block])
        moves.append([jnp.where(holds, *choice) for choice in choices])
    return tuple(jnp.stack(part) for part in zip(*moves, strict=True))


def pair(upper: Any, lower: Any, n: int) -> jax.Array:
    """The action of stacking one block on another, by its place in `moves`."""
    return 2 * n + upper * (n - 1) + lower - (lower > upper)


@functools.cache
def look_ahead(order: tuple[int, ...]) -> Any:
    """A function `(on [n], goal [n]) -> (action i32[n], is_any bool[n], value f32[n])`.

    The legal moves and the heuristic of where they lead; under `vmap` the batch comes last.
    """

    def look(on: jax.Array, goal: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        action, block, target, is_any = legal_moves(on, order)
        after = [jnp.where(block == b, target, on[b][None]) for b in range(len(on))]
        return action, is_any, heuristic(after, [wanted[None] for wanted in goal])

    looking = custom_vmap(look)

    @looking.def_vmap
    def _(axis_size: int, in_batched: list[bool], on: jax.Array, goal: jax.Array) -> Any:
        rows = [
            jnp.moveaxis(x, 0, -1) if is_batched else jnp.repeat(x[..., None], axis_size, axis=-1)
            for x, is_batched in zip((on, goal), in_batched, strict=True)
        ]
        found = look(*rows)
        return tuple(jnp.moveaxis(x, -1, 0) for x in found), (True, True, True)

    return looking
