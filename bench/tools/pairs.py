"""Ratios of what took turns: every turn of the one beside the same turn of the other is a pair."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tools.timing import Row, unmeasured

LOWER_QUARTILE = "/lower_quartile"
"""Ends the name of a ratio's row, in which `min` and `max` are over the pairs."""


def ratio_of_pairs(name: str, theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, Row]:
    """How many times as fast ours is, from seconds of every turn.

    Returns:
        The median of the pairs' ratios; and a row with their lower quartile, which three of four
        pairs reach: a ratio that stands on its median alone may have lost half of them.
    """
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    alone = len(ratios) == 1
    low, median, high = ratios * 3 if alone else statistics.quantiles(ratios, method="inclusive")
    note = f"of pairs; quartiles {low:.2f}, {median:.2f}, {high:.2f}"
    row = Row(name + LOWER_QUARTILE, low, "x", min(ratios), max(ratios), len(ratios), note=note)
    return median, row


def no_ratio(name: str, why: str) -> Row:
    """The row of a ratio that could not be measured."""
    return unmeasured(name + LOWER_QUARTILE, "x", why)
