"""The runner: what it writes, that equal experiments write equal bytes, and that states return."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml
from lprl_envs import InvalidInput

from lprl_jax import build, config, runner
from lprl_jax.algorithms.base import Data
from lprl_jax.checkpoint import Checkpoints

FIELDS = {
    "env": "FrozenLake-lprl",
    "env_params": {
        "map_name": "4x4",
        "is_slippery": False,
        "num_instances": 4,
        "split": "train",
        "instance_per_run": True,
    },
    "prior": "uniform",
    "num_runs": 4,
    "total_steps": 90,
    "eval_every": 30,
    "eval_episodes": 2,
    "buffer_size": 100,
    "batch_size": 4,
    "hidden_sizes": [8],
    "checkpoint_every": 2,
}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, runner.Result]]:
    """The same experiment, run two times."""
    folders = [tmp_path_factory.mktemp("runs") / name for name in ("a", "b")]
    experiment = config.parse(FIELDS)
    return [(folder, runner.run(experiment, folder, progress=False)) for folder in folders]


def test_equal_experiments_write_equal_bytes(twice: list[tuple[Path, runner.Result]]) -> None:
    (a, _), (b, _) = twice
    assert (a / "metrics.jsonl").read_bytes() == (b / "metrics.jsonl").read_bytes()
    assert (a / "config.yaml").read_bytes() == (b / "config.yaml").read_bytes()


def test_metrics_have_a_line_a_chunk_and_a_value_a_run(
    twice: list[tuple[Path, runner.Result]],
) -> None:
    folder, result = twice[0]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 30, 60, 90]
    assert all(len(line["success"]) == 4 for line in lines)
    assert result.success.shape == (4, 4)
    assert result.steps.tolist() == [0, 30, 60, 90]
    times = [json.loads(line) for line in (folder / "timing.jsonl").read_text().splitlines()]
    assert [line.get("step") for line in times] == [None, 0, 30, 60, 90]
    assert not any("seconds" in name for line in lines for name in line)


def test_the_written_config_is_the_experiment(twice: list[tuple[Path, runner.Result]]) -> None:
    folder, _ = twice[0]
    again = config.read(folder / "config.yaml")
    assert again.as_dict() == config.parse(FIELDS).as_dict()
    assert yaml.safe_load((folder / "config.yaml").read_text())["gamma"] == 0.99


def test_the_last_state_is_kept_and_comes_back(twice: list[tuple[Path, runner.Result]]) -> None:
    folder, _ = twice[0]
    experiment = config.parse(FIELDS)
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    prior = build.make_prior(experiment.config, env, params)
    algorithm = build.make_algorithm(experiment, env, prior)
    data = Data((), params)
    keys = jax.random.split(jax.random.key(0), 4)
    runs = build.run_instances(experiment, params)
    like = jax.jit(algorithm.init)(keys, experiment.algorithm.hparams(4), data, runs)
    like = runner.spread(runner.runs_mesh(4), like)
    with Checkpoints(folder / "checkpoints") as checkpoints:
        assert checkpoints.latest() == 90
        state = checkpoints.restore(90, like)
    assert int(state.num_steps) == 90
    assert int(state.replay.num_added) == 90
    assert state.key.dtype == keys.dtype  # typed keys survive
    moved = jax.tree.map(lambda a, b: np.any(a != b), state.params, like.params)
    assert all(jax.tree.leaves(moved))


def test_runs_use_every_device_that_divides_them() -> None:
    devices = len(jax.devices())
    assert runner.runs_mesh(4 * devices).shape == {"runs": devices}
    assert runner.runs_mesh(1).shape == {"runs": 1}


def test_one_instance_a_run_or_all() -> None:
    experiment = config.parse(FIELDS)
    _, params = build.make_env("FrozenLake-lprl", experiment.env_arguments, experiment.bank)
    assert build.run_instances(experiment, params).tolist() == [[0], [1], [2], [3]]
    every = {**FIELDS["env_params"], "instance_per_run": False}
    experiment = config.parse({**FIELDS, "env_params": every})
    assert build.run_instances(experiment, params).tolist() == [[0, 1, 2, 3]] * 4


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(InvalidInput, match="not empty"):
        runner.claim_directory(tmp_path)
    runner.claim_directory(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
