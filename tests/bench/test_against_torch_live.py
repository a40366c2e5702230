"""The live prior on both sides: turns, ratios, one prior, and absence of torch."""

import importlib
import json
import os
from typing import Any

import numpy as np
import pytest

from lprl_jax.experiments import config

live: Any = importlib.import_module("suites.against_torch_live")
live_training: Any = importlib.import_module("tools.live_training")
timing: Any = importlib.import_module("tools.timing")

RATIOS = [
    "training/dqn_prior_live_vs_torch_live",
    "training/dqn_prior_live_vs_torch_live/50_maps",
]


def test_without_torch_ratios_are_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "unavailable", lambda: "torch is not installed")
    rows, ratios = live.run(quick=True)
    assert json.loads(json.dumps(ratios)) == dict.fromkeys(RATIOS)
    assert [(row.value, row.note) for row in rows] == [(None, "torch is not installed")] * 4
    assert len({row.name for row in rows}) == 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning here")
def test_turns_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[tuple[Any, ...]] = []
    priors = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])

    def bank(overrides: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
        (text,) = overrides
        count = int(text.removeprefix("env_params.num_instances="))
        return [str(i % 2) for i in range(count)], priors[np.arange(count) % 2]

    def ours(count: int, windows: int) -> dict[str, Any]:
        turns.append(("ours", count))
        return {"rates": [100.0 / count] * windows, "compile_seconds": 1.0}

    def theirs(kind: str, steps: int, threads: int, windows: int, rows: str) -> dict[str, Any]:
        turns.append((kind, rows))
        return {"rates": [2.0] * windows, "prior_at_start": priors[int(rows)]}

    monkeypatch.setattr(live, "unavailable", lambda: "")
    for function in (bank, ours, theirs):
        monkeypatch.setattr(live, function.__name__, function)
    before = os.sched_getaffinity(0)
    rows, ratios = live.run(quick=False)
    assert os.sched_getaffinity(0) == before
    one = [("ours", 1), ("live_embedded", "0")] * 4
    fifty = [turn for map in "0101" for turn in (("ours", 50), ("live_embedded", map))]
    assert turns == one + fifty
    assert timing.medians(ratios) == dict(zip(RATIOS, [50.0, 1.0], strict=True))
    assert [row.value for row in rows] == [100.0, 2.0, 2.0, 2.0]
    assert {row.repeats for row in rows} == {20}
    monkeypatch.setattr(live, "bank", lambda overrides: (["0"] * 50, priors[:1] + 0.01))
    with pytest.raises(AssertionError):
        live.run(quick=True)


def test_ours_is_the_demo_but_for_the_live_prior() -> None:
    demo = config.read("frozen_lake_dqn_prior")
    ours = config.read("frozen_lake_dqn_prior", live_training.overrides(50, 256))
    assert ours.config.prior_access == "live"
    assert (ours.bank.num_instances, ours.num_runs) == (50, 256)
    assert (ours.algorithm, ours.config.prior) == (demo.algorithm, "embedded")
    assert ours.algorithm.num_envs == 1


def test_windows_after_the_first() -> None:
    small = ("prior=uniform", "env_params.map_name=4x4", "hidden_sizes=[8]")
    overrides = (*live_training.overrides(2, 2), *small)
    report = live_training.measure(config.read("frozen_lake_dqn_prior", overrides), windows=2)
    assert len(report["rates"]) == 2
    assert min(report["rates"]) > 0
    assert report["compile_seconds"] > 0
