"""TensorBoard and W&B: a point a chunk, by CleanRL's names, read back from what was written."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lprl_envs import InvalidInput
from small_experiment import FIELDS, fields

from lprl_jax.experiments import config, loggers, run_directory, runner, sharding

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
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
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


def test_a_sweep_has_a_curve_a_setting(tmp_path: Path) -> None:
    experiment = config.parse(fields(alpha=[0.1, 0.5], num_runs=2, total_steps=60))
    runner.run(experiment, tmp_path / "run", progress=False, log=["tensorboard"])
    folder = tmp_path / "run" / "tensorboard"
    assert sorted(p.name for p in folder.iterdir()) == ["alpha 0.1", "alpha 0.5"]
    lines = run_directory.read_lines(tmp_path / "run" / "metrics.jsonl")
    for name, own in (("alpha 0.1", slice(0, 2)), ("alpha 0.5", slice(2, 4))):
        found = points(folder / name)["charts/episodic_length"]
        assert [step for step, _ in found] == [0, 30, 60]
        expected = [np.mean(line["length"][own]) for line in lines]
        np.testing.assert_allclose([value for _, value in found], expected, rtol=1e-6)


def test_the_lines_of_settings_are_those_worked_by_hand() -> None:
    record = {"step": 5, "success": [0.0, 1.0, 1.0, 1.0], "queries": 7}
    assert loggers.of_settings(record, 2) == [
        {"step": 5, "success": [0.0, 1.0], "queries": 7},
        {"step": 5, "success": [1.0, 1.0], "queries": 7},
    ]
    assert loggers.of_settings(record, 1) == [record]


def test_wandb_without_a_key_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(
        wandb, "setup", lambda: SimpleNamespace(settings=SimpleNamespace(mode="online"))
    )

    def login() -> None:
        raise wandb.errors.UsageError("No API key configured.\nA second line")

    monkeypatch.setattr(wandb, "login", login)
    with pytest.raises(InvalidInput) as error:
        runner.run(config.parse(FIELDS), tmp_path / "run", progress=False, log=["wandb"])
    assert "wandb: No API key configured. WANDB_MODE=offline keeps" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_wandb_that_cannot_begin_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")

    def init(**settings: Any) -> None:
        (tmp_path / "run" / "wandb").mkdir()
        raise wandb.errors.CommError("no network")

    def compile_(*_: Any) -> None:
        raise AssertionError("compiled too early")

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(sharding, "compile_chunk", compile_)
    with pytest.raises(InvalidInput, match="wandb: no network"):
        runner.run(config.parse(FIELDS), tmp_path / "run", progress=False, log=["wandb"])
    assert not (tmp_path / "run").exists()


def test_a_resumed_wandb_run_is_the_same_and_a_setting_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    begun: list[dict[str, Any]] = []

    def init(**settings: Any) -> Any:
        begun.append(settings)
        return SimpleNamespace(log=lambda *_, **__: None, finish=lambda: None)

    monkeypatch.setattr(wandb, "init", init)
    for from_step in (0, 60):
        loggers.make(["wandb"], tmp_path, {"alpha": 0.1}, [{}], from_step)
    first, again = begun
    assert first["id"] == again["id"]
    assert again["resume"] == "allow"
    settings = [{"alpha": 0.1}, {"alpha": 0.5}]
    for from_step in (0, 60):
        loggers.make(["wandb"], tmp_path, {"alpha": [0.1, 0.5]}, settings, from_step)
    of_sweep = begun[2:]
    assert [b["config"]["alpha"] for b in of_sweep] == [0.1, 0.5, 0.1, 0.5]
    assert of_sweep[0]["name"] == f"{tmp_path.name} (alpha 0.1)"
    assert of_sweep[0]["group"] == of_sweep[1]["group"] == tmp_path.name
    assert [b["id"] for b in of_sweep[:2]] == [b["id"] for b in of_sweep[2:]]
    assert len({b["id"] for b in begun}) == 3


def test_wandb_offline_has_a_point_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    for name, value in (("MODE", "offline"), ("SILENT", "true"), ("DIR", str(tmp_path))):
        monkeypatch.setenv(f"WANDB_{name}", value)
    ((logger,),) = loggers.make(["wandb"], tmp_path, {"alpha": 0.1}, [{}], 0)
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
        loggers.require_usable(["wandb"])
