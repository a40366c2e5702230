"""How KeyRooms reads: its template, and what lies around a cell."""

from __future__ import annotations

import string

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.key_rooms.rules import (
    FLOOR,
    KEY,
    SIDE,
    WALL,
    move,
    room_positions,
    wall_positions,
    width_of,
)
from lprl_envs.template import Literal, Scope, Slot, Template

ACTION_TEXTS = (" left", " down", " right", " up")
"""They continue "Move"."""
NEIGHBOURS = (" wall", " floor", " key", " pit", " treasure", " door")
# What a neighbouring tile reads as: index into NEIGHBOURS. Doors are alike: which is locked, the
# instance's part says, and whether it opens, the key.
_TILE_WORD = np.array([0, 1, 1, 2, 3, 4, 5, 5], np.int32)


def column_name(column: int) -> str:
    """Letters as in a spreadsheet: a to z, then aa, ab and so on."""
    letters = string.ascii_lowercase
    return letters[column] if column < 26 else f"a{letters[column - 26]}"


def neighbours(position: jax.Array, has_key: jax.Array, tiles: jax.Array, width: int) -> jax.Array:
    """`i32[4]`: what lies left, down, right and up, as indices into NEIGHBOURS."""
    cells = move(position, jnp.arange(4, dtype=jnp.int32), width)
    found = jnp.where(cells == position, WALL, tiles[cells])  # off the grid
    found = jnp.where((found == KEY) & has_key, FLOOR, found)
    return jnp.asarray(_TILE_WORD)[found]


def template_of(rooms: int) -> Template:
    """The wording for so many rooms: a word a pit, so that every map is a choice of values."""
    width = width_of(rooms)
    cells = tuple(f" {column_name(c)}{r + 1}" for r in range(SIDE) for c in range(width))
    walls = [tuple(cells[place] for place in wall) for wall in wall_positions(rooms)]
    doors = [Slot(f"door {i}", wall, Scope.INSTANCE) for i, wall in enumerate(walls, 1)]
    pits = [cells[place] for place in room_positions(rooms).ravel()]
    opened = [Literal("\nDoors", Scope.INSTANCE), *doors[:-1]] if rooms > 2 else []
    return Template(
        (
            Literal("Take the key, open the locked door, reach the treasure, avoid pits.\nKey"),
            Slot("key", cells, Scope.INSTANCE),
            *opened,
            Literal("\nLocked door", Scope.INSTANCE),
            doors[-1],
            Literal("\nTreasure", Scope.INSTANCE),
            Slot("treasure", cells, Scope.INSTANCE),
            Literal("\nPits", Scope.INSTANCE),
            *(Slot(f"pit{cell}", ("", cell), Scope.INSTANCE) for cell in pits),
            Literal("\nAt", Scope.STATE),
            Slot("cell", cells),
            Slot("has key", (" without key", " with key")),
            Literal("; left", Scope.STATE),
            Slot("left", NEIGHBOURS),
            Literal(" down", Scope.STATE),
            Slot("down", NEIGHBOURS),
            Literal(" right", Scope.STATE),
            Slot("right", NEIGHBOURS),
            Literal(" up", Scope.STATE),
            Slot("up", NEIGHBOURS),
            Literal("\nMove", Scope.STATE),
        )
    )
