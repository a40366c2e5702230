"""Noisy rewards: are drawn ones those of the law in the mean? For the check `law_is_step`.

P pairs of state and action, D draws of each, K outcomes by the law. The mean reward of every
outcome is looked at, and that of all a pair's draws, among them those of rare outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lprl_envs.conformance.compare import first

MOST_ERRORS = 4.0
"""Standard errors that a mean may be off. By chance a right one is off 6 times in 100,000, so it is
drawn again: off twice, and to the same side, is 1 in 10^9."""
FEWEST_DRAWS = 100
"""An outcome that is drawn less often is not judged alone."""


class Means(NamedTuple):
    """Of drawn rewards; the last column is of all draws of a pair."""

    num: np.ndarray
    """i64[P, K + 1]: draws."""
    excess: np.ndarray
    """f64[P, K + 1]: by how much the mean is above the law's."""
    error: np.ndarray
    """f64[P, K + 1]: its standard error."""
    side: np.ndarray
    """f64[P, K + 1]: -1 too low, 0 right, 1 too high."""


def law_means(prob: np.ndarray, reward: np.ndarray, mention: np.ndarray) -> np.ndarray:
    """`f64[P, K]`: mean reward of each outcome; of one that is listed more often, of all of it.

    Args:
        prob: f32[P, K], like `reward`.
        reward: Of the law.
        mention: i32[P, K], where an outcome is listed first.
    """
    paid, total = np.zeros(prob.shape), np.zeros(prob.shape)
    rows = np.arange(len(prob))[:, None]
    np.add.at(paid, (rows, mention), prob.astype(float) * reward)
    np.add.at(total, (rows, mention), prob.astype(float))
    return paid / np.where(total > 0, total, 1.0)


def means_of(reward: np.ndarray, outcome: np.ndarray, law: np.ndarray) -> Means:
    """Drawn rewards against the law.

    Args:
        reward: f32[P, D].
        outcome: i32[P, D], which of the law's each draw is.
        law: f64[P, K], `law_means`.
    """
    excess = reward - np.take_along_axis(law, outcome, 1)
    columns = [outcome == column for column in range(law.shape[1])]
    num, mean, error = (
        np.stack(column, axis=-1)
        for column in zip(*(_mean(excess, is_in) for is_in in (*columns, True)), strict=True)
    )
    rounding = 1e-5 * np.abs(law).max(1, keepdims=True) + 1e-6
    is_off = (num >= FEWEST_DRAWS) & (np.abs(mean) > MOST_ERRORS * error + rounding)
    return Means(num, mean, error, np.sign(mean) * is_off)


def wrong_mean(found: Means, again: Callable[[], Means]) -> tuple[int, ...] | None:
    """The first place whose mean is off to the same side when it is drawn again."""
    return first(found.side * again().side > 0) if found.side.any() else None


def _mean(
    values: np.ndarray, is_in: np.ndarray | bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, mean and standard error `[P]` of those values `[P, D]` that are in."""
    is_in = np.broadcast_to(is_in, values.shape)
    num = is_in.sum(1)
    mean = np.where(is_in, values, 0.0).sum(1) / np.maximum(num, 1)
    squares = np.where(is_in, values - mean[:, None], 0.0) ** 2
    return num, mean, np.sqrt(squares.sum(1) / np.maximum(num - 1, 1) / np.maximum(num, 1))
