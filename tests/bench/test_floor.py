"""The yardstick of the suites: how much of the least time is in what was taken."""

import importlib
from typing import Any

import pytest

floor: Any = importlib.import_module("tools.floor")
timing: Any = importlib.import_module("tools.timing")


def test_who_takes_twice_the_floor_has_half_of_it() -> None:
    """1,000 FLOP take 2 s, 1,000 bytes 8 s: 3,000 FLOP and 500 bytes 6 + 4 s."""
    found = {
        "a/product": timing.Contender(lambda: None, 1e-6, "GFLOP/s"),
        "a/copy": timing.Contender(lambda: None, 1e-6, "GB/s"),
    }
    seconds = {"a/product": [2.0], "a/copy": [8.0], "x": [20.0]}
    costs = floor.Costs(flops=3_000, bytes=500)
    assert floor.share(costs, found, seconds, "a", "x") == pytest.approx((0.5, 0.5, 0.5))


def test_what_the_floor_is_made_of_says_how_much_it_does() -> None:
    found = floor.contenders("a", 8_000)
    assert {name: x.amount for name, x in found.items()} == {
        "a/product": 2 * 1_024**3 / 1e9,
        "a/copy": 16_000 / 1e9,  # read and written
    }
    assert found["a/product"].call().shape == (1_024, 1_024)
    assert found["a/copy"].call().nbytes == 8_000
