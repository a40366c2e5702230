"""How Frozen Lake reads: its template, and what lies around a cell."""

from __future__ import annotations

import string

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.frozen_lake.maps import move
from lprl_envs.template import Literal, Scope, Slot, Template

ACTION_TEXTS = (" left", " down", " right", " up")
"""They continue "Move"."""
NEIGHBOURS = (" ice", " hole", " goal", " edge")
EDGE = NEIGHBOURS.index(" edge")
# What a neighbouring tile reads as: index into NEIGHBOURS.
_TILE_WORD = np.array([0, 0, 1, 2], np.int32)


def neighbours(position: jax.Array, tiles: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """`i32[4]`: what lies left, down, right and up, as indices into NEIGHBOURS."""
    cells = move(position, jnp.arange(4, dtype=jnp.int32), shape)
    return jnp.where(cells == position, EDGE, jnp.asarray(_TILE_WORD)[tiles[cells]])


def template_of(shape: tuple[int, int], is_slippery: bool) -> Template:
    """The wording for maps of a size: a word a hole, so that every map is a choice of values."""
    height, width = shape
    cells = [f" {string.ascii_lowercase[c]}{r + 1}" for r in range(height) for c in range(width)]
    ice = "slippery" if is_slippery else "firm"
    intro = f"Cross the frozen lake to the goal and avoid holes. The ice is {ice}.\nHoles"
    return Template(
        (
            Literal(intro),
            *(Slot(f"hole{cell}", ("", cell), Scope.INSTANCE) for cell in cells),
            Literal("\nGoal", Scope.INSTANCE),
            Slot("goal", tuple(cells), Scope.INSTANCE),
            Literal("\nAt", Scope.STATE),
            Slot("cell", tuple(cells)),
            Literal(" left", Scope.STATE),
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
