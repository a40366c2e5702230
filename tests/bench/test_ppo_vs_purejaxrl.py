"""PPO against purejaxrl: why it is not measured, turns of processes, ratios of what took turns."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

suite: Any = importlib.import_module("suites.ppo_vs_purejaxrl")
turns: Any = importlib.import_module("tools.turns")
BENCH = Path(turns.__file__).parents[1]


@pytest.mark.parametrize(
    ("clone", "python", "words"),
    [
        ("", sys.executable, "PUREJAXRL is not set"),
        ("/no/such/clone", sys.executable, "PUREJAXRL is /no/such/clone, which does not exist"),
        (str(BENCH), "", "PUREJAXRL_PYTHON is not set"),
        (str(BENCH), sys.executable, "the clone of purejaxrl is at "),
    ],
)
def test_what_is_absent_is_said(
    monkeypatch: pytest.MonkeyPatch, clone: str, python: str, words: str
) -> None:
    monkeypatch.setenv("PUREJAXRL", clone)
    monkeypatch.setenv("PUREJAXRL_PYTHON", python)
    rows, ratios = suite.run(quick=True)
    assert len(rows) == 5
    assert all(row.value is None and words in row.note for row in rows)
    assert list(ratios.values()) == [None] * 3


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


def test_rates_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []

    class Served:
        def __init__(self, command: list[str], **environment: str):
            self.theirs = "peers" in " ".join(command)
            versions = {"jax": suite.jax.__version__}
            self.about = {"steps": 100, "compile_seconds": 1.0, "versions": versions}
            self.about |= {"stand_ins": ["brax"]}

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def turn(self) -> float:
            order.append(self.theirs)
            return 2.0 if self.theirs else 0.5

    monkeypatch.setattr(turns, "Program", Served)
    monkeypatch.setenv("PUREJAXRL", "clone")
    monkeypatch.setenv("PUREJAXRL_PYTHON", "python")
    rows, ratios = suite.measure({suite.THEIRS: "", suite.OURS: ""}, 1, 3)
    assert order == [True, False] * 3
    assert [row.value for row in rows] == [50.0, 200.0]
    assert ratios == {"training/ppo_vs_purejaxrl": 4.0}
    assert rows[0].note.startswith("commit 31756b1; jax")
    assert rows[0].note.endswith("empty modules for brax")
