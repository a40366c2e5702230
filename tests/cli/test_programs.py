"""Compiled programs are kept, where the user wants them, and found again."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lprl_jax.cli import programs
from lprl_jax.cli.parser import parse

OWN = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE", *programs.SETTINGS)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of JAX's is set; the user's cache directory is empty."""
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")  # so that what is set in a test is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "lprl-jax" / "compiled" / programs._processor()


def test_they_are_kept_in_the_users_cache_directory(bare: Path) -> None:
    programs.keep()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(bare)
    assert bare.is_dir()
    assert {name: os.environ[name] for name in programs.SETTINGS} == programs.SETTINGS


def test_a_processor_has_programs_of_its_own() -> None:
    assert programs._processor() == programs._processor() != ""
    assert programs._processor().startswith(platform.machine() + "-")


def test_what_the_user_has_set_stays(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = str(bare.parents[2] / "elsewhere")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", elsewhere)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_MAX_SIZE", "7")
    programs.keep()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == elsewhere
    assert os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] == "7"
    assert not bare.exists()


def test_where_nothing_can_be_written_nothing_is_kept(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.parents[2].joinpath("file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(bare.parents[2] / "file"))
    programs.keep()
    assert os.environ["JAX_ENABLE_COMPILATION_CACHE"] == "false"


def test_a_program_whose_writer_was_killed_does_not_stop_others(bare: Path) -> None:
    bare.mkdir(parents=True)
    (bare / "jit_f-1-cache").touch()
    programs.keep()
    assert (bare / "jit_f-1-atime").exists()


def test_the_option_stands_before_the_command() -> None:
    assert parse(["--no-cache", "envs"]).no_cache
    assert not parse(["envs"]).no_cache


@pytest.mark.parametrize("options", [[], ["--no-cache"]])
def test_a_command_keeps_what_it_compiled_unless_told_otherwise(
    bare: Path, options: list[str]
) -> None:
    plan = "plan household_options_slinvit env_params.num_instances=2 num_runs=1 depth=1 k=1"
    command = [sys.executable, "-m", "lprl_jax.cli", *options, *plan.split()]
    subprocess.run(command, check=True, capture_output=True, env=dict(os.environ))
    assert bool(list(bare.glob("*-cache"))) == (not options)
