"""What is made of measured seconds: ratios of pairs, their quartiles, how a report keeps them."""

import importlib
from typing import Any

import pytest

timing: Any = importlib.import_module("tools.timing")


def test_a_ratio_is_of_pairs() -> None:
    """Twice the work; pairs 2·8/1, 2·4/2, 2·6/6, 2·1/1, 2·9/3: 16, 4, 2, 2, 6."""
    contenders = {
        "fast": timing.Contender(lambda: None, 20.0, "x"),
        "slow": timing.Contender(lambda: None, 10.0, "x"),
    }
    seconds = {"fast": [1.0, 2.0, 6.0, 1.0, 3.0], "slow": [8.0, 4.0, 6.0, 1.0, 9.0]}
    assert timing.ratio(contenders, seconds, "fast", "slow") == (4.0, 2.0, 6.0)


def test_quartiles_lie_between_pairs() -> None:
    """Of 1, 2, 4, 8 the lower is at place .75 of 0 to 3, the upper at 2.25."""
    assert timing.Ratio.of([8.0, 1.0, 4.0, 2.0]) == (3.0, 1.75, 5.0)


def test_the_only_pair_is_all_there_is() -> None:
    assert timing.Ratio.of([3.0]) == (3.0, 3.0, 3.0)


def test_a_renewed_report_keeps_what_was_not_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "")  # which the program would set for all that come after
    throughput: Any = importlib.import_module("throughput")
    row = {"name": "a", "value": 1.0}
    old = {"rows": [row, {"name": "b"}], "ratios": {"r": 1.0, "s": 2.0}}  # without quartiles
    new = {"rows": [{**row, "value": 3.0}], "ratios": {"s": None}, "quartiles": {"s": None}}
    assert throughput.renewed(old, new) == {
        "rows": [{"name": "b"}, {"name": "a", "value": 3.0}],
        "ratios": {"r": 1.0, "s": None},
        "quartiles": {"s": None},
    }


def test_medians_of_ratios() -> None:
    found = {"a": timing.Ratio(2.0, 1.0, 3.0), "b": None}
    assert timing.medians(found) == {"a": 2.0, "b": None}
