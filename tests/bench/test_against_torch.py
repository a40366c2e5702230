"""The suites that start processes: absence of torch, pinning, what is read from a run."""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

against_torch: Any = importlib.import_module("suites.against_torch")
processes: Any = importlib.import_module("tools.processes")
thousand_runs: Any = importlib.import_module("suites.thousand_runs")
throughput: Any = importlib.import_module("throughput")
timing: Any = importlib.import_module("tools.timing")


can_pin = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned here"
)


def test_without_torch_ratios_are_null_and_rows_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against_torch.importlib.util, "find_spec", lambda name: None)
    rows, ratios = against_torch.run(quick=True)
    assert json.loads(json.dumps(ratios)) == {
        "training/dqn_prior_table_vs_torch_cached": None,
        "training/dqn_prior_table_vs_torch_live": None,
        "training/dqn_prior_table_vs_torch_live_embedded": None,
    }
    for row in rows:
        assert row.value is None
        assert throughput.line(row).endswith("not measured: torch is not installed")


@can_pin
def test_turns_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = []

    def ours(cores: int, windows: int) -> tuple[float, list[float]]:
        turns.append(("ours", len(os.sched_getaffinity(0))))
        return 1.0, [100.0] * windows

    def theirs(kind: str, steps: int, threads: int, windows: int, rows: str) -> dict[str, Any]:
        turns.append((kind, threads))
        return {
            "prior_at_start": priors[int(rows)],
            "rates": [{"live": 1.0, "live_embedded": 2.0, "cached": 20.0}[kind]] * windows,
        }

    priors = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    monkeypatch.setattr(against_torch, "unavailable", lambda: "")
    monkeypatch.setattr(against_torch, "bank", lambda: (["0", "1"], priors))
    monkeypatch.setattr(against_torch, "ours", ours)
    monkeypatch.setattr(against_torch, "theirs", theirs)
    before = os.sched_getaffinity(0)
    rows, ratios = against_torch.run(quick=True)
    all_cores = sorted({len(before), 1}, reverse=True)
    kinds = ("ours", "cached", "live", "live_embedded")
    assert turns == [(kind, cores) for cores in all_cores for kind in kinds]
    assert os.sched_getaffinity(0) == before
    assert [row.value for row in rows] == [100.0, 20.0, 1.0, 2.0] * len(all_cores)
    assert {row.repeats for row in rows} == {10}
    assert list(timing.medians(ratios).values()) == [5.0, 100.0, 50.0] * len(all_cores)
    assert rows[-1].name == "training/torch_live_embedded/1_core"
    assert "training/dqn_prior_table_vs_torch_live/1_core" in ratios
    monkeypatch.setattr(against_torch, "bank", lambda: (["0", "1"], priors + 0.01))
    with pytest.raises(AssertionError):
        against_torch.run(quick=True)


def test_maps_and_our_priors_of_the_demo() -> None:
    maps, priors = against_torch.bank()
    assert len(maps) == 32
    assert all(len(rows) == 8 * 9 - 1 and rows.count("S") == rows.count("G") == 1 for rows in maps)
    np.testing.assert_allclose(priors.sum(1), 1.0, atol=1e-5)


@can_pin
def test_a_child_is_pinned_and_its_failure_named() -> None:
    core = min(os.sched_getaffinity(0))
    with processes.pinned([core]):
        printed = processes.output(
            [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"]
        )
    assert printed.strip() == str({core})
    with pytest.raises(RuntimeError, match="ValueError: no"):
        processes.output([sys.executable, "-c", "raise ValueError('no')"])


def test_seconds_of_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def lprl(command: list[str], **environment: str) -> None:
        """Leaves behind what `lprl_jax.experiments.runner` writes."""
        assert command[3:7] == ["--no-cache", "train", "frozen_lake_dqn_prior", "num_runs=4"]
        assert "k=3" in command
        folder = Path(command[-1])
        folder.mkdir()
        lines = [{"prepare_seconds": 1.0, "compile_seconds": 9.0}]
        for step, trained in ((0, 0.0), (10, 2.0), (20, 3.0)):
            lines.append({"step": step, "train_seconds": trained, "evaluate_seconds": 0.5})
        (folder / "timing.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    monkeypatch.setattr(processes, "output", lprl)
    training, evaluation = thousand_runs.measure(4, ("k=3",))
    assert training.name == "training/1000_runs_demo"
    assert (training.value, training.unit, training.compile_seconds) == (5.0, "s", 9.0)
    assert (evaluation.value, evaluation.note) == (1.5, "3 evaluations")
