"""Pictures of the pattern environments: pixels as soft squares, objects as balls on a floor.

The hidden pattern shows faintly: pictures are for people.
"""

from __future__ import annotations

import string
from collections.abc import Iterator

import numpy as np

from lprl_envs.render import BLUE, MUTED, RED, Canvas, Picture

_CELL = 36
_MARGIN = 30
_OFF, _HIDDEN = "#f1f4f8", "#cfdcec"
_FLOOR, _FLOOR_DARK, _SHADOW, _SHINE = "#f6efe3", "#efe5d4", "#ddcfb6", "#8fb3d6"


def draw_image(image: np.ndarray, hidden: np.ndarray, pixel: int) -> Picture:
    """A picture so far and the hidden one, both bool[H, W], and the pixel to decide on."""
    canvas = _sheet(image.shape)
    for x, y, row, col in _corners(image.shape):
        fill = BLUE if image[row, col] else _HIDDEN if hidden[row, col] else _OFF
        canvas.box(x + 2, y + 2, _CELL - 4, _CELL - 4, fill, radius=6)
    _frame(canvas, pixel, image.shape)
    return canvas.picture()


def draw_floor(placed: np.ndarray, hidden: np.ndarray, offered: int) -> Picture:
    """Objects and the hidden pattern, both bool[H, W], and the cell that is offered."""
    canvas = _sheet(placed.shape)
    for x, y, row, col in _corners(placed.shape):
        canvas.box(x, y, _CELL, _CELL, _FLOOR_DARK if (row + col) % 2 else _FLOOR)
        x, y = x + _CELL / 2, y + _CELL / 2
        if placed[row, col]:
            canvas.disc(x + 1.5, y + 2.5, 12, _SHADOW)
            canvas.disc(x, y, 12, BLUE)
            canvas.disc(x - 3.5, y - 4, 3.5, _SHINE)
        elif hidden[row, col]:
            canvas.disc(x, y, 12, _SHADOW)
            canvas.disc(x, y, 10.5, _FLOOR_DARK if (row + col) % 2 else _FLOOR)
    _frame(canvas, offered, placed.shape)
    return canvas.picture()


def _sheet(shape: tuple[int, ...]) -> Canvas:
    """An empty sheet with the names of the rows and columns."""
    height, width = shape
    canvas = Canvas(width * _CELL + 2 * _MARGIN, height * _CELL + 2 * _MARGIN)
    for col, letter in enumerate(string.ascii_lowercase[:width]):
        canvas.text(_MARGIN + (col + 0.5) * _CELL, _MARGIN / 2, letter, 13, MUTED)
    for row in range(height):
        canvas.text(_MARGIN / 2, _MARGIN + (row + 0.5) * _CELL, str(row + 1), 13, MUTED)
    return canvas


def _corners(shape: tuple[int, ...]) -> Iterator[tuple[float, float, int, int]]:
    """Upper left corner, row and column of every cell."""
    for row, col in np.ndindex(*shape):
        yield _MARGIN + col * _CELL, _MARGIN + row * _CELL, row, col


def _frame(canvas: Canvas, cell: int, shape: tuple[int, ...]) -> None:
    row, col = divmod(cell, shape[1])
    x, y = _MARGIN + col * _CELL, _MARGIN + row * _CELL
    canvas.box(x, y, _CELL, _CELL, outline=RED, line=2.5, radius=7)
