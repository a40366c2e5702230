"""How watch repair looks: the watch with its brand's numbers, and the road to the shop."""

from __future__ import annotations

import math

from lprl_envs.render import (
    BLUE,
    GREEN,
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
from lprl_envs.watch_repair.brands import TRIP, Brands
from lprl_envs.watch_repair.states import STEPS

_WIDTH, _HEIGHT = 560, 300
_BRAND_COLORS = (BLUE, GREEN, YELLOW, RED)
_ROAD = 36, 236, 488
"""Its left end, its height on the canvas, its length."""


def draw_watch(
    brands: Brands, brand: int, repaired: bool, clock: int, jams: int, tyres: int
) -> Picture:
    """One instance on the host, `[4]` leaves, and a state's numbers."""
    canvas = Canvas(_WIDTH, _HEIGHT)
    _watch(canvas, 108, 104, _BRAND_COLORS[brand], repaired)
    canvas.text(204, 36, f"Brand {brand}", 20, INK, "lm")
    numbers = (
        ("price", brands.price[brand] / 2),
        ("repair", brands.repair[brand] / 2),
        ("delivery", brands.delivery[brand] / 2),
        ("trip", TRIP),
    )
    for row, (name, number) in enumerate(numbers):
        y = 70 + 24 * row
        canvas.text(204, y, name, 16, MUTED, "lm")
        canvas.text(340, y, f"{number:.1f}", 16, INK, "rm")
    decision = "to be decided" if clock == 0 else "repaired" if repaired else "not repaired"
    color = MUTED if clock == 0 else GREEN if repaired else RED
    canvas.box(372, 66, 156, 40, color, radius=20)
    canvas.text(450, 86, decision, 16, PAPER)
    canvas.text(450, 132, f"jams {jams}, flat tyres {tyres}", 15, INK)
    _road(canvas, clock)
    return canvas.picture()


def _watch(canvas: Canvas, x: float, y: float, color: Color, repaired: bool) -> None:
    """A pocket watch; a broken one has a crack, and hands that hang."""
    canvas.disc(x, y - 76, 15, MUTED)
    canvas.disc(x, y - 76, 9, PAPER)
    canvas.box(x - 7, y - 68, 14, 16, MUTED, radius=3)
    canvas.disc(x, y, 62, color)
    canvas.disc(x, y, 52, PAPER)
    for hour in range(12):
        angle = math.tau * hour / 12
        canvas.disc(x + 44 * math.sin(angle), y - 44 * math.cos(angle), 2.5, MUTED)
    if repaired:
        canvas.path([(x, y), (x, y - 36)], INK, 4)
        canvas.path([(x, y), (x + 20, y + 14)], INK, 4)
    else:
        canvas.path([(x, y), (x - 4, y + 34)], INK, 4)
        canvas.path([(x, y), (x + 5, y + 24)], INK, 4)
        crack = [(x + 48, y - 20), (x + 28, y - 22), (x + 22, y - 8), (x + 6, y - 14)]
        canvas.path(crack, GREY, 3)
    canvas.disc(x, y, 5, INK)


def _road(canvas: Canvas, clock: int) -> None:
    """As far as the trip has come, and the shop at its end."""
    left, y, length = _ROAD
    here = left + length * clock / STEPS
    canvas.box(left, y - 6, length, 12, LINE, radius=6)
    canvas.box(left, y - 6, max(12, here - left), 12, BLUE, radius=6)
    canvas.disc(here, y, 12, BLUE)
    canvas.disc(here, y, 6, PAPER)
    canvas.text(left, y + 32, f"step {clock} of {STEPS}", 15, MUTED, "lm")
    canvas.text(left + length, y + 32, "shop", 15, MUTED, "rm")
    canvas.box(left + length - 4, y - 44, 4, 40, INK)
    canvas.polygon(
        [(left + length, y - 44), (left + length - 34, y - 33), (left + length, y - 22)], GREEN
    )
