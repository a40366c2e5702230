"""The search suite: both sides find the same, and what they find is compared."""

import importlib
from typing import Any

import numpy as np
import pytest

numpy_slinvit: Any = importlib.import_module("peers.numpy_slinvit")
search: Any = importlib.import_module("suites.search")
throughput: Any = importlib.import_module("throughput")


def test_rows_and_ratios() -> None:
    rows, ratios = search.measure([(2, 3), (1, 2)], copies=1, repeats=1)
    assert [row.name for row in rows] == [
        "search/slinvit", "search/numpy", "search/slinvit/N1_k2", "search/numpy/N1_k2",
    ]  # fmt: skip
    assert list(ratios) == ["search/slinvit_vs_numpy", "search/slinvit_vs_numpy/N1_k2"]
    assert ratios["search/slinvit_vs_numpy"].median == pytest.approx(rows[0].value / rows[1].value)
    assert {row.unit for row in rows} == {"nodes/s"}
    assert rows[0].note == rows[1].note
    assert "602 instances" in rows[0].note
    assert throughput.SUITES["search"] is search.run


def test_a_difference_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = numpy_slinvit.solve
    monkeypatch.setattr(
        numpy_slinvit, "solve", lambda *given: honest(*given[:3], np.arange(5), *given[4:])
    )
    with pytest.raises(AssertionError):
        search.contenders(1, 2, copies=1)


def test_the_peer_by_hand() -> None:
    # b on a, c beside them; a shall lie on c. a is buried under b: unstacking it is worth -0 - 0,
    # picking up c -1 - 0. Then b put down (0) or on c (-1): down; a taken up (.5), laid on c.
    on, goal = np.array([[-1, 0, -1]]), np.array([[2, -1, -1]])
    found = numpy_slinvit.solve(on, goal, np.array([5]), np.arange(3), 1, 1)
    assert [x.tolist() for x in found] == [[True], [4], [4]]
    assert on.tolist() == [[-1, 0, -1]]
    # Out of budget one action before.
    found = numpy_slinvit.solve(on, goal, np.array([3]), np.arange(3), 1, 1)
    assert [x.tolist() for x in found] == [[False], [3], [3]]
