"""The suite of learners behind a memory: what is warm asks nobody, and learns the same."""

import importlib
from typing import Any

import jax
import pytest
from priors.tiny import tiny_model

from lprl_jax.lm import named

suite: Any = importlib.import_module("suites.memo_training")
throughput: Any = importlib.import_module("throughput")


def test_rows_and_their_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "load", lambda *_: tiny_model())
    monkeypatch.setattr(suite, "RUNS", 2)
    rows, ratios = suite.measure("tiny", "bathroom", 4_096, 2, 1)
    dqn, warm, cold = rows
    assert [row.name for row in rows] == [suite.DQN, suite.WARM, suite.COLD]
    assert warm.note == "R = 2, N = 1; 40 questions, 0 run through the model"
    assert cold.note.startswith("R = 2, N = 1; 42 questions, ")  # also those of the first states
    assert ", 0 run" not in cold.note
    (ratio,) = ratios.values()
    assert [*ratios] == ["household/dqn_prior_memo/dqn"]
    assert ratio.median == pytest.approx(warm.value / dqn.value)
    assert throughput.SUITES["memo"] is suite.run


def test_another_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    started = suite.training

    def other(*given: Any, carry: Any = None, **fields: Any) -> Any:
        found = started(*given, carry=carry, **fields)
        if carry is None:
            return found
        state, metrics = found.call()
        wrong = state._replace(params=jax.tree.map(lambda x: x + 1, state.params))
        return suite.dataclasses.replace(found, call=lambda: (wrong, metrics))

    monkeypatch.setattr(named, "load", lambda *_: tiny_model())
    monkeypatch.setattr(suite, "RUNS", 2)
    monkeypatch.setattr(suite, "training", other)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        suite.measure("tiny", "bathroom", 4_096, 2, 1)
