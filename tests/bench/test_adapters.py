"""The memory of runs that share a published model: what is asked for, and how it is counted."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

adapters: Any = importlib.import_module("suites.adapters")
processes: Any = importlib.import_module("tools.processes")


def test_without_the_model_the_row_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (row,), ratios = adapters.run(quick=True)
    assert (row.name, row.value, ratios) == ("training/smollm2_lora_4_runs", None, {})
    assert "lprl fetch smollm2" in row.note


def test_a_process_trains_four_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(processes, "peak", lambda command: (asked.append(command), (9.0, 2.5e9))[1])
    (row,), _ = adapters.run(quick=True, model="embedded")
    assert (row.value, row.unit, row.memory_bytes) == (2.5, "GB", 2.5e9)
    assert row.note == "4 runs of one update, 9 s in all"
    assert {"frozen_lake_gflan_lora", "policy=embedded", "prior=embedded", "num_runs=4"} <= {
        *asked[0]
    }


def test_memory_is_the_childs_peak() -> None:
    held = 200_000_000
    program = [sys.executable, "-S", "-c"]
    few = processes.peak([*program, "pass"])[1]
    seconds, many = processes.peak([*program, f"x = b'a' * {held}"])
    assert held / 2 < many - few < 4 * held
    assert 0 < seconds < 60
    with pytest.raises(RuntimeError, match="NameError: name 'nothing' is not defined"):
        processes.peak([*program, "nothing"])
