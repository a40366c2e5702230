"""Learning curves in a page: drawn once, as SVG, with what a script needs to point at them.

Matplotlib draws; the page's script only hides curves and says which evaluation the pointer is near.
So the same picture is there without a script, and on paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lprl_jax.results import plotting
from lprl_jax.results.plotting import Curve

POINTS_AN_INCH = 72
"""In which SVG counts."""


def draw(curves: Mapping[str, Curve], name: str, **look: Any) -> tuple[str, list[dict[str, Any]]]:
    """A chart for a page.

    Args:
        curves: By name.
        name: Of the chart, unique in the page: it begins the names of all that is in it.
        look: As `plotting.draw_learning_curves` takes it.

    Returns:
        The chart as an SVG element, and of each curve its evaluations: `x` and `y` in the chart's
        own units, `step`, and `middle`, `low` and `high` of its band, None where it has no ends.
    """
    figure = plotting.draw_learning_curves(curves, **look)
    svg = _element(plotting.as_svg(figure), name)
    return svg, [_evaluations(figure, i, curve) for i, curve in enumerate(curves.values())]


def _element(svg: str, name: str) -> str:
    """Without a file's head, and with names that no other chart of a page has."""
    body = svg[svg.index("<svg") :].rstrip()
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'((?:xlink:)?href="#)', rf"\g<1>{name}-", body)
    return re.sub(r"url\(#", f"url(#{name}-", body)


def _evaluations(figure: Figure, number: int, curve: Curve) -> dict[str, Any]:
    """Of a curve; the figure has been drawn, so that its layout stands."""
    axes = figure.axes[0]
    middle, low, high = plotting.bands(curve)
    pixels = axes.transData.transform(np.column_stack([curve.steps, middle]))
    points = pixels * POINTS_AN_INCH / figure.dpi
    height = figure.get_size_inches()[1] * POINTS_AN_INCH  # SVG counts from above
    return {
        "x": [round(float(x), 2) for x in points[:, 0]],
        "y": [round(float(height - y), 2) for y in points[:, 1]],
        "step": [round(float(step), 2) for step in curve.steps],
        "middle": _rounded(middle),
        "low": _rounded(low),
        "high": _rounded(high),
        "color": plotting.COLORS[number % len(plotting.COLORS)],
        "dashes": _dashes(number),
    }


def _dashes(number: int) -> str:
    """Of a curve, as SVG has them; empty of a whole line."""
    style = plotting.STYLES[number % len(plotting.STYLES)]
    return "" if isinstance(style, str) else " ".join(f"{2.4 * length:g}" for length in style[1])


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(float(value), 4) for value in values]
