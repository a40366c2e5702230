"""LINVIT's NumPy twin plans as ours does, and learns; the clock does not start otherwise."""

import importlib
from typing import Any

import numpy as np
import pytest

tabular: Any = importlib.import_module("suites.tabular")
numpy_linvit: Any = importlib.import_module("peers.numpy_linvit")


def test_both_sides_play(monkeypatch):
    kept = []
    monkeypatch.setattr(tabular, "agree", lambda *sides: kept.append(sides))
    ours, theirs = tabular.sides(4, 10)
    config, state, twin = kept[0]
    monkeypatch.undo()
    tabular.agree(config, state, twin)
    assert ours.amount == theirs.amount == 40
    before = twin.counts.sum()
    theirs.call()
    steps = twin.counts.sum() - before
    assert 40 <= steps <= 40 * 20
    gaps = [numpy_linvit.episode(twin).mean() for _ in range(300)]
    assert gaps[-1] < gaps[0] - 0.1
    twin.temperature *= 1.1
    with pytest.raises(SystemExit, match="differ"):
        tabular.agree(config, state, twin)
    assert np.isfinite(gaps).all()
