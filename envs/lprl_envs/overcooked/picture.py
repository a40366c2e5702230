"""How a kitchen looks: from above, with what the agent holds and the dish beside it."""

from __future__ import annotations

from lprl_envs.overcooked.cells import (
    NUM_CELLS,
    SIDE,
    SPOTS,
)
from lprl_envs.overcooked.kinds import Kind
from lprl_envs.overcooked.kitchens import Kitchens
from lprl_envs.overcooked.rules import DELIVERED, HELD, HOME, IN_BOWL, ON_BOARD
from lprl_envs.overcooked.states import EnvState
from lprl_envs.render import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    MUTED,
    PAPER,
    PURPLE,
    RED,
    Canvas,
    Color,
    Picture,
    Tile,
)

_EDGE, _MARGIN, _SIDEBAR = 64, 24, 190
_COUNTER, _BOARD = "#e9e2d6", "#c8a26b"
_COLORS: dict[str, Color] = {"tomato": RED, "lettuce": GREEN, "onion": PURPLE}


def draw_kitchen(kind: Kind, kitchen: Kitchens, state: EnvState) -> Picture:
    """One instance, without M, and a state; leaves on the host."""
    grid = _EDGE * (SIDE + 2)
    canvas = Canvas(grid + 2 * _MARGIN + _SIDEBAR, grid + 2 * _MARGIN)
    canvas.box(_MARGIN, _MARGIN, grid, grid, _COUNTER, radius=6)
    for cell in range(NUM_CELLS):
        tile = _tile(canvas, *divmod(cell, SIDE))
        canvas.box(tile.x, tile.y, _EDGE, _EDGE, PAPER, outline=LINE)
    for spot in SPOTS:
        tile = _tile(canvas, *spot)
        canvas.box(tile.x, tile.y, _EDGE, _EDGE, outline=LINE)
    delivery = _at(canvas, int(kitchen.delivery))
    delivery.box(0.06, 0.06, 0.88, 0.88, BLUE, 0.08)
    canvas.text(delivery.x + _EDGE / 2, delivery.y + _EDGE / 2, "serve", 15, PAPER)
    boards = [_at(canvas, int(place)) for place in kitchen.boards]
    for b, tile in enumerate(boards):
        tile.box(0.06, 0.14, 0.88, 0.72, _BOARD, 0.1)
        canvas.text(tile.x + 8, tile.y + 19, str(b + 1), 11, PAPER, "lm")
    homes = [_at(canvas, int(place)) for place in kitchen.home]
    for tile, at in zip(homes, (*state.where, state.bowl), strict=True):
        if at != HOME:
            tile.disc(0.5, 0.5, 0.07, LINE)  # where it belongs
    agent = _tile(canvas, *divmod(int(state.agent), SIDE))
    agent.disc(0.5, 0.5, 0.42, INK)
    agent.disc(0.5, 0.5, 0.36, LINE)
    delivered = Tile(canvas, delivery.x, delivery.y - 4, _EDGE)
    spots = {HELD: agent, DELIVERED: delivered}
    spots |= {ON_BOARD + b: tile for b, tile in enumerate(boards)}
    _draw_bowl(kind, state, {HOME: homes[-1], **spots}[int(state.bowl)])
    for f, food in enumerate(kind.foods):
        at = int(state.where[f])
        if at != IN_BOWL:
            tile = {HOME: homes[f], **spots}[at]
            _draw_food(tile, _COLORS[food], bool(state.chopped[f]))
    _draw_dish(canvas, kind, kitchen, grid)
    return canvas.picture()


def _tile(canvas: Canvas, row: int, column: int) -> Tile:
    """A cell of the floor or of the counter: rows and columns from -1 to 5."""
    return Tile(canvas, _MARGIN + (column + 1) * _EDGE, _MARGIN + (row + 1) * _EDGE, _EDGE)


def _at(canvas: Canvas, place: int) -> Tile:
    return _tile(canvas, *SPOTS[place])


def _draw_bowl(kind: Kind, state: EnvState, tile: Tile) -> None:
    tile.disc(0.5, 0.5, 0.32, GREY)
    tile.disc(0.5, 0.5, 0.27, PAPER)
    inside = [food for f, food in enumerate(kind.foods) if state.where[f] == IN_BOWL]
    for i, food in enumerate(inside):
        x = 0.5 + 0.15 * (i - (len(inside) - 1) / 2)
        tile.disc(x, 0.5, 0.1, _COLORS[food])


def _draw_food(tile: Tile, color: Color, is_chopped: bool) -> None:
    """A ball, or four pieces."""
    if not is_chopped:
        tile.disc(0.5, 0.5, 0.22, color)
        return
    for x in (0.4, 0.6):
        for y in (0.4, 0.6):
            tile.disc(x, y, 0.085, color)


def _draw_dish(canvas: Canvas, kind: Kind, kitchen: Kitchens, grid: int) -> None:
    """The recipe, and which colour is which food."""
    x, y = grid + 2 * _MARGIN, _MARGIN + 20
    canvas.text(x, y, "the dish", 16, MUTED, "lm")
    for f, food in enumerate(kind.foods):
        row = y + 34 * (f + 1)
        canvas.disc(x + 10, row, 10, _COLORS[food])
        canvas.text(x + 32, row, food, 16, INK if kitchen.recipe[f] else MUTED, "lm")
        if kitchen.recipe[f]:
            canvas.path([(x + 120, row), (x + 127, row + 7), (x + 140, row - 8)], GREEN, 3)
