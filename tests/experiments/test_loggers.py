"""TensorBoard and W&B: a point a chunk, by CleanRL's names, read back from what was written."""

import time
from pathlib import Path

import numpy as np
import pytest
from lprl_envs import InvalidInput
from small_experiment import FIELDS, fields

from lprl_jax.experiments import config, loggers, run_directory, runner

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")


def records(path: Path) -> list[bytes]:
    """The records of a TFRecord file: length u64, its checksum u32, data, its checksum u32."""
    data, found = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:8], "little")
        found.append(data[12 : 12 + length])
        data = data[16 + length :]
    return found


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Scalars in a folder of event files."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.iterdir()):
        for record in records(path):
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_has_a_point_a_chunk(tmp_path: Path) -> None:
    runner.run(config.parse(FIELDS), tmp_path / "run", progress=False, log=["tensorboard"])
    found = points(tmp_path / "run" / "tensorboard")
    lines = run_directory.read_lines(tmp_path / "run" / "metrics.jsonl")
    for name, tag in (("success", "charts/success_rate"), ("return", "charts/episodic_return")):
        assert [step for step, _ in found[tag]] == [0, 30, 60, 90]
        expected = [np.mean(line[name]) for line in lines]
        np.testing.assert_allclose([value for _, value in found[tag]], expected, rtol=1e-6)
    assert [step for step, _ in found["losses/loss"]] == [30, 60, 90]
    assert all(value > 0 for _, value in found["charts/SPS"])


def test_a_resumed_run_goes_on_in_the_charts(tmp_path: Path) -> None:
    for steps in (60, 90):
        experiment = config.parse(fields(total_steps=steps))
        runner.run(experiment, tmp_path / "run", progress=False, resume=True, log=["tensorboard"])
    found = points(tmp_path / "run" / "tensorboard")
    assert [step for step, _ in found["charts/episodic_length"]] == [0, 30, 60, 90]


def test_wandb_offline_has_a_point_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    for name, value in (("MODE", "offline"), ("SILENT", "true"), ("DIR", str(tmp_path))):
        monkeypatch.setenv(f"WANDB_{name}", value)
    logger = loggers.make(["wandb"], tmp_path, {"alpha": 0.1}, 0)[0]
    logger.log(30, {"charts/success_rate": 0.25})
    logger.log(60, {"charts/success_rate": 0.75})
    logger.close()
    (written,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = written.read_bytes()
    for _ in range(100):  # another process writes it
        if b"0.75" in content:
            break
        time.sleep(0.1)
        content = written.read_bytes()
    assert content.count(b"charts/success_rate") >= 2
    assert b"0.25" in content
    assert b"0.75" in content


def test_scalars_are_means_over_the_runs() -> None:
    record = {"step": 5, "success": [0.0, 1.0], "queries": 7, "reward": [1.0, 1.0]}
    assert loggers.scalars(record, 0.0) == {
        "charts/success_rate": 0.5,
        "charts/prior_queries": 7.0,
    }
    assert loggers.scalars(record, 99.0)["charts/SPS"] == 99.0


def test_an_unknown_log_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unknown log 'mlflow'; valid: tensorboard, wandb"):
        runner.run(config.parse(FIELDS), tmp_path / "run", progress=False, log=["mlflow"])
    assert not (tmp_path / "run").exists()


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(InvalidInput, match=r"pip install 'lprl-jax\[wandb\]'"):
        loggers.require_known(["wandb"])
