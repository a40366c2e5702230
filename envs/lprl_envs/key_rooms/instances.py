"""Instances of KeyRooms: given by hand, drawn at random in the graph, gathered in a bank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lprl_envs.errors import InvalidInput, shown
from lprl_envs.key_rooms.rules import (
    CELLS,
    DOOR,
    FLOOR,
    KEY,
    LOCKED,
    PIT,
    SIDE,
    START,
    TREASURE,
    WALL,
    is_solvable,
    room_positions,
    wall_positions,
    width_of,
)

TILES = "#.SKPTDL"
"""Of a map by hand: wall, floor, start, key, pit, treasure, door, locked door."""
FEWEST_ROOMS, MOST_ROOMS = 2, 6
MOST_PITS = 8
"""In a room of a random instance."""

PRESET = (
    "K....#.....#.....",
    ".P...D..P..#.P...",
    ".....#.....L.....",
    "...S.#....P#...T.",
    ".P...#.....#.P...",
)
"""Three rooms; the key lies farther from the treasure than the start does."""

_is_solvable = jax.jit(is_solvable)


@struct.dataclass
class Rooms:
    """A bank of M instances of one number of rooms L; positions are row * W + column."""

    tiles: jax.Array
    """i32[M, 5 * W]: WALL, FLOOR, ..., row by row. All else follows from them."""
    start: jax.Array
    """i32[M], like the following two."""
    key: jax.Array
    treasure: jax.Array
    doors: jax.Array
    """i32[M, L - 1], from left to right; the last is the locked one."""


def rooms_of(tiles: jax.Array) -> Rooms:
    """A bank of tiles `i32[M, 5 * W]`; jittable."""

    def place_of(tile: int) -> jax.Array:
        return jnp.argmax(tiles == tile, axis=1).astype(jnp.int32)

    walls = wall_positions((tiles.shape[1] // SIDE + 1) // (SIDE + 1))
    rows = jnp.argmax(tiles[:, walls] != WALL, axis=2)
    doors = jnp.asarray(walls)[np.arange(len(walls)), rows]
    return Rooms(tiles, place_of(START), place_of(KEY), place_of(TREASURE), doors)


def random_tiles(rooms: int, pits: int) -> Callable[[chex.PRNGKey], jax.Array]:
    """A function from a key to random tiles `i32[5 * W]`, of which the treasure may be cut off.

    Uniform are: the row of each door; the start, over the cells of the first room; the key, over
    the others of all rooms but the last; the treasure, over those of the last; and in each room
    `pits` pits, over the cells that are still free and not beside a door.
    """
    cells, walls = jnp.asarray(room_positions(rooms)), jnp.asarray(wall_positions(rooms))
    walled = jnp.full(SIDE * width_of(rooms), FLOOR, jnp.int32).at[walls].set(WALL)
    doors = jnp.full(rooms - 1, DOOR, jnp.int32).at[-1].set(LOCKED)

    def draw(key: chex.PRNGKey) -> jax.Array:
        keys = jax.random.split(key, 5)
        rows = jax.random.randint(keys[0], (rooms - 1,), 0, SIDE, jnp.int32)
        start = jax.random.randint(keys[1], (), 0, CELLS, jnp.int32)
        taken = jax.random.randint(keys[2], (), 0, CELLS * (rooms - 1) - 1, jnp.int32)
        taken += taken >= start  # any but the start
        treasure = jax.random.randint(keys[3], (), 0, CELLS, jnp.int32)
        at_doors = walls[jnp.arange(rooms - 1, dtype=jnp.int32), rows]
        beside = jnp.concatenate([at_doors - 1, at_doors + 1])
        tiles = walled.at[at_doors].set(doors)
        for tile, place in (
            (START, cells[0][start]),
            (KEY, cells.ravel()[taken]),
            (TREASURE, cells[-1][treasure]),
        ):
            tiles = tiles.at[place].set(tile)
        free = (tiles == FLOOR).at[beside].set(False)[cells]
        lots = jnp.where(free, jax.random.uniform(keys[4], cells.shape, jnp.float32), -1.0)
        _, drawn = jax.lax.top_k(lots, pits)
        return tiles.at[jnp.take_along_axis(cells, drawn, axis=1)].set(PIT)

    return draw


def parse_map(rows: Any) -> np.ndarray:
    """`i32[5, W]` of a map written as five rows of the characters of TILES.

    Any number of pits may be anywhere in the rooms, as long as the treasure can be reached.

    Raises:
        InvalidInput: if it is not such a map, or its treasure cannot be reached.
    """
    rows = list(rows) if isinstance(rows, list | tuple) else [rows]
    if not all(isinstance(row, str) for row in rows) or len(rows) != SIDE:
        raise InvalidInput(f"a map is a list of 5 rows such as {list(PRESET)}; found {shown(rows)}")
    lengths = sorted({len(row) for row in rows})
    widths = [width_of(rooms) for rooms in range(FEWEST_ROOMS, MOST_ROOMS + 1)]
    if len(lengths) != 1 or lengths[0] not in widths:
        raise InvalidInput(
            f"rows of the map have lengths {lengths}; right: one length, 6 L - 1 for L rooms, "
            f"one of {widths}"
        )
    unknown = sorted({tile for row in rows for tile in row} - set(TILES))
    if unknown:
        raise InvalidInput(
            f"unknown tile {unknown[0]!r} in the map; valid: # wall, . floor, S start, K key, "
            "P pit, T treasure, D door, L locked door"
        )
    tiles = np.array([[TILES.index(tile) for tile in row] for row in rows], np.int32)
    _require_places(tiles)
    with jax.ensure_compile_time_eval():
        solvable = bool(_is_solvable(jnp.asarray(tiles.ravel())))
    if not solvable:
        raise InvalidInput(
            f"the map {rows} is not solvable: no way past the pits leads from S to K, and then to T"
        )
    return tiles


def _require_places(tiles: np.ndarray) -> None:
    """Walls and doors must be where they belong, and one S, one K and one T."""
    rooms = (tiles.shape[1] + 1) // (SIDE + 1)
    flat = tiles.ravel()
    for number, wall in enumerate(wall_positions(rooms).tolist(), 1):
        door = LOCKED if number == rooms - 1 else DOOR
        found = flat[wall].tolist()
        if sorted(found) != sorted([WALL] * (SIDE - 1) + [door]):
            column = "".join(TILES[tile] for tile in found)
            raise InvalidInput(
                f"column {number * (SIDE + 1)} of the map is {column!r} from the top; it parts two "
                f"rooms: right are four # and one {TILES[door]}, the last door being the locked one"
            )
    inside = flat[room_positions(rooms)]
    for tile in (WALL, DOOR, LOCKED):
        if (inside == tile).any():
            room = int((inside == tile).any(1).argmax()) + 1
            raise InvalidInput(f"{TILES[tile]!r} stands inside room {room} of the map; right: none")
    for tile, where, right in (
        (START, inside[:1], "in the first room"),
        (KEY, inside[:-1], "in a room before the last"),
        (TREASURE, inside[-1:], "in the last room"),
    ):
        if (inside == tile).sum() != 1 or not (where == tile).any():
            places = [room + 1 for room, _ in np.argwhere(inside == tile).tolist()]
            found = f"is in rooms {places}" if places else "is missing"
            raise InvalidInput(f"{TILES[tile]} of the map {found}; right: one, {right}")


def stack(maps: Sequence[np.ndarray]) -> Rooms:
    """A bank of maps `[M, 5, W]`, each as `parse_map` returns it."""
    if len(maps) == 0:
        raise InvalidInput("a bank of no maps; it needs at least one")
    return rooms_of(jnp.asarray(np.stack([tiles.ravel() for tiles in maps])))
