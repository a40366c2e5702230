"""Families of binary patterns on an H x W grid: letters, frames, diagonals and others.

A family is a pure, jittable function `(key, (H, W)) -> bool[H, W]`, H and W static. No pattern is
empty and none is full, on any grid that is not smaller than the family's `smallest`.

The family `frames` is held out: nothing is trained on it. It is a fair test because it is new as a
whole and familiar in its parts. Its strokes are those of stripes, crosses and letters, and it is
closed as the outline of a diamond is. Whoever has learned to continue lines and to close outlines
can complete it; whoever has learned the families by heart cannot.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np

Shape = tuple[int, int]
"""H, W."""


@dataclasses.dataclass(frozen=True)
class Family:
    """Patterns of one kind."""

    draw: Callable[[chex.PRNGKey, Shape], jax.Array]
    """A random pattern `bool[H, W]`. Most take six uniform draws, so that a program that may draw
    from any of them generates these once, and compiles faster."""
    smallest: Shape
    """The smallest grid that it can be drawn on."""

    def fits(self, shape: Shape) -> bool:
        """Whether a grid is large enough."""
        return shape[0] >= self.smallest[0] and shape[1] >= self.smallest[1]


def between(chance: jax.Array, low: jax.Array | int, high: jax.Array | int) -> jax.Array:
    """`i32[]` from low to high, both included, by a uniform draw from [0, 1)."""
    return low + (chance * (high - low + 1)).astype(jnp.int32)


def letters(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """A capital letter of 7 x 5 cells anywhere; sometimes twice as large, where there is room."""
    chance = jax.random.uniform(key, (6,), dtype=jnp.float32)
    scale = between(chance[0], 1, min(shape[0] // 7, shape[1] // 5, 2))
    top = between(chance[1], 0, shape[0] - 7 * scale)
    left = between(chance[2], 0, shape[1] - 5 * scale)
    letter = jnp.asarray(_FONT)[between(chance[3], 0, len(_FONT) - 1)]
    rows, cols = _grid(shape)
    row, col = (rows - top) // scale, (cols - left) // scale
    inside = (row >= 0) & (row < 7) & (col >= 0) & (col < 5)
    return inside & letter[jnp.clip(row, 0, 6), jnp.clip(col, 0, 4)]


def frames(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """The outline of a rectangle anywhere, of side 3 or more; sometimes others nested in it."""
    chance = jax.random.uniform(key, (6,), dtype=jnp.float32)
    height, width = between(chance[0], 3, shape[0]), between(chance[1], 3, shape[1])
    top = between(chance[2], 0, shape[0] - height)
    left = between(chance[3], 0, shape[1] - width)
    single, nested = _frames_at(top, left, top + height - 1, left + width - 1, shape)
    return jnp.where(chance[4] < 0.5, nested, single)


def is_frame(grid: jax.Array) -> jax.Array:
    """`bool[]`: whether a pattern `bool[H, W]` is one of `frames`, whatever drew it."""
    shape = grid.shape[0], grid.shape[1]
    rows, cols = jnp.any(grid, axis=1), jnp.any(grid, axis=0)
    top, left = jnp.argmax(rows), jnp.argmax(cols)
    bottom, right = (
        grid.shape[0] - 1 - jnp.argmax(rows[::-1]),
        grid.shape[1] - 1 - jnp.argmax(cols[::-1]),
    )
    large = (bottom - top >= 2) & (right - left >= 2)
    alike = [jnp.all(grid == it) for it in _frames_at(top, left, bottom, right, shape)]
    return large & (alike[0] | alike[1])


def _frames_at(
    top: jax.Array, left: jax.Array, bottom: jax.Array, right: jax.Array, shape: Shape
) -> tuple[jax.Array, jax.Array]:
    """The outline of a rectangle, and the same with all those nested in it, `bool[H, W]` each."""
    rows, cols = _grid(shape)
    down, across = jnp.minimum(rows - top, bottom - rows), jnp.minimum(cols - left, right - cols)
    depth = jnp.minimum(down, across)  # from the outline inwards; negative outside
    return depth == 0, (depth >= 0) & (depth % 2 == 0)


def diagonals(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """A diagonal, in either direction, one or three cells thick, shifted; or both, as an X."""
    chance = jax.random.uniform(key, (6,), dtype=jnp.float32)
    most = jnp.where(chance[5] < 0.5, min(shape) - 2, 0)
    rows, cols = _grid(shape)
    falling = rows - cols - between(chance[0], -most, most)
    rising = rows + cols - (shape[1] - 1) - between(chance[1], -most, most)
    thick = jnp.abs(jnp.where(chance[2] < 0.5, falling, rising))
    thick = thick <= (chance[3] < 0.5).astype(jnp.int32)
    return jnp.where(chance[4] < 0.5, (falling == 0) | (rising == 0), thick)


def stripes(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """Rows or columns that are on: so many, every so many, from anywhere on."""
    chance = jax.random.uniform(key, (6,), dtype=jnp.float32)
    period = between(chance[0], 2, min(*shape, 8))
    width = between(chance[1], 1, period - 1)
    offset = between(chance[2], 0, period - 1)
    rows, cols = _grid(shape)
    line = jnp.where(chance[3] < 0.5, rows + 0 * cols, cols + 0 * rows)
    return (line + offset) % period < width


def checkers(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """A chessboard of fields of any height and width, up to 4, from anywhere on."""
    chance = jax.random.uniform(key, (6,), dtype=jnp.float32)
    most = min(*shape, 5) - 1
    height, width = between(chance[0], 1, most), between(chance[1], 1, most)
    down = between(chance[2], 0, 2 * height - 1)
    right = between(chance[3], 0, width - 1)
    rows, cols = _grid(shape)
    return ((rows + down) // height + (cols + right) // width) % 2 == 0


def diamonds(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """A diamond of any radius, anywhere; its outline, or filled."""
    chance = jax.random.uniform(key, (6,), dtype=jnp.float32)
    radius = between(chance[0], 1, (min(shape) - 1) // 2)
    row = between(chance[1], radius, shape[0] - 1 - radius)
    col = between(chance[2], radius, shape[1] - 1 - radius)
    rows, cols = _grid(shape)
    distance = jnp.abs(rows - row) + jnp.abs(cols - col)
    return jnp.where(chance[3] < 0.5, distance == radius, distance <= radius)


def symmetric(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """A random shape, its own mirror image left-right, up-down, or both; denser in the middle."""
    chance = jax.random.uniform(key, (shape[0] * shape[1] + 1,), dtype=jnp.float32)
    rows, cols = _grid(shape)
    down, right = jnp.minimum(rows, shape[0] - 1 - rows), jnp.minimum(cols, shape[1] - 1 - cols)
    density = 0.1 + 0.7 * (down / max(down.shape) + right / max(right.shape))
    cells = chance[:-1].reshape(shape) < density
    cells = cells.at[0, 0].set(False).at[(shape[0] - 1) // 2, (shape[1] - 1) // 2].set(True)
    mirrors = between(chance[-1], 0, 2)
    return cells[jnp.where(mirrors != 0, down, rows), jnp.where(mirrors != 1, right, cols)]


def crosses(key: chex.PRNGKey, shape: Shape) -> jax.Array:
    """A row and a column that cross anywhere, with four arms of any lengths."""
    chance = jax.random.uniform(key, (6,), dtype=jnp.float32)
    row, col = between(chance[0], 1, shape[0] - 2), between(chance[1], 1, shape[1] - 2)
    up, left = between(chance[2], 1, row), between(chance[3], 1, col)
    down = between(chance[4], 1, shape[0] - 1 - row)
    right = between(chance[5], 1, shape[1] - 1 - col)
    rows, cols = _grid(shape)
    upright = (cols == col) & (rows >= row - up) & (rows <= row + down)
    return upright | ((rows == row) & (cols >= col - left) & (cols <= col + right))


FAMILIES = {
    "letters": Family(letters, (7, 5)),
    "frames": Family(frames, (3, 3)),
    "diagonals": Family(diagonals, (3, 3)),
    "stripes": Family(stripes, (2, 2)),
    "checkers": Family(checkers, (2, 2)),
    "diamonds": Family(diamonds, (3, 3)),
    "symmetric": Family(symmetric, (3, 3)),
    "crosses": Family(crosses, (3, 3)),
}
HELD_OUT_FAMILIES = ("frames",)


def _grid(shape: Shape) -> tuple[jax.Array, jax.Array]:
    """Numbers of the rows `i32[H, 1]` and of the columns `i32[1, W]`."""
    rows, columns = (jnp.arange(size, dtype=jnp.int32) for size in shape)
    return rows[:, None], columns[None]


_FONT = np.array(
    [
        [[cell == "#" for cell in row] for row in letter.split()]
        for letter in (
            "..#.. .#.#. .#.#. #...# ##### #...# #...#",
            "####. #...# #...# ####. #...# #...# ####.",
            ".#### #.... #.... #.... #.... #.... .####",
            "###.. #..#. #...# #...# #...# #..#. ###..",
            "##### #.... #.... ###.. #.... #.... #####",
            "##### #.... #.... ###.. #.... #.... #....",
            ".#### #.... #.... #..## #...# #...# .####",
            "#...# #...# #...# ##### #...# #...# #...#",
            ".###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.",
            "..### ....# ....# ....# ....# #...# .###.",
            "#...# #..#. #.#.. ##... #.#.. #..#. #...#",
            "#.... #.... #.... #.... #.... #.... #####",
            "#...# ##.## #.#.# #.#.# #...# #...# #...#",
            "#...# ##..# ##..# #.#.# #..## #..## #...#",
            ".###. #...# #...# #...# #...# #...# .###.",
            "####. #...# #...# ####. #.... #.... #....",
            ".###. #...# #...# #...# #.#.# #..#. .##.#",
            "####. #...# #...# ####. #.#.. #..#. #...#",
            ".#### #.... #.... .###. ....# ....# ####.",
            "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
            "#...# #...# #...# #...# #...# #...# .###.",
            "#...# #...# #...# #...# .#.#. .#.#. ..#..",
            "#...# #...# #...# #.#.# #.#.# ##.## #...#",
            "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
            "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..",
            "##### ....# ...#. ..#.. .#... #.... #####",
        )
    ]
)
"""bool[26, 7, 5]: A to Z."""
