"""Train states on disk, by orbax. The one place that knows orbax."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
from lprl_envs import InvalidInput

from lprl_jax import paths

_PATTERN = re.compile(r"[\[\]*?\\]")
"""Letters that mean something else to orbax, which looks for files by pattern."""


class Checkpoints:
    """The newest states of a run, under one directory; use as a context manager."""

    def __init__(self, directory: Path, keep: int = 2):
        directory.mkdir(parents=True, exist_ok=True)
        # What a kill left half-written is removed; what is there has been renamed when whole.
        self._open(directory, max_to_keep=keep, cleanup_tmp_directories=True)

    @classmethod
    def to_read(cls, directory: Path) -> Checkpoints:
        """Of a run that may be going on elsewhere, or that is not ours to write."""
        checkpoints = cls.__new__(cls)
        checkpoints._open(
            directory, read_only=True, create=False, max_to_keep=None, save_interval_steps=0
        )
        return checkpoints

    def _open(self, directory: Path, **options: Any) -> None:
        self.directory = directory
        self._stack = contextlib.ExitStack()
        plain = self._stack.enter_context(_plainly_named(directory.absolute()))
        self._manager = ocp.CheckpointManager(
            plain, options=ocp.CheckpointManagerOptions(**options)
        )

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        with self._stack:
            try:
                self._manager.wait_until_finished()
                self._manager.close()
            except Exception as broken:
                if kind is None:
                    raise paths.system_error(broken) from broken

    def save(self, step: int, state: Any) -> None:
        """Write a state in the background.

        Raises:
            OSError: if this one or the one before cannot be written.
        """
        try:
            self._manager.save(step, args=ocp.args.StandardSave(state))
        except Exception as error:
            raise paths.system_error(error) from error

    def latest(self) -> int | None:
        """The step of the newest state, or None; waits for what is being written.

        Raises:
            OSError: if that cannot be written.
        """
        try:
            self._manager.wait_until_finished()
        except Exception as error:
            raise paths.system_error(error) from error
        return max(steps(self.directory), default=None)

    def restore(self, step: int, like: Any) -> Any:
        """The state of that step; `like` is a state of the same shapes.

        Raises:
            InvalidInput: if it is damaged; names what can be used instead.
        """
        try:
            return self._manager.restore(step, args=ocp.args.StandardRestore(like))
        except Exception as error:
            older = max((s for s in steps(self.directory) if s < step), default=None)
            instead = "no older one is left"
            if older is not None:
                instead = (
                    f"remove that directory, and the older {self.directory / str(older)} is used"
                )
            reason = " ".join(f"{error}".split())[:100] or type(error).__name__
            raise InvalidInput(
                f"the checkpoint {self.directory / str(step)} is damaged; {instead} ({reason})"
            ) from error


def steps(directory: Path) -> list[int]:
    """Of the states that are there, whole: what is half-written has a longer name."""
    if not directory.is_dir():
        return []
    return [int(p.name) for p in directory.iterdir() if p.name.isdecimal() and p.is_dir()]


@contextlib.contextmanager
def _plainly_named(directory: Path) -> Any:
    """The directory by a name without a pattern in it."""
    if not _PATTERN.search(str(directory)):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="lprl-") as folder:
        link = Path(folder) / "checkpoints"
        link.symlink_to(directory)
        yield link
