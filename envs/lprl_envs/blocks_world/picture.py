"""How Blocks World looks: stacks on a table under a gripper, and the goal, smaller, beside them.

A stack keeps its place while its lowest block stays, so that an episode's pictures follow each
other without jumps.
"""

from __future__ import annotations

from collections.abc import Sequence

from lprl_envs.blocks_world.instances import LETTERS
from lprl_envs.blocks_world.rules import HAND, NONE, TABLE
from lprl_envs.render import INK, LINE, MUTED, PAPER, Canvas, Color, Picture

_FILL: tuple[Color, ...] = (
    "#e05263", "#4477aa", "#ee8a3c", "#f5d547", "#ffffff", "#c2418f",
    "#2f3640", "#66ccee", "#3a9a4e", "#8a63c9", "#c3c9d1", "#c79a2b",
)  # fmt: skip
"""The colours that the text names, a to l."""
_DARK = (0, 1, 5, 6, 8, 9)
"""Blocks with a light letter."""
_SIDE, _GOAL_SIDE, _GAP, _MARGIN = 48, 30, 14, 24
"""Pixels."""
_WOOD = "#b08d6a"


def draw_blocks(on: Sequence[int], goal: Sequence[int]) -> Picture:
    """A state and its goal, as in `rules`."""
    n = len(on)
    table_width = n * (_SIDE + _GAP) + _GAP
    goal_towers = [tower for tower in _towers(goal, NONE) if len(tower) > 1]
    goal_width = max(2, n // 2) * (_GOAL_SIDE + _GAP) + _GAP
    floor = _MARGIN + (n + 2) * _SIDE
    canvas = Canvas(3 * _MARGIN + table_width + goal_width, floor + 2 * _MARGIN)

    canvas.box(_MARGIN, floor, table_width, 8, _WOOD, radius=4)
    towers = _towers(on, TABLE)
    for tower in towers:
        x = _MARGIN + _GAP + tower[0] * (_SIDE + _GAP)
        _draw_tower(canvas, tower, x, floor, _SIDE)
    tallest = max(map(len, towers), default=0)
    _draw_gripper(canvas, on, _MARGIN + table_width / 2, floor - (tallest + 2) * _SIDE)

    left = 2 * _MARGIN + table_width
    height = max(2, n) * _GOAL_SIDE + 3 * _MARGIN
    canvas.box(left, floor + 8 - height, goal_width, height, "#f4f6f8", radius=10)
    canvas.text(left + goal_width / 2, floor + 8 - height + _MARGIN, "goal", 15, MUTED)
    free = goal_width - len(goal_towers) * (_GOAL_SIDE + _GAP) + _GAP
    for i, tower in enumerate(goal_towers):
        x = left + free / 2 + i * (_GOAL_SIDE + _GAP)
        _draw_tower(canvas, tower, x, floor - 8, _GOAL_SIDE)
    return canvas.picture()


def _towers(below: Sequence[int], lowest: int) -> list[list[int]]:
    """Blocks from bottom to top, of every tower that stands on `lowest`."""
    upper = {lower: block for block, lower in enumerate(below) if lower >= 0}
    towers = [[block] for block, lower in enumerate(below) if lower == lowest]
    for tower in towers:
        while tower[-1] in upper:
            tower.append(upper[tower[-1]])
    return towers


def _draw_tower(canvas: Canvas, tower: Sequence[int], x: float, floor: float, side: float) -> None:
    for height, block in enumerate(tower, 1):
        _draw_block(canvas, block, x, floor - height * side, side)


def _draw_block(canvas: Canvas, block: int, x: float, y: float, side: float) -> None:
    outline = "#9aa3ae" if _FILL[block] == PAPER else _FILL[block]
    canvas.box(
        x + 1, y + 1, side - 2, side - 2, _FILL[block], outline=outline, line=1.5, radius=side / 8
    )
    color = PAPER if block in _DARK else INK
    canvas.text(x + side / 2, y + side / 2, LETTERS[block], side * 0.45, color)


def _draw_gripper(canvas: Canvas, on: Sequence[int], x: float, top: float) -> None:
    """Two fingers, between which a held block's upper edge is at `top`."""
    held = [block for block, below in enumerate(on) if below == HAND]
    reach = _SIDE / 2 + 5
    canvas.box(x - 3, 0, 6, top - 8, LINE)
    canvas.box(x - reach - 3, top - 12, 2 * reach + 6, 8, MUTED, radius=4)
    for finger in (x - reach, x + reach):
        canvas.box(finger - 3, top - 12, 6, 34, MUTED, radius=3)
    for block in held:
        _draw_block(canvas, block, x - _SIDE / 2, top, _SIDE)
