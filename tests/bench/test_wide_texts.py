"""The suite of wide texts: both sides answer the same, and are compared."""

import importlib
from typing import Any

import pytest
from priors.tiny import tiny_model

from lprl_jax.lm import named

suite: Any = importlib.import_module("suites.wide_texts")
throughput: Any = importlib.import_module("throughput")


def test_rows_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "load", lambda *_: tiny_model())
    monkeypatch.setattr(suite, "CHUNK", 2)
    rows, ratios = suite.measure("tiny", "bathroom", (4,), 1)
    assert [row.name for row in rows] == ["wide_texts/narrow_B4", "wide_texts/all_B4"]
    assert {row.unit for row in rows} == {"states/s"}
    narrow, every = (row.note.split(" tokens")[0].split(", ") for row in rows)
    assert len(narrow) == 3
    assert narrow[-1:] == every
    (ratio,) = ratios.values()
    assert [*ratios] == ["wide_texts/narrow_vs_all_B4"]
    assert ratio.median == pytest.approx(rows[0].value / rows[1].value)
    assert throughput.SUITES["wide_texts"] is suite.run


def test_a_difference_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = suite.evaluate_where_needed
    monkeypatch.setattr(named, "load", lambda *_: tiny_model())
    monkeypatch.setattr(suite, "evaluate_where_needed", lambda *given: 0.9 * other(*given))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        suite.contenders("tiny", "bathroom", 2)
