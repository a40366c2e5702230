"""Whether log-probabilities, as files hold them, are distributions over the legal actions."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-3
"""By which probabilities may miss a sum of 1: they were rounded on their way."""


def wrong(log_probs: np.ndarray, legal: np.ndarray) -> np.ndarray:
    """Which rows are none, `bool[...]`, of `f32[..., A]` and `bool[..., A]`.

    A distribution is finite on the legal actions, -inf on the others, and sums to 1.
    """
    finite = np.where(legal, np.isfinite(log_probs), log_probs == -np.inf).all(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.exp(log_probs).sum(-1)
    return ~finite | ~(np.abs(total - 1.0) <= TOLERANCE)


def describe(log_probs: np.ndarray, legal: np.ndarray) -> str:
    """What is wrong with one row, `[A]` each."""
    for action in np.flatnonzero(legal & ~np.isfinite(log_probs)):
        return f"{log_probs[action]} for the legal action {action}"
    for action in np.flatnonzero(~legal & (log_probs != -np.inf)):
        return f"{log_probs[action]:.4g} for the illegal action {action}, which must have -inf"
    with np.errstate(over="ignore"):
        return f"probabilities add up to {np.exp(log_probs).sum():.4g}"
