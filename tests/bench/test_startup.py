"""The suite of starts: which there are, what a process is asked, and what is not measured."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

suite: Any = importlib.import_module("suites.startup")
processes: Any = importlib.import_module("tools.processes")
throughput: Any = importlib.import_module("throughput")

SMALL = ("num_runs=2", "eval_episodes=1", "env_params.num_instances=2", "buffer_size=100")


def test_every_config_that_is_trained_is_started() -> None:
    shipped = {path.stem for path in (Path(__file__).parents[2] / "configs").glob("*.yaml")}
    planned = {name for name in shipped if "slinvit" in name}
    assert set(suite.trained()) == shipped - planned
    assert set(suite.QUICK) < set(suite.trained())
    assert throughput.SUITES["startup"] is suite.run


def test_rows_of_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start of each config finds an empty directory, the others what it left there."""
    asked: list[str] = []
    found: list[int] = []

    def start(name: str, overrides: Sequence[str], caches: Path) -> Any:
        asked.append(overrides[-2])
        found.append(len(list(caches.iterdir())))
        (caches / str(len(asked))).touch()
        return processes.Start(0.5, float(len(asked)), 2.0 + len(asked), 1.5)

    monkeypatch.setattr(processes, "start", start)
    names = "frozen_lake_dqn", "frozen_lake_dqn_prior", "cartpole_ppo"
    rows = suite.measure(names, repeats=3)
    assert found == [0, 1, 0, 1, 2, 3, 0, 1]
    steps = ["10"] * 2 + ["250"] * 4 + ["512"] * 2
    assert asked == [f"total_steps={number}" for number in steps]
    read = {r.name: (r.value, r.min, r.max, r.repeats, r.compile_seconds) for r in rows}
    assert read == {
        "startup/frozen_lake_dqn/first": (1, 1, 1, 1, 3),
        "startup/frozen_lake_dqn/second": (2, 2, 2, 1, 4),
        "startup/frozen_lake_dqn_prior/first": (3, 3, 3, 1, 5),
        "startup/frozen_lake_dqn_prior/second": (5, 4, 6, 3, 6),
        "startup/cartpole_ppo/first": (7, 7, 7, 1, 9),
        "startup/cartpole_ppo/second": (8, 8, 8, 1, 10),
    }
    assert rows[0].note == "0.5 s to the line of untrained runs; 1.5 s of work in all"


def test_what_is_not_there_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    rows = suite.measure(["frozen_lake_bc"])
    assert [row.value for row in rows] == [None, None]
    assert rows[0].note == "there is no results/frozen_lake.npz, which `lprl collect` makes"
    rows = suite.measure(["frozen_lake_dqn"], ["env_params.map_name=none"])
    assert [row.value for row in rows] == [None, None]
    assert rows[1].note.startswith("lprl: ")


def test_a_start_leaves_what_it_made_in_its_directory(tmp_path: Path) -> None:
    overrides = *SMALL, "env_params.map_name=4x4", "total_steps=10", "eval_every=10"
    first = processes.start("frozen_lake_dqn", overrides, tmp_path)
    kept = set(tmp_path.glob("lprl-jax/compiled/*/*-cache"))
    assert kept
    second = processes.start("frozen_lake_dqn", overrides, tmp_path)
    for one in (first, second):
        assert 0 < one.first_line <= one.first_update
        assert 0 < one.compiling < one.first_update
        assert one.work > 0
