"""The figures of docs/experiments/offline.py: how much data is needed for the same return."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
experiment: Any = importlib.import_module("offline")

ALL = [0.0, 0.2, 0.4, 0.6, 0.8]
"""CQL's return at the five sizes."""


def curves(returns: list[float]) -> np.ndarray:
    return np.tile(returns, (8, 1))


@pytest.mark.parametrize(
    ("prior", "share", "expected"),
    [
        (ALL, 1.0, 1.0),
        ([0.8, 0.8, 0.8, 0.8, 0.8], 1.0, 0.01),  # at 100 of 10,000 already
        ([0.0, 0.0, 0.8, 0.0, 0.0], 1.0, 0.1),  # at 1,000, and it stays reached
        ([0.0, 0.7, 0.9, 0.9, 0.9], 1.0, np.sqrt(300 * 1_000) / 10_000),  # half way in log size
        ([0.0, 0.1, 0.2, 0.3, 0.4], 1.0, None),
        # Half of CQL's return is reached by both at 1,000.
        ([0.0, 0.1, 0.4, 0.5, 0.5], 0.5, 1.0),
    ],
)
def test_the_share_of_the_data_that_is_needed(prior, share, expected) -> None:
    estimate, low, high = experiment.fraction(curves(ALL), curves(prior), share)
    assert estimate == low == high  # runs do not differ
    assert estimate == (expected if expected is None else pytest.approx(expected, abs=1e-4))


def test_nothing_is_no_level_to_reach() -> None:
    assert experiment.fraction(curves([0.0] * 5), curves(ALL), 1.0) == [None] * 3


def test_its_interval_is_over_paired_runs() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.2, size=(32, 1))
    cql, ours = curves(ALL)[:1] + noise, np.array([[0.3, 0.5, 0.7, 0.8, 0.8]]) + noise
    estimate, low, high = experiment.fraction(cql, ours, 1.0)
    assert low <= estimate <= high
    # What is easy for both moves both: the interval is narrow, .8 being reached at 3,000.
    assert (low, high) == pytest.approx((0.3, 0.3), abs=1e-6)
