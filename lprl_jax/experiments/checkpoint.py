"""Train states on disk, by orbax. The one place that knows orbax."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
from lprl_envs import InvalidInput

from lprl_jax.files import paths

ITEM = "default"
"""What orbax's manager calls a state that is saved alone."""
_PATTERN = re.compile(r"[\[\]*?\\]")
"""Letters that mean something else to orbax, which looks for files by pattern."""
_NOT_DAMAGE = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)
"""Why a state cannot be read now, though nothing is wrong with it."""


def _not_of_orbax(record: logging.LogRecord) -> bool:
    """Whether a line of a log, or the error that it shows, comes from elsewhere."""
    files = [record.pathname]
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        files.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return not any("orbax" in Path(file).parts for file in files)


# A state that cannot be written or read is a page an array there, also long after. It is raised as
# well, and we say it in a line.
for _name in ("absl", "asyncio"):
    logging.getLogger(_name).addFilter(_not_of_orbax)


class Checkpoints:
    """The newest states of a run that is written, in one directory; use as a context manager."""

    def __init__(self, directory: Path, keep: int = 2):
        # What a kill left half-written is removed; what is there has been renamed when whole.
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, cleanup_tmp_directories=True)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        with contextlib.ExitStack() as stack:
            plain = stack.enter_context(_for_orbax(directory))
            stack.enter_context(_one_error())
            self._manager = ocp.CheckpointManager(plain, options=options)
            self._stack = stack.pop_all()

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
        return newest(self.directory)


def newest(directory: Path, multiple_of: int = 1) -> int | None:
    """The step of the newest state in a directory, of those on a grid, or None."""
    return max((s for s in _steps(directory) if s % multiple_of == 0), default=None)


def forget(directory: Path, after: int | None) -> None:
    """Remove the states after a step, or all. Interrupted, it leaves no half of one to be read."""
    for left in directory.glob("*.forgotten"):
        shutil.rmtree(left)
    for step in sorted(_steps(directory), reverse=True):
        if after is None or step > after:
            shutil.rmtree((directory / str(step)).rename(directory / f"{step}.forgotten"))


def restore(directory: Path, step: int, like: Any) -> Any:
    """The state of a step; nothing is written, and others may write meanwhile.

    Args:
        directory: Of all states of a run.
        step: Of one that is there.
        like: A state of the same shapes.

    Raises:
        InvalidInput: if it is damaged; says what can be used instead.
    """
    try:
        with (
            _for_orbax(directory) as plain,
            _one_error(),
            ocp.StandardCheckpointer() as orbax,
        ):
            return orbax.restore(plain / str(step) / ITEM, like)
    except Exception as error:  # of many types: orbax's, tensorstore's, JSON's
        system = paths.system_error(error)
        if system.errno in _NOT_DAMAGE:
            raise InvalidInput(
                f"cannot read the checkpoint {directory / str(step)}: {paths.reason(system)}"
            ) from error
        older = max((s for s in _steps(directory) if s < step), default=None)
        instead = "no older one is left"
        if older is not None:
            instead = f"remove that directory, and the older one of step {older} is used"
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InvalidInput(
            f"the checkpoint {directory / str(step)} is damaged; {instead} ({reason})"
        ) from error


def _steps(directory: Path) -> list[int]:
    """Of the states that are there, whole: what is half-written has a longer name."""
    if not directory.is_dir():
        return []
    return [int(p.name) for p in directory.iterdir() if p.name.isdecimal() and p.is_dir()]


@contextlib.contextmanager
def _for_orbax(directory: Path) -> Iterator[Path]:
    """A directory by a name without a pattern in it."""
    directory = directory.absolute()
    if not _PATTERN.search(str(directory)):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="lprl-") as folder:
        link = Path(folder) / directory.name
        link.symlink_to(directory)
        yield link


class _Loop(asyncio.SelectorEventLoop):
    """One that lets nothing go on after it is closed."""

    def close(self) -> None:
        """Wait for what is under way, and close."""
        while not self.is_closed() and (left := asyncio.all_tasks(self)):
            self.run_until_complete(asyncio.wait(left))
        super().close()


class _Loops(asyncio.DefaultEventLoopPolicy):
    """Makes such loops."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """One."""
        return _Loop()


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    """Orbax reads and writes all arrays at once; one that fails would leave the others to print.

    Meanwhile, for `Checkpoints` as long as a run is written, new event loops of this process wait
    for what is under way before they close.
    """
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(_Loops())
    try:
        yield
    finally:
        asyncio.set_event_loop_policy(before)
