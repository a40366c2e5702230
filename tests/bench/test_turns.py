"""Programs that take turns: when they work, and how they end."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

turns: Any = importlib.import_module("tools.turns")
BENCH = Path(turns.__file__).parents[1]


def program(code: str) -> Any:
    head = f"import sys; sys.path.insert(0, {str(BENCH)!r}); import time; from tools import turns; "
    return turns.Program([sys.executable, "-c", head + code])


def test_a_program_works_when_it_is_its_turn() -> None:
    with program("turns.serve(lambda: time.sleep(.05), steps=7)") as served:
        assert served.about == {"steps": 7}
        assert all(0.05 <= served.turn() < 5 for _ in range(2))


def test_the_reason_of_a_failure_is_kept() -> None:
    with pytest.raises(RuntimeError, match="ValueError: broken"):
        program("raise ValueError('broken')")
    with (
        program("turns.serve(lambda: 1 / 0)") as served,
        pytest.raises(RuntimeError, match="ZeroDivisionError"),
    ):
        served.turn()


def test_what_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LIMIT_SECONDS", 0.5)
    with pytest.raises(RuntimeError, match="no answer"):
        program("time.sleep(60)")
