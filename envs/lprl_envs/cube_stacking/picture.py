"""How cube stacking looks: the stack with an outline of its target, and the shelves of cubes left.

Everything is to scale, seen a little from above and from the right (an oblique projection). Every
cube has a place of its own on a shelf, so that nothing else moves when one is taken.
"""

from __future__ import annotations

import dataclasses
import string

from PIL import ImageColor

from lprl_envs.cube_stacking.cubes import Cubes
from lprl_envs.render import (
    BLUE,
    GREEN,
    INK,
    LINE,
    MUTED,
    PAPER,
    PURPLE,
    RED,
    YELLOW,
    Canvas,
    Color,
    Picture,
)

ORANGE = "#ee9944"
FILLS = (RED, BLUE, GREEN, YELLOW, PURPLE, ORANGE)
"""In the order of `COLORS`."""
_PALE = (YELLOW, ORANGE)
"""On which a letter is dark."""
_DEPTH = 0.3
"""How far an edge that leads away from us goes to the right, and up: part of its length."""
_MARGIN, _GAP, _BAR = 28, 16, 5
_TALLEST, _LARGEST_SCALE, _LOWEST_SHELF = 440, 20, 40
_LEGIBLE = 16
"""Pixels: of a smaller cube the letter stands beside it."""
_GHOST = "#f6f8fa"


def draw_cubes(cubes: Cubes, height: int) -> Picture:
    """An instance, `[n]` leaves on the host; the first `height` cubes of its target are stacked."""
    scale = min(_LARGEST_SCALE, _TALLEST / cubes.size.sum())
    edges = (cubes.size * scale).tolist()
    blocks = [
        _Block(letter, FILLS[color], edge)
        for letter, color, edge in zip(string.ascii_lowercase, cubes.color, edges, strict=False)
    ]
    half = (len(blocks) + 1) // 2
    shelves = blocks[:half], blocks[half:]
    stack = [blocks[cube] for cube in cubes.target]
    widest = max(block.width for block in blocks)
    room = [max(_LOWEST_SHELF, *(block.width for block in shelf)) + _MARGIN for shelf in shelves]
    floor = max(_MARGIN + sum(edges) + _DEPTH * widest, sum(room))
    left = 2 * _MARGIN + widest
    length = max(sum(block.width + _GAP for block in shelf) for shelf in shelves)
    canvas = Canvas(round(left + length + _MARGIN), round(floor + _MARGIN))
    _draw_stack(canvas, stack, height, middle=_MARGIN + widest / 2, floor=floor)
    for shelf, y in zip(shelves, (floor - room[1], floor), strict=True):
        _draw_shelf(canvas, shelf, stack[height:], left, y, length)
    return canvas.picture()


@dataclasses.dataclass(frozen=True)
class _Block:
    """A cube; it is drawn from the lower left corner of its front."""

    letter: str
    fill: Color
    edge: float
    """Pixels."""

    @property
    def width(self) -> float:
        """Also its height on paper: of the front, and of what is seen beside and above it."""
        return self.edge * (1 + _DEPTH)

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        front, top, side = self._faces(x, y)
        canvas.polygon(front, self.fill)
        canvas.polygon(top, _mix(self.fill, PAPER, 0.35))
        canvas.polygon(side, _mix(self.fill, INK, 0.3))
        for face in (front, top, side):
            canvas.path([*face, face[0]], _mix(self.fill, INK, 0.3), 0.7)
        ink = INK if self.fill in _PALE else PAPER
        if self.edge < _LEGIBLE:
            canvas.text(x + self.width + 8, y - self.edge / 2, self.letter, 11, MUTED)
        else:
            size = min(20, 6 + self.edge / 3)
            canvas.text(x + self.edge / 2, y - self.edge / 2, self.letter, size, ink)

    def outline(self, canvas: Canvas, x: float, y: float) -> None:
        for face in self._faces(x, y):
            canvas.polygon(face, _GHOST)
            canvas.path([*face, face[0]], LINE, 1.2)

    def _faces(self, x: float, y: float) -> list[list[tuple[float, float]]]:
        """Front, top and side."""
        e, d = self.edge, self.edge * _DEPTH
        top, right = y - e, x + e
        return [
            [(x, y), (x, top), (right, top), (right, y)],
            [(x, top), (x + d, top - d), (right + d, top - d), (right, top)],
            [(right, top), (right + d, top - d), (right + d, y - d), (right, y)],
        ]


def _draw_stack(
    canvas: Canvas, stack: list[_Block], height: int, middle: float, floor: float
) -> None:
    """The target, each cube in the middle of the one below; above `height` there are outlines."""
    bar = stack[0].width + _MARGIN
    canvas.box(middle - bar / 2, floor, bar, _BAR, LINE, radius=_BAR / 2)
    base = floor
    for place, block in enumerate(stack):
        x = middle - block.width / 2
        y = base + _DEPTH * (block.edge - stack[0].edge) / 2  # as far behind as it is smaller
        draw = block.draw if place < height else block.outline
        draw(canvas, x, y)
        base -= block.edge


def _draw_shelf(
    canvas: Canvas, shelf: list[_Block], free: list[_Block], x: float, y: float, length: float
) -> None:
    """Those cubes of a shelf that are free."""
    canvas.box(x, y, length, _BAR, LINE, radius=_BAR / 2)
    for block in shelf:
        if block in free:
            block.draw(canvas, x + _GAP / 2, y)
        x += block.width + _GAP


def _mix(color: Color, other: Color, share: float) -> Color:
    """A colour with a share of another."""
    pairs = zip(ImageColor.getrgb(color), ImageColor.getrgb(other), strict=True)
    return "#" + "".join(f"{round(x + share * (y - x)):02x}" for x, y in pairs)
