"""Figures as sentences write them, under the names by which pages quote them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

Numbers = dict[str, str]
"""What a page may quote, `{{experiment.name}}`: as it is written there, by its name."""


def slug(text: str) -> str:
    """A table row's name as a part of a figure's: `embedded, 2 % uniform`, `embedded-2-uniform`."""
    return re.sub(r"[^\w.]+", "-", text.lower().replace("'", "")).strip("-")


def share(value: float, digits: int = 2) -> str:
    """`.86`, `1.00`."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def percent(value: float) -> str:
    """Of a share: `19 %`; `under 1 %` and `over 99 %` where rounding would say none or all."""
    text = f"{100 * value:.0f} %"
    if text == "0 %" and value > 0:
        return "under 1 %"
    return "over 99 %" if text == "100 %" and value < 1 else text


def count(value: float) -> str:
    """`1,536`."""
    return f"{value:,.0f}"


def estimate(
    name: str, found: Sequence[float | None], shown: Callable[[float], str] = share
) -> dict[str, str]:
    """An estimate with its interval, and either end: `name`, `.interval`, `.low`, `.high`.

    Args:
        name: Of the estimate.
        found: Estimate, low, high; the ends are None of too few runs, and are not to be quoted.
        shown: How a number is written.
    """
    middle, *ends = (None if x is None else shown(x) for x in found)
    assert middle is not None
    if None in ends:
        return {name: middle}
    low, high = map(str, ends)
    return {
        name: middle,
        f"{name}.interval": f"{middle} [{low}, {high}]",
        f"{name}.low": low,
        f"{name}.high": high,
    }


def interval(found: Sequence[float]) -> str:
    """An estimate with its interval: `.46 [.40, .52]`."""
    middle, low, high = map(share, found)
    return f"{middle} [{low}, {high}]"


def reached(name: str, summary: str) -> dict[str, str]:
    """Of `1,536 [1,280, 1,792], 32/32`, which tables show: `name`, `.interval`, `.runs`.

    What was never reached in the median is `> 60,000`, as it is there.
    """
    steps, _, runs = summary.rpartition(", ")
    return {
        name: steps.partition(" [")[0],
        f"{name}.interval": steps,
        f"{name}.runs": runs.partition("/")[0],
    }


def within(prefix: str, found: Mapping[str, str]) -> dict[str, str]:
    """The same figures, their names behind a prefix."""
    return {f"{prefix}.{name}": value for name, value in found.items()}
