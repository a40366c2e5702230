"""A model's prior by table, by memory and live, from the config to the run: the same figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lprl_envs import InvalidInput
from priors.tiny import tiny_model
from small_experiment import fields

from lprl_jax.experiments import config, evaluate, run_directory, runner
from lprl_jax.lm import checkpoint

ACCESS = ("table", "memo", "live")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "tiny"
    checkpoint.save(path, tiny_model())
    return str(path)


@pytest.fixture(scope="module")
def runs(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for access in ACCESS:
        found[access] = tmp_path_factory.mktemp(access) / "run"
        own = fields(prior=model, prior_access=access, k=3, memo_slots=256)
        runner.run(config.parse(own), found[access], progress=False)
    return found


def lines(run: Path) -> list[dict[str, Any]]:
    return run_directory.read_lines(run / run_directory.METRICS)


def test_all_ways_to_the_model_learn_alike(runs: dict[str, Path]) -> None:
    table, memo, live = (lines(runs[access]) for access in ACCESS)
    for a, b, c in zip(table, memo, live, strict=True):
        for name in ("success", "return", "loss", "episodes"):
            for other in (b, c):
                np.testing.assert_allclose(a.get(name, 0), other.get(name, 0), atol=2e-4)
        assert a["queries"] == b["queries"] == c["queries"]


def test_a_memory_asks_each_state_once(runs: dict[str, Path]) -> None:
    table, memo, live = (lines(runs[access])[-1]["evaluations"] for access in ACCESS)
    assert memo <= table + 4  # of texts that share cells some are kept later
    assert memo < lines(runs["memo"])[-1]["queries"] == live


def test_a_run_with_a_memory_is_continued_to_the_bit(
    runs: dict[str, Path], model: str, tmp_path: Path
) -> None:
    own = fields(prior=model, prior_access="memo", k=3, memo_slots=256)
    first = {**own, "total_steps": own["total_steps"] - own["eval_every"]}
    runner.run(config.parse(first), tmp_path / "run", progress=False)
    runner.run(config.parse(own), tmp_path / "run", progress=False, resume=True)
    assert lines(tmp_path / "run") == lines(runs["memo"])


def test_it_is_played_with_another_access(runs: dict[str, Path]) -> None:
    by_memo = evaluate.run(runs["memo"], [])
    by_table = evaluate.run(runs["memo"], ["prior_access=table"])
    for a, b in zip(by_memo, by_table, strict=True):
        np.testing.assert_array_equal(a.success, b.success)


def test_a_memory_of_nothing_is_refused(model: str) -> None:
    with pytest.raises(InvalidInput, match="memo_slots is 0"):
        config.parse(fields(prior=model, prior_access="memo", memo_slots=0))
