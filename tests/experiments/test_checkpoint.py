"""States on disk: under any name, and damaged ones by name."""

import errno
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput

from lprl_jax.experiments import checkpoint
from lprl_jax.experiments.checkpoint import Checkpoints


def state(value: float = 0.0) -> Any:
    return {"weights": jnp.full((300, 7), value), "key": jax.random.key(3)}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """States of the steps 60 and 90."""
    folder = tmp_path_factory.mktemp("states") / "checkpoints"
    with Checkpoints(folder) as checkpoints:
        for step in (30, 60, 90):
            checkpoints.save(step, state(step))
        assert checkpoints.latest() == 90
    return folder


@pytest.mark.parametrize("name", ["lr[0.1]", "a\\b", "what?*", "two words", "ü 猫", "100%25"])
def test_any_name_will_do(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name / "checkpoints"
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(5, state(2.0))
    assert checkpoint.newest(folder) == 5
    np.testing.assert_array_equal(checkpoint.restore(folder, 5, state())["weights"], 2.0)


def cut_each(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_the_weights(folder: Path) -> None:
    path = max((folder / "default" / "d").iterdir(), key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (shutil.rmtree(folder), folder.mkdir()),
        lambda folder: shutil.rmtree(folder / "default"),
        lambda folder: shutil.rmtree(folder / "default" / "d"),
        lambda folder: (folder / "default" / "_METADATA").write_text("{"),
        lambda folder: (folder / "default" / "manifest.ocdbt").unlink(),
        cut_each,
        change_the_weights,
    ],
    ids=["empty", "no arrays", "array missing", "metadata", "no index", "cut", "changed"],
)
def test_a_damaged_state_is_one_line_and_the_older_one_is_offered(
    damage: Callable[[Path], Any],
    written: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(written, folder)
    damage(folder / "90")
    with pytest.raises(InvalidInput) as error:
        checkpoint.restore(folder, 90, state())
    line = str(error.value)
    assert f"the checkpoint {folder / '90'} is damaged" in line
    assert "remove that directory, and the older one of step 60 is used" in line
    assert "\n" not in line
    shutil.rmtree(folder / "90")
    np.testing.assert_array_equal(checkpoint.restore(folder, 60, state())["weights"], 60.0)
    damage(folder / "60")
    with pytest.raises(InvalidInput, match="no older one is left"):
        checkpoint.restore(folder, 60, state())
    assert capfd.readouterr().err == ""


def test_reading_changes_nothing(written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(written, folder)
    (folder / "120.orbax-checkpoint-tmp").mkdir()  # another process is writing it
    before = sorted(folder.rglob("*"))
    assert checkpoint.newest(folder) == 90
    checkpoint.restore(folder, 90, state())
    assert sorted(folder.rglob("*")) == before
    assert checkpoint.newest(tmp_path / "nowhere") is None


def test_what_cannot_be_written_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*_: Any, **__: Any) -> None:
        raise ValueError("RESOURCE_EXHAUSTED: Failed writing [os_error_code='28']")

    with Checkpoints(tmp_path) as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "save", save)
        with pytest.raises(OSError, match="No space left on device") as error:
            checkpoints.save(5, state())
    assert error.value.errno == errno.ENOSPC


def test_only_orbax_s_own_lines_are_left_out_of_logs(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("asyncio")
    log.error("mine")
    record = log.makeRecord("asyncio", logging.ERROR, "/x/orbax/checkpoint/y.py", 1, "o", (), None)
    log.handle(record)
    assert [r.getMessage() for r in caplog.records] == ["mine"]


def test_what_cannot_be_read_now_is_not_called_damaged(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refused:
        def __enter__(self) -> None:
            raise ValueError("reading") from PermissionError(errno.EACCES, "Permission denied")

        def __exit__(self, *error: object) -> None: ...

    monkeypatch.setattr(checkpoint.ocp, "StandardCheckpointer", Refused)
    with pytest.raises(InvalidInput, match=r"cannot read the checkpoint .*90: Permission denied$"):
        checkpoint.restore(written, 90, state())
    assert checkpoint.newest(written) == 90
