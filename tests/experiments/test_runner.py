"""The runner: what it writes, that equal experiments write equal bytes, and that states return."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jax
import numpy as np
import pytest
import yaml
from lprl_envs import InvalidInput
from small_experiment import FIELDS, fields

from lprl_jax.experiments import build, checkpoint, config, run_directory, runner, sharding
from lprl_jax.experiments.chunks import Chunks
from lprl_jax.results import reading
from lprl_jax.results.reading import Result


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Result]]:
    """The same experiment, run two times."""
    folders = [tmp_path_factory.mktemp("runs") / name for name in ("a", "b")]
    experiment = config.parse(FIELDS)
    return [
        (folder, reading.read(runner.run(experiment, folder, progress=False))) for folder in folders
    ]


def test_equal_experiments_write_equal_bytes(twice: list[tuple[Path, Result]]) -> None:
    (a, _), (b, _) = twice
    assert (a / "metrics.jsonl").read_bytes() == (b / "metrics.jsonl").read_bytes()
    assert (a / "config.yaml").read_bytes() == (b / "config.yaml").read_bytes()


def test_metrics_have_a_line_a_chunk_and_a_value_a_run(
    twice: list[tuple[Path, Result]],
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


@pytest.mark.parametrize(
    ("total", "steps"), [(1, [0, 10]), (20, [0, 20]), (30, [0, 30]), (70, [0, 30, 60, 70])]
)
def test_a_run_trains_what_was_asked_for(tmp_path: Path, total: int, steps: list[int]) -> None:
    folder = runner.run(config.parse(fields(total_steps=total)), tmp_path / "r", progress=False)
    assert reading.read(folder).steps.tolist() == steps
    state = runner.set_up(config.parse(fields())).initial_state()
    state = checkpoint.restore(folder / "checkpoints", steps[-1], state)
    assert int(state.num_steps) == steps[-1]
    times = run_directory.read_lines(folder / "timing.jsonl")
    assert [line.get("step") for line in times] == [None, *steps]


@pytest.mark.parametrize(
    ("total", "every", "a_step", "lengths"),
    [
        (100, 50, 10, [5, 5]),
        (101, 50, 10, [5, 5, 1]),  # rounded up to an update
        (95, 50, 10, [5, 5]),
        (9, 1_000, 10, [1]),
        (30, 1, 10, [1, 1, 1]),  # an update is the least between two evaluations
        (100, 24, 10, [2, 2, 2, 2, 2]),  # every 20
        (100, 40, 1, [40, 40, 20]),
    ],
)
def test_chunks_are_whole_updates_and_none_is_too_much(
    total: int, every: int, a_step: int, lengths: list[int]
) -> None:
    own = SimpleNamespace(steps_per_update=a_step)
    settings = SimpleNamespace(total_steps=total, eval_every=every)
    chunks: Any = Chunks.of(cast(Any, SimpleNamespace(config=settings, algorithm=own)))
    every_one = range(1, chunks.number + 1)
    assert [chunks.updates_of(chunk) for chunk in every_one] == lengths
    assert chunks.lengths(0) == set(lengths)
    assert chunks.lengths(chunks.number) == {lengths[-1]}
    assert chunks.step_after(chunks.number) == chunks.total == a_step * sum(lengths)
    assert 0 <= chunks.total - total < a_step
    kept = [chunk for chunk in every_one if chunks.ends_with(chunk)]
    assert kept == list(every_one)[-(1 + (lengths[-1] != lengths[0])) :]


def test_the_written_config_is_the_experiment(twice: list[tuple[Path, Result]]) -> None:
    folder, _ = twice[0]
    again = config.read(folder / "config.yaml")
    assert again.as_dict() == config.parse(FIELDS).as_dict()
    assert yaml.safe_load((folder / "config.yaml").read_text())["gamma"] == 0.99


def test_the_last_state_is_kept_and_comes_back(twice: list[tuple[Path, Result]]) -> None:
    folder, _ = twice[0]
    like = runner.set_up(config.parse(FIELDS)).initial_state()
    assert checkpoint.newest(folder / "checkpoints") == 90
    state = checkpoint.restore(folder / "checkpoints", 90, like)
    assert int(state.num_steps) == 90
    assert int(state.replay.num_added) == 90
    assert state.key.dtype == like.key.dtype  # typed keys survive
    moved = jax.tree.map(lambda a, b: np.any(a != b), state.params, like.params)
    assert all(jax.tree.leaves(moved))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    experiment = config.parse(fields(learning_rate=1e38, max_grad_norm=1e38, checkpoint_every=1))
    with pytest.raises(runner.Diverged) as error:
        runner.run(experiment, tmp_path / "run", progress=False)
    assert "is not finite" in str(error.value)
    written = run_directory.read_lines(tmp_path / "run" / "metrics.jsonl")
    assert all(np.isfinite(line.get("loss", 0.0)).all() for line in written)
    last = written[-1]["step"]
    assert checkpoint.newest(tmp_path / "run" / "checkpoints") == (last or None)
    expected = f"checkpoints/{last}" if last else "no checkpoint was written"
    assert expected in str(error.value)


def test_runs_use_every_device_that_divides_them() -> None:
    devices = len(jax.devices())
    assert sharding.make_mesh(4 * devices).shape == {"data": devices, "model": 1}
    assert sharding.make_mesh(1).shape == {"data": 1, "model": 1}
    assert sharding.make_mesh(4 * devices, devices).shape == {"data": 1, "model": devices}
    with pytest.raises(InvalidInput, match=f"model_parallel is {devices + 1}; here it must"):
        sharding.make_mesh(1, devices + 1)


def test_one_instance_a_run_or_all() -> None:
    experiment = config.parse(FIELDS)
    _, params = build.make_env("FrozenLake-lprl", experiment.env_arguments, experiment.bank)
    assert build.run_instances(experiment, params).tolist() == [[0], [1], [2], [3]]
    experiment = config.parse(fields(env_params={"instance_per_run": False}))
    assert build.run_instances(experiment, params).tolist() == [[0, 1, 2, 3]] * 4
