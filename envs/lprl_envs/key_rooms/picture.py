"""How KeyRooms looks: the rooms from above, with the text's names of rows and columns."""

from __future__ import annotations

import numpy as np

from lprl_envs.key_rooms.rules import DOOR, FLOOR, KEY, LOCKED, PIT, TREASURE, WALL
from lprl_envs.key_rooms.text import column_name
from lprl_envs.render import BLUE, INK, MUTED, PAPER, RED, Canvas, Picture, Tile

BOARD, SEAM, STONE, MORTAR = "#efe6d8", "#dfd2bd", "#6d7480", "#565d68"
WOOD, PLANK, IRON, GOLD, SHINE, CHEST, SKIN = (
    *("#a9713f", "#7d5029", "#4b515b", "#e0b23c", "#f6dd8a", "#8a4f2a", "#f4cfa9"),
)
RIM, DEPTH, ABYSS = "#c9b99f", "#4a4038", "#1f1a17"
_MARGIN = 30
_LONG_SIDE, _LARGEST, _SMALLEST = 960, 56, 24
"""Pixels: of the longer side where tiles fit, and the bounds of a tile's edge."""
_ASIDE = {PIT: (0.0, 0.16), TREASURE: (0.14, -0.06), KEY: (0.12, 0.0)}
"""How far the agent stands from where it is on the floor, right and down."""


def draw_rooms(tiles: np.ndarray, position: int, has_key: bool) -> Picture:
    """Tiles `i32[5, W]` with the agent on a position; a key that it has is in its hand."""
    height, width = tiles.shape
    edge = max(_SMALLEST, min(_LARGEST, _LONG_SIDE // width))
    frame = edge // 4
    margin = _MARGIN + frame
    canvas = Canvas(width * edge + 2 * margin, height * edge + 2 * margin)
    around = width * edge + 2 * frame, height * edge + 2 * frame
    canvas.box(_MARGIN, _MARGIN, *around, MORTAR, radius=frame)
    for column in range(width):
        canvas.text(margin + (column + 0.5) * edge, 15, column_name(column), 14, MUTED)
    for row in range(height):
        canvas.text(15, margin + (row + 0.5) * edge, str(row + 1), 14, MUTED)
        for column in range(width):
            tile = Tile(canvas, margin + column * edge, margin + row * edge, edge)
            kind = int(tiles[row, column])
            _ground(tile, FLOOR if kind == KEY and has_key else kind, has_key)
    row, column = divmod(position, width)
    kind = int(tiles[row, column])
    right, down = _ASIDE.get(kind, (0.0, 0.0))
    place = margin + (column + right) * edge, margin + (row + down) * edge
    _agent(Tile(canvas, *place, edge), has_key, in_pit=kind == PIT)
    return canvas.picture()


def _ground(tile: Tile, kind: int, has_key: bool) -> None:
    """The floor or a wall, and what is on it."""
    if kind == WALL:
        tile.box(0, 0, 1, 1, MORTAR, 0)
        for x, y, length in ((0.03, 0.05, 0.94), (0.03, 0.37, 0.44), (0.53, 0.37, 0.44)):
            tile.box(x, y, length, 0.26, STONE, 0.04)
        tile.box(0.03, 0.69, 0.94, 0.26, STONE, 0.04)
        return
    tile.box(0, 0, 1, 1, SEAM, 0)
    tile.box(0.02, 0.02, 0.96, 0.96, BOARD, 0.04)
    if kind in (DOOR, LOCKED):
        _door(tile, is_shut=kind == LOCKED and not has_key)
    elif kind == PIT:
        for radius, color in ((0.42, RIM), (0.37, DEPTH), (0.27, ABYSS)):
            tile.disc(0.5, 0.5, radius, color)
    elif kind == KEY:
        _key(tile, 0.28, 0.5, 1.0)
    elif kind == TREASURE:
        _chest(tile)


def _door(tile: Tile, is_shut: bool) -> None:
    """Posts above and below, and the leaf: across the way with a lock, or folded back."""
    for y in (0.0, 0.86):
        tile.box(0.2, y, 0.6, 0.14, PLANK, 0.03)
    if not is_shut:
        tile.box(0.24, 0.12, 0.56, 0.1, WOOD, 0.03)
        return
    tile.box(0.3, 0.1, 0.4, 0.8, WOOD, 0.04)
    for y in (0.24, 0.72):
        tile.box(0.3, y, 0.4, 0.06, IRON, 0.02)
    tile.box(0.37, 0.38, 0.26, 0.26, GOLD, 0.05)
    tile.disc(0.5, 0.48, 0.05, INK)
    tile.box(0.475, 0.48, 0.05, 0.12, INK, 0.01)


def _key(tile: Tile, x: float, y: float, size: float) -> None:
    """A key that points right; `x` and `y` are of its bow."""
    tile.disc(x, y, 0.15 * size, GOLD)
    tile.disc(x, y, 0.07 * size, BOARD)
    tile.box(x + 0.12 * size, y - 0.035 * size, 0.42 * size, 0.07 * size, GOLD, 0.02)
    for right in (0.34, 0.45):
        tile.box(x + right * size, y, 0.06 * size, 0.15 * size, GOLD, 0.01)


def _chest(tile: Tile) -> None:
    tile.box(0.14, 0.34, 0.72, 0.5, CHEST, 0.06)
    tile.box(0.14, 0.26, 0.72, 0.26, WOOD, 0.12)
    for x in (0.22, 0.7):
        tile.box(x, 0.26, 0.08, 0.58, GOLD, 0.02)
    tile.box(0.43, 0.44, 0.14, 0.18, GOLD, 0.03)
    tile.disc(0.5, 0.53, 0.03, INK)
    tile.disc(0.36, 0.2, 0.05, SHINE)


def _agent(tile: Tile, has_key: bool, in_pit: bool) -> None:
    """A figure in a pointed hat, which looks nowhere; in a pit, what of it is above."""
    if not in_pit:
        tile.box(0.31, 0.53, 0.38, 0.38, BLUE, 0.17)
    tile.disc(0.5, 0.42, 0.17, SKIN)
    tile.polygon([(0.3, 0.36), (0.5, 0.06), (0.7, 0.36)], RED)
    tile.box(0.27, 0.32, 0.46, 0.07, PAPER, 0.03)
    tile.disc(0.44, 0.46, 0.02, INK)
    tile.disc(0.56, 0.46, 0.02, INK)
    if has_key:
        _key(tile, 0.56, 0.7, 0.6)
