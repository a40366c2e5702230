"""How a household looks: a shelf of boxes, a receptacle each, with what is known to be in them.

A picture shows no more than the text tells. Three columns; a box stands closed, open, or not looked
at; the agent's has a frame. Under them the hand, above them the goal.
"""

from __future__ import annotations

from typing import Any

from lprl_envs.household.kits import LAMP, Kit
from lprl_envs.household.states import COLD, HOT
from lprl_envs.render import (
    BLUE,
    GREY,
    INK,
    LINE,
    MUTED,
    PAPER,
    RED,
    YELLOW,
    Canvas,
    Color,
    Picture,
)

_COLUMNS = 3
_WIDTH, _GAP, _MARGIN, _HEAD = 250, 12, 24, 22
"""Pixels."""
_LINE, _SIZE = 16, 12
_PER_BOX = 6
"""Lines of a box; what is more is counted."""
_CLEAN = "#228833"


def draw_room(kit: Kit, room: Any, state: Any, goal: str) -> Picture:
    """A state of an instance, both on the host, and the goal in words."""
    height = _HEAD + _PER_BOX * _LINE + 8
    rows = -(-kit.num_receptacles // _COLUMNS)
    width = 2 * _MARGIN + _COLUMNS * (_WIDTH + _GAP) - _GAP
    canvas = Canvas(width, 3 * _MARGIN + 40 + rows * (height + _GAP))
    canvas.text(_MARGIN, _MARGIN + 6, f"Your task is to {goal}.", 15, INK, "ls")
    for r, name in enumerate(kit.receptacles):
        x = _MARGIN + (r % _COLUMNS) * (_WIDTH + _GAP)
        y = _MARGIN + 20 + (r // _COLUMNS) * (height + _GAP)
        if room.present[r]:
            _draw_box(
                canvas, (x, y, height), name, _lines(kit, room, state, r), int(state.at) == r + 1
            )
    held = [o for o in range(kit.num_objects) if state.where[o] == kit.hand]
    bottom = _MARGIN + 20 + rows * (height + _GAP) + 18
    canvas.text(_MARGIN, bottom, "In the hand:", 13, MUTED, "ls")
    for o in held or [None]:
        text, color = _object(kit, state, o) if o is not None else ("nothing", MUTED)
        canvas.text(_MARGIN + 90, bottom, text, 13, color, "ls")
    return canvas.picture()


def _lines(kit: Kit, room: Any, state: Any, r: int) -> list[tuple[str, Color]] | str:
    """What to write in a box: lines with their colours, or why nothing."""
    is_here, is_open = int(state.at) == r + 1, bool(state.open[r])
    if not state.seen[r]:
        return "closed" if is_here else "not looked at"
    inside = [o for o in range(kit.num_objects) if state.where[o] == r]
    lines = [_object(kit, state, o) for o in inside]
    if int(room.lamp) == r:
        lines.append((f"{LAMP}, turned on", YELLOW) if state.lit else (LAMP, INK))
    if is_open:
        lines.insert(0, ("open", MUTED))
    elif is_here and room.openable[r]:
        lines.insert(0, ("closed", MUTED))
    if len(lines) > _PER_BOX:
        more = len(lines) - _PER_BOX + 1
        lines = [*lines[: _PER_BOX - 1], (f"and {more} more", MUTED)]
    return lines


def _object(kit: Kit, state: Any, o: int) -> tuple[str, Color]:
    """Its name with what was done to it."""
    words, color = [], INK
    if state.clean[o]:
        words, color = ["clean"], _CLEAN
    temperature = int(state.temperature[o])
    if temperature == HOT:
        words, color = [*words, "hot"], RED
    if temperature == COLD:
        words, color = [*words, "cold"], BLUE
    suffix = f" ({' and '.join(words)})" if words else ""
    return f"{kit.objects[o]}{suffix}", color


def _draw_box(
    canvas: Canvas,
    place: tuple[float, float, float],
    name: str,
    lines: list[tuple[str, Color]] | str,
    is_here: bool,
) -> None:
    x, y, height = place
    fill = "#f4f6f8" if isinstance(lines, str) else PAPER
    outline = BLUE if is_here else LINE
    line = 3.0 if is_here else 1.5
    canvas.box(x, y, _WIDTH, height, fill, outline=outline, line=line, radius=8)
    canvas.text(x + 10, y + 17, name, 13, BLUE if is_here else MUTED, "ls")
    if isinstance(lines, str):
        canvas.text(x + _WIDTH / 2, y + height / 2, lines, _SIZE, GREY)
        return
    for i, (text, color) in enumerate(lines):
        canvas.text(x + 18, y + _HEAD + 13 + i * _LINE, text, _SIZE, color, "ls")
