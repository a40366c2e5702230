"""What `lprl measure` has found: a table, a verdict, JSON; intervals are over the instances.

A prior is judged by KL(π* ‖ p), since that is what its use costs: the price in nats of proposing by
it where one should act by π*. Priors answer in the same instances, so the interval is one of the
differences, instance by instance, and a prior beats another where all of it is on one side of 0.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lprl_jax.experiments.measuring import HABIT, ITSELF, UNIFORM, Measured, Row
from lprl_jax.results.comparison import interval, markdown
from lprl_jax.results.statistics import Interval, bootstrap_interval

CHOSEN = ("wording", "calibration")
HEAD = ["prior", *CHOSEN, "top-1", "covered by 5", "KL(π* ‖ p)"]


def table(measured: Measured) -> str:
    """A Markdown table, a row a distribution."""
    cells = []
    for row in measured.rows:
        name = f"{row.prior}, {row.what}" if row.what else row.prior
        numbers = [interval(_mean(x)) for x in row.scores]
        cells.append([name, *(row.options.get(option, "") for option in CHOSEN), *numbers])
    return markdown(HEAD, cells)


def caption(measured: Measured) -> str:
    """Of what the numbers are."""
    split = f"{measured.split} " if measured.split else ""
    return (
        f"{measured.env}: {measured.states:,} states of {measured.instances} {split}instances; "
        "means with 95 % intervals over the instances; KL in nats"
    )


def verdicts(measured: Measured) -> list[str]:
    """A line a prior: whether it beats the habit, and the uniform prior."""
    lines = []
    for row in _asked(measured):
        others = [other for other in (HABIT, UNIFORM) if other != row.prior]
        found = [_against(row, _of(measured, other)) for other in others]
        lines.append(f"{_named(row)} {' and '.join(found)}")
    return lines


def as_json(measured: Measured) -> dict[str, Any]:
    """Everything: means with their intervals, and differences to the habit and to uniform."""
    rows = [
        {"prior": row.prior, **row.options, "what": row.what}
        | {name: _plain(_mean(x)) for name, x in row.scores._asdict().items()}
        for row in measured.rows
    ]
    against = [
        {"prior": row.prior, **row.options, "other": other}
        | {"kl_saved": _plain(saved(row, _of(measured, other)))}
        for row in _asked(measured)
        for other in (HABIT, UNIFORM)
        if other != row.prior
    ]
    own = {name: getattr(measured, name) for name in ("env", "split", "instances", "states")}
    return {**own, "rows": rows, "against": against}


def saved(row: Row, other: Row) -> Interval:
    """By how many nats the KL of a row is below that of another, in the same instances."""
    return _mean(other.scores.kl - row.scores.kl)


def _against(row: Row, other: Row) -> str:
    """`beats habit (KL 0.12 against 0.69: 0.57 [0.51, 0.62] less)`."""
    less, more = saved(row, other), saved(other, row)
    if less.low is None or less.high is None:
        verb = "cannot be told from"
    else:
        verb = "beats" if less.low > 0 else "is worse than" if less.high < 0 else "does not beat"
    size, word = (less, "less") if less.estimate >= 0 else (more, "more")
    kls = f"KL {row.scores.kl.mean():.2f} against {other.scores.kl.mean():.2f}"
    return f"{verb} {other.prior} ({kls}: {interval(size)} {word})"


def _asked(measured: Measured) -> list[Row]:
    """The priors themselves, but for those that are only there to be compared with."""
    own = [row for row in measured.rows if row.what == ITSELF]
    asked = [row for row in own if row.prior not in (HABIT, UNIFORM)]
    return asked or [row for row in own if row.prior == HABIT]


def _of(measured: Measured, name: str) -> Row:
    return next(row for row in measured.rows if row.prior == name)


def _named(row: Row) -> str:
    plain = ("bare", "none")
    own = [row.options[name] for name in CHOSEN if row.options.get(name, "none") not in plain]
    return f"{row.prior} ({', '.join(own)})" if own else row.prior


def _mean(values: np.ndarray) -> Interval:
    return bootstrap_interval(values, np.mean)


def _plain(found: Interval) -> dict[str, float | None]:
    return dataclasses.asdict(found)
