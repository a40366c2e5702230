"""How cart pole looks: the track from end to end, the cart, the pole in its length."""

from __future__ import annotations

import math

from lprl_envs.render import BLUE, GREY, INK, LINE, MUTED, RED, YELLOW, Canvas, Picture

_METRE = 110
"""Pixels."""
_HALF = 2.4
"""Metres from the middle of the track to either end, where an episode is over."""
_WIDTH, _HEIGHT, _RAIL = 640, 420, 360
_CART = 84, 40
"""Pixels: width and height."""


def draw_cart(x: float, theta: float, length: float) -> Picture:
    """A cart at `x` m off the middle with a pole of 2 * `length` m that leans by `theta` rad."""
    canvas = Canvas(_WIDTH, _HEIGHT)
    middle, end = _WIDTH / 2, _HALF * _METRE
    canvas.box(middle - end, _RAIL + 12, 2 * end, 6, LINE, radius=3)
    for metres in range(-2, 3):
        place = middle + metres * _METRE
        canvas.box(place - 1, _RAIL + 18, 2, 8, GREY)
        canvas.text(place, _RAIL + 38, f"{metres} m", 13, MUTED)
    for side in (-1, 1):
        canvas.box(middle + side * end - 4, _RAIL - 14, 8, 32, RED, radius=3)
    width, height = _CART
    left, top = middle + x * _METRE - width / 2, _RAIL - height
    for wheel in (0.22, 0.78):
        canvas.disc(left + wheel * width, _RAIL + 1, 11, INK)
    canvas.box(left, top, width, height, BLUE, radius=8)
    axle = left + width / 2, top + 6
    tip = (
        axle[0] + 2 * length * _METRE * math.sin(theta),
        axle[1] - 2 * length * _METRE * math.cos(theta),
    )
    canvas.path([axle, tip], YELLOW, 12)
    for place in (axle, tip):
        canvas.disc(*place, 6, YELLOW)
    canvas.disc(*axle, 4, INK)
    return canvas.picture()
