"""What a run leaves on disk when something is in its way: another run, a full disk, damage."""

import errno
import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from lprl_envs import InvalidInput
from small_experiment import fields

from lprl_jax.experiments import (
    build,
    checkpoint,
    config,
    evaluate,
    journal,
    places,
    run_directory,
    runner,
    sharding,
)
from lprl_jax.experiments.checkpoint import Checkpoints
from lprl_jax.experiments.holding import hold
from lprl_jax.files.paths import CannotWrite
from lprl_jax.priors import UniformPrior, tabulate

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
CHANGES = {"checkpoint_every": 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 90 steps with the states of its last two chunks."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return runner.run(config.parse(fields(**CHANGES)), folder, progress=False)


def run(folder: Path, resume: bool = False) -> Path:
    return runner.run(config.parse(fields(**CHANGES)), folder, progress=False, resume=resume)


def metrics(folder: Path) -> bytes:
    return (folder / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("resume", [False, True])
def test_the_second_of_two_trainings_is_refused_and_the_first_is_left_alone(
    resume: bool, whole: Path, tmp_path: Path
) -> None:
    with hold(tmp_path / "run"):
        (tmp_path / "run" / "metrics.jsonl").write_text("the first's")
        with pytest.raises(InvalidInput, match="in use: process"):
            run(tmp_path / "run", resume)
        assert (tmp_path / "run" / "metrics.jsonl").read_text() == "the first's"


def test_the_first_of_two_trainings_ends_as_if_it_were_alone(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = sharding.compile_chunk

    def meanwhile(*arguments: Any) -> Any:
        with pytest.raises(InvalidInput, match="in use"):
            run(tmp_path / "run")
        return train(*arguments)

    monkeypatch.setattr(sharding, "compile_chunk", meanwhile)
    run(tmp_path / "run")
    assert metrics(tmp_path / "run") == metrics(whole)
    assert not (tmp_path / "run" / ".lock").exists()


def test_what_is_refused_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unknown prior"):
        runner.run(config.parse(fields(prior="no/such")), tmp_path / "a" / "run", progress=False)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line_and_the_run_goes_on_once_there_is_room(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def write(file: io.TextIOBase, record: dict[str, Any]) -> None:
        if record.get("step") == 90:
            file.write('{"step": 9')
            raise FULL
        written.append(1)
        usual(file, record)

    usual = journal._write
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", write)
        with pytest.raises(CannotWrite) as error:
            run(tmp_path / "run")
    line = str(error.value)
    assert line.startswith(f"cannot write to {tmp_path / 'run'}: No space left on device; ")
    assert "the checkpoint of step 60 is whole" in line
    assert "--resume" in line
    assert written
    assert not (tmp_path / "run" / ".lock").exists()
    run(tmp_path / "run", resume=True)
    assert metrics(tmp_path / "run") == metrics(whole)


def test_a_state_without_room_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*_: Any) -> None:
        raise FULL

    monkeypatch.setattr(Checkpoints, "save", save)
    with pytest.raises(CannotWrite, match="No space left on device; no checkpoint was written"):
        run(tmp_path / "run")


def test_a_config_without_room_is_one_line_and_begins_anew(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*_: Any) -> None:
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(CannotWrite, match="No space left on device"):
            run(tmp_path / "run")
    assert not [p for p in tmp_path.rglob("*") if p.suffix == ".tmp"]
    run(tmp_path / "run", resume=True)
    assert metrics(tmp_path / "run") == metrics(whole)


def test_a_damaged_newest_checkpoint_is_refused_and_the_older_one_is_continued(
    whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for path in (folder / "checkpoints" / "90" / "default" / "d").iterdir():
        path.write_bytes(path.read_bytes()[:10])
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for attempt in (lambda: run(folder, resume=True), lambda: evaluate.run(folder)):
        with pytest.raises(InvalidInput, match=r"90 is damaged; .* of step 60 is used"):
            attempt()
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    shutil.rmtree(folder / "checkpoints" / "90")
    run(folder, resume=True)
    assert metrics(folder) == metrics(whole)
    assert checkpoint.newest(folder / "checkpoints") == 90


def test_a_run_evaluates_from_any_directory_and_under_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = config.parse(fields())
    env, params = build.make_env("FrozenLake-lprl", experiment.env_arguments, experiment.bank)
    tabulate(UniformPrior(env), env, params).save("table.npz", params)
    experiment = config.parse(fields(prior="table.npz", total_steps=30))
    out = runner.run(experiment, Path("lr[0.1]\\x"), progress=False)
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    assert run_directory.read_config(tmp_path / out)["prior"] == str(tmp_path / "table.npz")
    assert [row.prior for row in evaluate.run(tmp_path / out)] == ["uniform", "uniform"]


def test_paths_of_configs_lead_there_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("table.npz", "data.npz", "uniform", "embedded"):
        Path(name).touch()
    Path("model").mkdir()
    assert places.placed({"policy": "model"}) == {"policy": str(tmp_path / "model")}
    placed = places.placed({"prior": "~/table.npz", "dataset": "data.npz", "encoder": "", "k": 3})
    assert placed == {
        "prior": str(tmp_path / "table.npz"),
        "dataset": str(tmp_path / "data.npz"),
        "encoder": "",
        "k": 3,
    }
    for name in ("uniform", "embedded", "no/such"):  # ours, also where a file is called so
        assert places.placed({"prior": name, "policy": name}) == {"prior": name, "policy": name}


def test_a_log_file_gets_no_progress_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (False, True):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda terminal=terminal: terminal, raising=False)
        monkeypatch.setattr(sys, "stderr", stream)
        record = {"step": 30, "success": [0.5], "return": [0.5]}
        with journal.Journal(tmp_path, [], 1, 2, progress=True) as lines:
            lines.record(record, 1.0, 1.0, 30)
        assert bool(stream.getvalue()) == terminal
