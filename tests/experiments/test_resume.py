"""Resuming: to the bit, and only what is the same run."""

import json
from pathlib import Path
from typing import Any

import pytest
from experiments import kill_resume
from lprl_envs import InvalidInput
from small_experiment import FIELDS, fields

from lprl_jax.experiments import checkpoint, config, run_directory, runner


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 90 steps, never interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    runner.run(config.parse(FIELDS), folder, progress=False)
    return folder


def run(folder: Path, resume: bool = True, **changes: Any) -> Path:
    runner.run(config.parse(fields(**changes)), folder, progress=False, resume=resume)
    return folder


def metrics(folder: Path) -> bytes:
    return (folder / "metrics.jsonl").read_bytes()


def test_killed_trainings_resume_bit_identically(tmp_path: Path) -> None:
    outcomes = kill_resume.campaign(tmp_path, kills=2, seed=3)
    assert {outcome.when for outcome in outcomes} == {"in a checkpoint", "at a random time"}
    assert [outcome.same for outcome in outcomes] == [True, True]


def test_a_shorter_run_is_extended_to_the_longer_one(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", resume=False, total_steps=60)
    run(tmp_path / "run", total_steps=90)
    assert metrics(tmp_path / "run") == metrics(whole)
    assert (tmp_path / "run" / "config.yaml").read_bytes() == (whole / "config.yaml").read_bytes()


@pytest.mark.parametrize("shorter", [70, 20])
def test_a_run_that_ended_early_in_a_chunk_is_extended_too(
    shorter: int, whole: Path, tmp_path: Path
) -> None:
    folder = run(tmp_path / "run", resume=False, total_steps=shorter, checkpoint_every=20)
    steps = [line["step"] for line in run_directory.read_lines(folder / "metrics.jsonl")]
    assert steps == [step for step in (0, 30, 60) if step < shorter] + [shorter]
    kept = folder / "checkpoints"
    assert checkpoint.newest(kept) == shorter
    (kept / "10.forgotten").mkdir()  # killed while it forgot
    run(folder, total_steps=shorter, checkpoint_every=20)  # finished: as it is
    assert checkpoint.newest(kept) == shorter
    run(folder, total_steps=90)
    assert metrics(folder) == metrics(whole)
    assert sorted(p.name for p in kept.iterdir()) == ["60", "90"]


def test_lines_after_the_checkpoint_are_written_again(whole: Path, tmp_path: Path) -> None:
    folder = run(tmp_path / "run", resume=False, total_steps=60)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 75, "success": [0, 0, 0, 0]}\n{"step": 9')  # killed while writing
    run(folder)
    assert metrics(folder) == metrics(whole)
    times = run_directory.read_lines(folder / "timing.jsonl")
    assert [line.get("step") for line in times] == [None, 0, 30, 60, None, 90]


def test_a_finished_run_stays_as_it_is(whole: Path) -> None:
    before = metrics(whole)
    run(whole)
    assert metrics(whole) == before


@pytest.mark.parametrize("leftover", [None, "config.yaml.tmp", "run.json"])
def test_what_was_hardly_begun_begins_anew(leftover: str | None, tmp_path: Path) -> None:
    if leftover:
        (tmp_path / leftover).write_text("{")
    assert not run_directory.can_resume(tmp_path, config.parse(FIELDS))
    run_directory.require_empty(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alpha": 0.5}, ["another config", "alpha is 0.1 there, 0.5 here"]),
        ({"env_params": {"split": "held-out"}}, ["env_params.split is 'train' there"]),
        ({"k": 2, "seed": 1}, ["k is 5 there, 2 here", "seed is 0 there, 1 here"]),
    ],
)
def test_another_config_is_refused_by_name(
    whole: Path, changes: dict[str, Any], words: list[str]
) -> None:
    before = metrics(whole)
    with pytest.raises(InvalidInput) as error:
        run(whole, **changes)
    assert all(word in str(error.value) for word in words)
    assert metrics(whole) == before


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("lprl_jax", "0.0.1", "lprl_jax is '0.0.1' there"),
        ("jaxlib", "0.4.0", "jaxlib is '0.4.0' there"),
        ("devices", "8 × TPU v4", "devices is '8 × TPU v4' there, '2 × cpu' here"),
        ("data", "0", "its prior, its instances or its policy's model have changed"),
    ],
)
def test_another_version_or_another_prior_is_refused_by_name(
    whole: Path, tmp_path: Path, entry: str, value: str, words: str
) -> None:
    provenance = run_directory.read_provenance(whole)
    (tmp_path / "run.json").write_text(json.dumps({**provenance, entry: value}))
    with pytest.raises(InvalidInput) as error:
        run_directory.require_same(tmp_path, provenance)
    assert words in str(error.value)
    run_directory.require_same(whole, provenance)


def test_what_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InvalidInput, match="no run to resume"):
        run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(InvalidInput, match="not empty"):
        run(tmp_path, resume=False)


def test_damage_is_named(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("- no mapping")
    with pytest.raises(InvalidInput, match="damaged"):
        run_directory.can_resume(tmp_path, config.parse(FIELDS))
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InvalidInput, match="damaged"):
        run_directory.read_provenance(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\nnonsense\n{"step": 2}\n')
    with pytest.raises(InvalidInput, match="line 2 is not JSON"):
        run_directory.read_lines(tmp_path / "metrics.jsonl")
