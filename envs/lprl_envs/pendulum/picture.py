"""How pendulum looks: the pole about its axle, an arc the way it turns, where it shall be."""

from __future__ import annotations

import math

from lprl_envs.render import BLUE, GREEN, INK, LINE, MUTED, RED, Canvas, Picture

_SIDE, _METRE = 400, 120
"""Pixels: of the picture, and of a metre."""


def draw_pole(theta: float, theta_dot: float, length: float) -> Picture:
    """A pole of `length` m that stands `theta` rad right of up and turns right by `theta_dot`."""
    canvas = Canvas(_SIDE, _SIDE)
    reach = length * _METRE
    for sixteenth in range(16):
        canvas.disc(*_at(sixteenth * math.pi / 8, reach), 2, LINE)
    canvas.disc(*_at(0.0, reach), 7, GREEN)
    if abs(theta_dot) >= 0.05:
        arc = [_at(theta + theta_dot * part / 80, 0.7 * reach) for part in range(21)]
        canvas.path(arc, RED, 4)
        canvas.disc(*arc[-1], 6, RED)
    canvas.path([_at(0.0, 0.0), _at(theta, reach)], BLUE, 16)
    canvas.disc(*_at(theta, reach), 8, BLUE)
    canvas.disc(*_at(0.0, 0.0), 11, INK)
    canvas.disc(*_at(0.0, 0.0), 4, MUTED)
    return canvas.picture()


def _at(theta: float, radius: float) -> tuple[float, float]:
    """Pixels of a point so far from the axle, at so many rad right of up."""
    return _SIDE / 2 + radius * math.sin(theta), _SIDE / 2 - radius * math.cos(theta)
