"""Ratios of pairs: the median, and the quartile that stands beside it."""

import importlib
from typing import Any

import pytest

pairs: Any = importlib.import_module("tools.pairs")


def test_quartiles_by_hand() -> None:
    # Ratios 5, 1, 3, 2, 4: sorted, a quarter of the way from the first to the last is the second.
    median, row = pairs.ratio_of_pairs("a/b", [10.0, 1.0, 6.0, 1.0, 2.0], [2.0, 1.0, 2.0, 0.5, 0.5])
    assert median == 3.0
    assert (row.name, row.unit, row.repeats) == ("a/b/lower_quartile", "x", 5)
    assert (row.value, row.min, row.max) == (2.0, 1.0, 5.0)
    assert row.note == "of pairs; quartiles 2.00, 3.00, 4.00"


def test_quartiles_lie_between_pairs() -> None:
    # Of 1, 2, 4, 8 it is at place .75 of 0 to 3: 1 + .75 (2 - 1).
    median, row = pairs.ratio_of_pairs("a/b", [8.0, 1.0, 4.0, 2.0], [1.0] * 4)
    assert (row.value, median) == (1.75, 3.0)


def test_a_single_pair_is_all_of_its_quartiles() -> None:
    median, row = pairs.ratio_of_pairs("a/b", [3.0], [2.0])
    assert (median, row.value, row.min, row.max) == (1.5, 1.5, 1.5, 1.5)


def test_pairs_need_as_many_turns() -> None:
    with pytest.raises(ValueError, match="zip"):
        pairs.ratio_of_pairs("a/b", [3.0, 1.0], [2.0])
