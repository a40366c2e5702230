"""docs/own-environment.md: its world is what a user would save, and what it says holds."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import lprl_envs
import numpy as np
import pytest
from lprl_envs import check_env

from lprl_jax import dqn
from lprl_jax.algorithms.base import Data
from lprl_jax.cli.main import main
from lprl_jax.lm.taught import StrangeText

PAGE = (Path(__file__).parents[2] / "docs" / "own-environment.md").read_text()
CODE, YAML = (
    re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[0] for kind in ("python", "yaml")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a user has saved the page's two files."""
    (tmp_path / "corridor.py").write_text(CODE)
    (tmp_path / "corridor.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("corridor", None)


def test_it_is_forty_lines() -> None:
    assert len([line for line in CODE.splitlines() if line.strip()]) <= 40


def test_it_reads_as_the_page_says(folder: Path) -> None:
    env, _ = lprl_envs.make("corridor:Corridor")
    params = env.params_of([7])
    state = env.initial_state(jax.random.key(0), jax.numpy.int32(0), params)
    assert f"```\n{env.describe(state, params)}\n```" in PAGE
    assert all(f"`{text}`" in PAGE for text in env.action_texts)


def test_it_keeps_the_contract(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env, _ = lprl_envs.make("corridor:Corridor", length=7)
    check_env(env, env.sample_params(jax.random.key(0), 8))
    assert main(["check", "corridor:Corridor", "num_instances=8"]) == 0
    assert "corridor:Corridor keeps the contract" in capsys.readouterr().out


def test_its_config_trains_resumes_and_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "corridor.yaml", "--out", "run", "--quiet"]) == 0
    assert main(["train", "corridor.yaml", "--out", "run", "--quiet", "--resume"]) == 0
    assert main(["eval", "run", "eval_episodes=8"]) == 0
    assert main(["report", "run", "-o", "report.html"]) == 0
    assert main(["watch", "run"]) == 0
    assert "The treasure is in cell" in capsys.readouterr().out
    call = ["measure", "corridor:Corridor", "num_instances=16", "--model", "embedded-early-1"]
    with pytest.warns(StrangeText, match="embedded-early-1 is asked about Corridor"):
        assert main(call) == 0
    (folder / "corridor.py").write_text(CODE.replace("time_limit = 20", "time_limit = 30"))
    assert main(["train", "corridor.yaml", "--out", "run", "--quiet", "--resume"]) == 2
    assert "the module of its environment has changed" in capsys.readouterr().err
    assert "Corridor" in (folder / "report.html").read_text()


def test_a_learner_finds_the_treasure_and_a_habit_does_so_half_the_time(folder: Path) -> None:
    env, _ = lprl_envs.make("corridor:Corridor", length=7)
    params = env.sample_params(jax.random.key(1), 16)
    config = dqn.DQNConfig(learning_rate=0.01, epsilon_steps=500, buffer_size=1_000)
    algorithm = dqn.make(config, env, None)
    data, keys = Data((), params), jax.random.split(jax.random.key(1), 4)
    every = jax.numpy.broadcast_to(params.instances, (4, 16))
    state = algorithm.init(keys, config.hparams(4), data, every)
    state, _ = algorithm.train(state, data, 3_000 // config.num_envs)
    assert np.median(algorithm.evaluate(state, data, 16)["success"]) > 0.9
    half = np.asarray(params.bank) > 3
    assert 0 < half.mean() < 1  # " right" alone finds these


def test_a_member_that_is_missing_is_named(folder: Path) -> None:
    for part, words in (("slots", "abstract class Corridor .*slots"), ("draw", "lacks draw")):
        space: dict[str, Any] = {}
        exec(CODE.replace(f"def {part}(", "def other("), space)
        with pytest.raises(TypeError, match=words):
            space["Corridor"]()
