"""Maps of Frozen Lake: given by hand, drawn at random in the graph, checked, gathered in a bank."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lprl_envs import values
from lprl_envs.errors import InvalidInput, require_one_of, shown

START, FROZEN, HOLE, GOAL = range(4)
TILES = "SFHG"
SIZES = "2 cells at least, 99 rows and 26 columns at most"
"""Of a map."""

PRESETS = {
    "4x4": ("SFFF", "FHFH", "FFFH", "HFFG"),
    "8x8": (
        "SFFFFFFF",
        "FFFFFFFF",
        "FFFHFFFF",
        "FFFFFHFF",
        "FFFHFFFF",
        "FHHFFFHF",
        "FHFFHFHF",
        "FFFHFFFG",
    ),
}


# Row and column changes of the four actions.
_ROW_STEP = np.array([0, 1, 0, -1], np.int32)
_COL_STEP = np.array([-1, 0, 1, 0], np.int32)


@struct.dataclass
class Maps:
    """A bank of M maps of one size."""

    tiles: jax.Array
    """i32[M, H * W]: START, FROZEN, HOLE or GOAL, row by row."""
    starts: jax.Array
    """i32[M, K]: cells of the `S` tiles; maps with fewer than K repeat their first."""
    num_starts: jax.Array
    """i32[M]."""


def move(position: jax.Array, action: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """The cell that a step in direction `action` leads to; off the map stays. Broadcasts."""
    height, width = shape
    row = jnp.clip(position // width + jnp.asarray(_ROW_STEP)[action], 0, height - 1)
    col = jnp.clip(position % width + jnp.asarray(_COL_STEP)[action], 0, width - 1)
    return row * width + col


def is_absorbing(tile: jax.Array) -> jax.Array:
    """Whether an episode ends on this tile."""
    return (tile == HOLE) | (tile == GOAL)


def is_solvable(tiles: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """`bool[]`: whether every start reaches a goal; a flood fill from the goals, in the graph."""
    grid = tiles.reshape(shape)
    walkable = grid != HOLE

    def spread(reached: jax.Array) -> jax.Array:
        padded = jnp.pad(reached, 1)
        near = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        return (reached | near) & walkable

    def grow(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        return carry[1], spread(carry[1])

    goal = grid == GOAL
    _, reached = jax.lax.while_loop(lambda c: jnp.any(c[0] != c[1]), grow, (goal, spread(goal)))
    start = grid == START
    return jnp.any(start) & jnp.all(reached | ~start)


_is_solvable = jax.jit(is_solvable, static_argnums=1)


def random_tiles(
    shape: tuple[int, int],
    frozen_probability: float | jax.Array = 0.8,
    goal: str = "corner",
) -> Callable[[chex.PRNGKey], jax.Array]:
    """A function from a key to a random map `i32[H * W]`, which may not be solvable.

    Args:
        shape: H, W.
        frozen_probability: Of each cell.
        goal: `"corner"`: S first and G last, as in Gymnasium; `"anywhere"`: both anywhere.

    Raises:
        InvalidInput: if an argument is out of range.
    """
    require_one_of("goal", goal, ("corner", "anywhere"))
    if not isinstance(frozen_probability, jax.Array) and not 0 < frozen_probability < 1:
        raise InvalidInput(f"frozen_probability is {frozen_probability}; it must lie in (0, 1)")
    size = shape[0] * shape[1]

    def draw(key: chex.PRNGKey) -> jax.Array:
        key_ice, key_ends = jax.random.split(key)
        chance = jnp.asarray(frozen_probability, jnp.float32)
        tiles = jnp.where(jax.random.bernoulli(key_ice, chance, (size,)), FROZEN, HOLE)
        start, end = 0, size - 1
        if goal == "anywhere":
            start, end = jax.random.choice(key_ends, size, (2,), replace=False)
        return tiles.at[start].set(START).at[end].set(GOAL).astype(jnp.int32)

    return draw


def parse_map(rows: Any) -> np.ndarray:
    """`i32[H, W]` of a map written as rows of S, F, H and G.

    Raises:
        InvalidInput: if it is not rectangular, has another tile, no start, not exactly one goal,
            or a start that does not reach it.
    """
    rows = list(rows) if isinstance(rows, list | tuple) else [rows]
    if not rows or not all(isinstance(row, str) and row for row in rows):
        raise InvalidInput(
            f"a map is a list of rows such as {list(PRESETS['4x4'])}; found {shown(rows)}"
        )
    if len({len(row) for row in rows}) != 1:
        lengths = [len(row) for row in rows]
        raise InvalidInput(f"map rows differ in length: {lengths}; a map is rectangular")
    unknown = sorted({tile for row in rows for tile in row} - set(TILES))
    if unknown:
        raise InvalidInput(f"unknown tile {unknown[0]!r} in the map; valid tiles: S, F, H, G")
    tiles = np.array([[TILES.index(tile) for tile in row] for row in rows], np.int32)
    if not (tiles == START).any():
        raise InvalidInput(f"the map {rows} has no start; it needs one S or more")
    num_goals = int((tiles == GOAL).sum())
    if num_goals != 1:
        raise InvalidInput(f"the map {rows} has {num_goals or 'no'} goals; it needs exactly one G")
    with jax.ensure_compile_time_eval():
        solvable = bool(_is_solvable(jnp.asarray(tiles.ravel()), (tiles.shape[0], tiles.shape[1])))
    if not solvable:
        raise InvalidInput(f"the map {rows} is not solvable: a start reaches no goal")
    return tiles


def bank(tiles: np.ndarray | Sequence[np.ndarray]) -> Maps:
    """A bank of maps `[M, H, W]`, each as `parse_map` returns it."""
    if len(tiles) == 0:
        raise InvalidInput("a bank of no maps; it needs at least one")
    flat = np.stack([np.asarray(t, np.int32).ravel() for t in tiles])
    starts = [np.flatnonzero(row == START) for row in flat]
    width = max(len(cells) for cells in starts)
    padded = np.stack([np.r_[c, np.full(width - len(c), c[0])] for c in starts]).astype(np.int32)
    num_starts = np.array([len(cells) for cells in starts], np.int32)
    return Maps(jnp.asarray(flat), jnp.asarray(padded), jnp.asarray(num_starts))


def bank_of_one_start(tiles: jax.Array) -> Maps:
    """A bank of maps `i32[M, H * W]` that have one start each; jittable."""
    starts = jnp.argmax(tiles == START, axis=1).astype(jnp.int32)[:, None]
    return Maps(tiles, starts, jnp.ones(tiles.shape[0], jnp.int32))


def is_size(height: int, width: int) -> bool:
    """Whether maps can be of this size; `SIZES` says which can."""
    return height * width >= 2 and height <= 99 and width <= 26


def parse_size(map_name: str) -> tuple[int, int]:
    """The `H, W` of `"HxW"`."""
    match = re.fullmatch(r"([1-9][0-9]?)x([1-9][0-9]?)", values.text("map_name", map_name))
    if match is None:
        raise InvalidInput(
            f"unknown map_name {shown(map_name)}; valid: 4x4, 8x8, or any size such as 6x6, {SIZES}"
        )
    height, width = int(match[1]), int(match[2])
    if not is_size(height, width):
        raise InvalidInput(f"map_name {map_name!r}: {SIZES}")
    return height, width
