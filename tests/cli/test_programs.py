"""Compiled programs are kept, where the user wants them, and found again."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lprl_jax.cli import programs
from lprl_jax.cli.parser import parse

VARIABLES = (programs.DIRECTORY, programs.IS_ON, *programs.SETTINGS)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where programs are kept: no variable of JAX's is set, the user's cache directory is empty."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what is set in a test is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "lprl-jax" / "compiled" / programs.processor()


def _set() -> dict[str, str]:
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def test_they_are_kept_in_the_users_cache_directory(folder: Path) -> None:
    programs.keep()
    assert folder.is_dir()
    assert _set() == {programs.DIRECTORY: str(folder), **programs.SETTINGS}


def test_a_kind_of_processor_has_programs_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = []
    for flags in ("sse avx", "sse avx", "sse"):
        told = tmp_path / "cpuinfo"
        told.write_text(f"processor : 0\nflags : {flags}\nprocessor : 1\nflags : {flags}\n")
        monkeypatch.setattr(programs, "CPUINFO", told)
        found.append(programs.processor())
    assert found[0] == found[1] != found[2]
    monkeypatch.setattr(programs, "CPUINFO", tmp_path / "none")
    assert programs.processor().startswith(f"{platform.machine()}-")


@pytest.mark.parametrize("name", [programs.DIRECTORY, programs.IS_ON])
def test_who_has_set_jaxs_variables_has_decided(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "whatever")
    programs.keep()
    assert _set() == {name: "whatever"}
    assert not folder.exists()


def test_an_empty_name_of_a_directory_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(programs.DIRECTORY, "")
    programs.keep()
    assert os.environ[programs.DIRECTORY] == str(folder)


def test_where_nothing_can_be_made_nothing_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    programs.keep()
    assert _set() == {}


def test_where_nothing_can_be_written_nothing_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs.os, "access", lambda path, mode: False)
    programs.keep()
    assert _set() == {}


def test_without_a_home_nothing_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(programs.Path, "home", no_home)
    programs.keep()
    assert _set() == {}


def test_tables_lie_beside_the_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.keep()
    assert programs.tables() == folder / f"tables-{programs.processor()}"
    monkeypatch.setenv(programs.DIRECTORY, "elsewhere")
    assert programs.tables() == Path("elsewhere") / f"tables-{programs.processor()}"
    for off in ("0", "False"):
        monkeypatch.setenv(programs.IS_ON, off)
        assert programs.tables() is None
    monkeypatch.setenv(programs.IS_ON, "1")
    assert programs.tables() is not None
    monkeypatch.delenv(programs.DIRECTORY)
    assert programs.tables() is None


def test_a_second_training_asks_no_model(folder: Path, tmp_path: Path) -> None:
    written = []
    for place in range(2):
        train = "train frozen_lake_dqn_prior env_params.map_name=4x4 env_params.num_instances=2"
        small = "num_runs=2 total_steps=4 eval_every=4 eval_episodes=1 buffer_size=100"
        out = tmp_path / str(place)
        command = [*train.split(), *small.split(), "--out", str(out)]
        at_the_end = "import atexit\natexit.register(lambda: print('transformers' in sys.modules))"
        start = f"import sys\n{at_the_end}\nfrom lprl_jax.cli.main import main\n"
        call = [sys.executable, "-c", f"{start}sys.argv[1:] = {command!r}\nsys.exit(main())"]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
        figures = (out / "metrics.jsonl").read_bytes()
        written.append((done.stdout.splitlines()[-1], figures))
    asked, figures = zip(*written, strict=True)
    assert asked == ("True", "False")
    assert len(set(figures)) == 1
    (tables,) = folder.glob("tables-*")
    assert len(list(tables.iterdir())) == 1


def test_a_program_whose_writer_was_killed_is_removed(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("f-1-cache", "g-2-cache", "g-2-atime"):
        (folder / name).touch()
    programs.keep()
    assert {path.name for path in folder.iterdir()} == {"g-2-cache", "g-2-atime"}


def test_the_option_stands_before_the_command() -> None:
    assert parse(["--no-cache", "envs"]).no_cache
    assert not parse(["envs"]).no_cache


def test_a_second_start_compiles_nothing_that_was_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")  # however quick it was
    first, second = _kept(folder), _kept(folder)
    assert first == second
    assert first


def test_nothing_is_kept_of_who_does_not_want_it(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.environ[programs.DIRECTORY] = str(folder)
    assert not _kept(folder, "--no-cache")


def _kept(folder: Path, *options: str) -> set[str]:
    """The programs that are there after a command."""
    plan = "plan household_options_slinvit env_params.num_instances=2 num_runs=1 depth=1 k=1"
    command = [sys.executable, "-m", "lprl_jax.cli", *options, *plan.split()]
    subprocess.run(command, check=True, capture_output=True, env=dict(os.environ))
    return {path.name for path in folder.glob("*-cache")}
