"""Train states on disk, by orbax. The one place that knows orbax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp


class Checkpoints:
    """The newest states of a run, under one directory; use as a context manager."""

    def __init__(self, directory: Path, keep: int = 2):
        # What a kill left half-written is removed; what is there has been renamed when whole.
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, cleanup_tmp_directories=True)
        self.directory = directory
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *error: object) -> None:
        self._manager.wait_until_finished()
        self._manager.close()

    def save(self, step: int, state: Any) -> None:
        """Write a state in the background."""
        self._manager.save(step, args=ocp.args.StandardSave(state))

    def latest(self) -> int | None:
        """The step of the newest state, or None."""
        self._manager.wait_until_finished()
        return self._manager.latest_step()

    def restore(self, step: int, like: Any) -> Any:
        """The state of that step; `like` is a state of the same shapes."""
        return self._manager.restore(step, args=ocp.args.StandardRestore(like))
