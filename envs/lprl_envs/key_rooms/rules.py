"""The building of KeyRooms, and what a move in it does: tiles and integers in, integers out.

Rooms of 5 x 5 cells stand in a row, so the building is a grid of 5 rows and 6 L - 1 columns: behind
every room but the last one is a wall of one column, in which one cell is a door. A position is
row * W + column, with W columns.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

WALL, FLOOR, START, KEY, PIT, TREASURE, DOOR, LOCKED = range(8)
SIDE = 5
"""Cells along the edge of a room."""
CELLS = SIDE * SIDE
"""Of a room."""
LEFT, DOWN, RIGHT, UP = range(4)

# Row and column changes of the four actions.
_ROW_STEP = np.array([0, 1, 0, -1], np.int32)
_COL_STEP = np.array([-1, 0, 1, 0], np.int32)


def width_of(rooms: int) -> int:
    """W: the columns of so many rooms and of the walls between them."""
    return rooms * (SIDE + 1) - 1


def room_positions(rooms: int) -> np.ndarray:
    """`i32[L, 25]`: the positions of each room's cells, row by row."""
    room, row, column = np.ix_(range(rooms), range(SIDE), range(SIDE))
    positions = row * width_of(rooms) + room * (SIDE + 1) + column
    return positions.reshape(rooms, CELLS).astype(np.int32)


def wall_positions(rooms: int) -> np.ndarray:
    """`i32[L - 1, 5]`: the positions of each wall's cells, one of which is a door."""
    wall, row = np.ix_(range(rooms - 1), range(SIDE))
    return (row * width_of(rooms) + wall * (SIDE + 1) + SIDE).astype(np.int32)


def cell_numbers(rooms: int) -> np.ndarray:
    """`i32[5 * W]`: the number of each position's cell, `[0, 26 L - 1)`.

    A room's cells row by row, then the door behind it, wherever in its wall that is.
    """
    numbers = np.zeros(SIDE * width_of(rooms), np.int32)
    first = np.arange(rooms)[:, None] * (CELLS + 1)
    numbers[room_positions(rooms)] = first + np.arange(CELLS)
    numbers[wall_positions(rooms)] = first[:-1] + CELLS
    return numbers


def move(position: jax.Array, action: jax.Array, width: int) -> jax.Array:
    """The position that a step in direction `action` leads to; off the grid stays. Broadcasts."""
    row = jnp.clip(position // width + jnp.asarray(_ROW_STEP)[action], 0, SIDE - 1)
    column = jnp.clip(position % width + jnp.asarray(_COL_STEP)[action], 0, width - 1)
    return row * width + column


def is_absorbing(tile: jax.Array) -> jax.Array:
    """Whether an episode ends on this tile."""
    return (tile == PIT) | (tile == TREASURE)


def lands(here: jax.Array, there: jax.Array, has_key: jax.Array) -> jax.Array:
    """Whether a step succeeds, `bool[]`, from the tile `here` to the tile `there`."""
    is_shut = (there == WALL) | ((there == LOCKED) & ~has_key)
    return ~is_shut & ~is_absorbing(here)


def is_solvable(tiles: jax.Array) -> jax.Array:
    """`bool[]`: whether the start of tiles `i32[5 * W]` reaches the treasure by way of the key.

    Breadth-first over (cell, has key), in the graph: two layers of cells grow at once, where the
    key's cell leads from the one without to the one with it.
    """
    grid = tiles.reshape(SIDE, -1)
    walkable = (grid != WALL) & (grid != PIT)
    open_to = jnp.stack([walkable & (grid != LOCKED), walkable])

    def spread(reached: jax.Array) -> jax.Array:
        reached = reached.at[1].set(reached[1] | (reached[0] & (grid == KEY)))
        p = jnp.pad(reached, ((0, 0), (1, 1), (1, 1)))
        near = p[:, :-2, 1:-1] | p[:, 2:, 1:-1] | p[:, 1:-1, :-2] | p[:, 1:-1, 2:]
        return (reached | near) & open_to

    def grow(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        return carry[1], spread(carry[1])

    start = jnp.stack([grid == START, jnp.zeros_like(walkable)])
    _, reached = jax.lax.while_loop(lambda c: jnp.any(c[0] != c[1]), grow, (start, spread(start)))
    return jnp.any(reached[1] & (grid == TREASURE))


def distance(one: jax.Array, other: jax.Array, doors: jax.Array, width: int) -> jax.Array:
    """`i32[]`: steps from one position to another through the doors `i32[L - 1]`, were no pits.

    The rows in which a way must be where it goes through a wall are the doors'; walls that are not
    between the two take the row of the nearer end, and so ask for no step.
    """
    is_left = one % width <= other % width
    left, right = jnp.where(is_left, one, other), jnp.where(is_left, other, one)
    rows = jnp.where(doors % width <= left % width, left // width, doors // width)
    rows = jnp.where(doors % width >= right % width, right // width, rows)
    way = jnp.concatenate([left[None] // width, rows, right[None] // width])
    return right % width - left % width + jnp.sum(jnp.abs(jnp.diff(way)), dtype=jnp.int32)
