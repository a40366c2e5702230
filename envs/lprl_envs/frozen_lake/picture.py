"""How Frozen Lake looks: the map from above, with the text's names of rows and columns."""

from __future__ import annotations

import string

import numpy as np

from lprl_envs.frozen_lake.maps import GOAL, HOLE, START
from lprl_envs.render import BLUE, GREEN, INK, MUTED, PAPER, RED, YELLOW, Canvas, Picture, Tile

ICE, GLINT, SHORE = "#dcedf8", "#f3f9fd", "#b4d3e8"
WATER, DEPTH, RIM = "#35668c", "#1f4463", "#f8fbfd"
_MARGIN = 30
_LONG_SIDE, _LARGEST, _SMALLEST = 640, 72, 16
"""Pixels: of the map's longer side where tiles fit, and the bounds of a tile's edge."""
_ASIDE = {HOLE: (0.0, 0.16), GOAL: (0.15, 0.06)}
"""How far the agent stands from where it is on ice, right and down: sunk in, beside the flag."""


def draw_lake(tiles: np.ndarray, position: int) -> Picture:
    """A map `i32[H, W]` with the agent on the cell `position`."""
    height, width = tiles.shape
    edge = max(_SMALLEST, min(_LARGEST, _LONG_SIDE // max(height, width)))
    canvas = Canvas(width * edge + 2 * _MARGIN, height * edge + 2 * _MARGIN)
    canvas.box(_MARGIN - 5, _MARGIN - 5, width * edge + 10, height * edge + 10, SHORE, radius=10)
    for column in range(width):
        name = string.ascii_lowercase[column]
        canvas.text(_MARGIN + (column + 0.5) * edge, 13, name, 14, MUTED)
    for row in range(height):
        canvas.text(12, _MARGIN + (row + 0.5) * edge, str(row + 1), 14, MUTED)
        for column in range(width):
            tile = Tile(canvas, _MARGIN + column * edge, _MARGIN + row * edge, edge)
            _ground(tile, tiles[row, column], seed=row * width + column)
    row, column = divmod(position, width)
    right, down = _ASIDE.get(int(tiles[row, column]), (0.0, 0.0))
    x, y = _MARGIN + (column + right) * edge, _MARGIN + (row + down) * edge
    _agent(Tile(canvas, x, y, edge), is_in_water=bool(tiles[row, column] == HOLE))
    return canvas.picture()


def _ground(tile: Tile, kind: int, seed: int) -> None:
    """Ice, with a few glints that `seed` places, and what is on it."""
    tile.box(0.015, 0.015, 0.97, 0.97, ICE, 0.08)
    if kind == HOLE:
        _hole(tile)
        return
    rng = np.random.default_rng(seed)
    for x, y, length in rng.uniform((0.1, 0.35, 0.1), (0.6, 0.85, 0.22), (3, 3)).tolist():
        tile.path([(x, y), (x + length, y - length)], GLINT, 0.03)
    if kind == START:
        tile.disc(0.5, 0.56, 0.33, PAPER)
        tile.disc(0.5, 0.56, 0.29, SHORE)
        tile.disc(0.5, 0.56, 0.23, ICE)
    if kind == GOAL:
        _flag(tile)


def _hole(tile: Tile) -> None:
    """Broken ice: a jagged rim, water, and the dark of the depth."""
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    for scale, color in ((0.42, RIM), (0.36, WATER), (0.27, DEPTH)):
        radius = scale * (1 + 0.07 * np.cos(7 * angles))
        rim = np.stack([0.5 + radius * np.cos(angles), 0.5 + radius * np.sin(angles)], axis=1)
        tile.polygon([(x, y) for x, y in rim.tolist()], color)
    tile.path([(0.36, 0.41), (0.47, 0.41)], WATER, 0.03)
    tile.path([(0.5, 0.58), (0.63, 0.58)], WATER, 0.03)


def _flag(tile: Tile) -> None:
    tile.disc(0.225, 0.87, 0.08, SHORE)
    tile.box(0.2, 0.1, 0.05, 0.78, INK, 0.02)
    tile.polygon([(0.25, 0.11), (0.86, 0.27), (0.25, 0.45)], GREEN)


def _agent(tile: Tile, is_in_water: bool) -> None:
    """A figure in a bobble hat, which looks nowhere; in the water, what of it is above."""
    if not is_in_water:
        tile.box(0.31, 0.53, 0.38, 0.38, BLUE, 0.17)
    tile.box(0.33, 0.55, 0.34, 0.1, YELLOW, 0.05)
    tile.disc(0.5, 0.42, 0.17, "#f4cfa9")
    tile.polygon([(0.33, 0.37), (0.39, 0.2), (0.61, 0.2), (0.67, 0.37)], RED)
    tile.box(0.31, 0.33, 0.38, 0.08, PAPER, 0.04)
    tile.disc(0.5, 0.18, 0.07, PAPER)
    tile.disc(0.44, 0.46, 0.02, INK)
    tile.disc(0.56, 0.46, 0.02, INK)
