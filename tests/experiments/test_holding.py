"""A directory is held by one process: the second is refused, a dead one does not count."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lprl_envs import InvalidInput

from lprl_jax.experiments.holding import LOCK, hold

CHILD = """
import sys, time
from pathlib import Path
from lprl_jax.experiments.holding import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_second_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with hold(tmp_path / "run"):
        with (
            pytest.raises(InvalidInput, match=r"run is in use: process \d+ on .* writes there"),
            hold(tmp_path / "run"),
        ):
            pass
        assert (tmp_path / "run" / LOCK).exists()
        (tmp_path / "run" / "mine").write_text("mine")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine"]
    with hold(tmp_path / "run"):
        pass


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    try:
        with pytest.raises(InvalidInput, match=f"process {child.pid} "), hold(tmp_path / "run"):
            pass
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert (tmp_path / "run" / LOCK).exists()
    with hold(tmp_path / "run"):
        pass


def test_what_stays_empty_is_removed_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused"), hold(tmp_path / "a" / "b"):
        raise ValueError("refused")
    assert not list(tmp_path.iterdir())
    (tmp_path / "there").mkdir()
    with hold(tmp_path / "there"):
        pass
    assert (tmp_path / "there").is_dir()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path, words in (("file", "it is a file; name a directory"), ("file/run", "cannot write")):
        with pytest.raises(InvalidInput, match=words), hold(tmp_path / path):
            pass
    assert (tmp_path / "file").read_text() == "mine"
