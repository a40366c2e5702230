"""Answers of a prior as they come in, kept in a file beside the table that they will be.

A table of a large model takes hours. What is known of it is written every so often, so that the
same command goes on where it was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.files import archive, paths

ENDING = ".part"
SECONDS = 20.0
"""Between two writings."""


def path_of(table: str | Path) -> Path:
    """Where the answers of a table are kept meanwhile."""
    table = paths.given(table)
    return table.with_name(table.name + ENDING)


def remove(table: str | Path) -> None:
    """The table is there: what was kept is needed no more."""
    with contextlib.suppress(OSError):
        path_of(table).unlink(missing_ok=True)


class Draft:
    """Of one table; the file is written at the earliest after `SECONDS`."""

    def __init__(self, table: str | Path, manifest: Mapping[str, Any]):
        """Beside `table`, a path that is not there yet.

        Args:
            table: Where the finished table will be.
            manifest: All that the answers depend on; those of another manifest are refused.
        """
        self.path = path_of(table)
        self._manifest: dict[str, Any] = json.loads(json.dumps(dict(manifest)))
        self._written = time.monotonic()

    def read(self, most: int, num_actions: int) -> tuple[np.ndarray, int]:
        """Answers `f32[n, A]` about the first n states that are asked, and their evaluations.

        Raises:
            InvalidInput: if the file is damaged, or of another table.
        """
        if not self.path.exists():
            return np.zeros((0, num_actions), np.float32), 0
        advice = "remove it to begin anew, or name another file"
        try:
            with self.path.open("rb") as stream, np.load(stream) as file:
                manifest = json.loads(str(file[archive.MANIFEST]))
                if not isinstance(manifest, dict):
                    raise TypeError("a manifest is a mapping")
                kept = file["log_probs"]
            evaluations = int(manifest.pop("evaluations"))
            if kept.dtype != np.float32 or kept.ndim != 2 or kept.shape[1] != num_actions:
                raise ValueError("not the answers of such an environment")
            if not (0 <= len(kept) <= most and evaluations >= 0) or np.isnan(kept).any():
                raise ValueError("more than is asked, or no numbers")
        except archive.UNREADABLE:
            raise InvalidInput(f"{self.path} is damaged; {advice}") from None
        for field in sorted({*manifest, *self._manifest}):
            if manifest.get(field) != self._manifest.get(field):
                raise InvalidInput(
                    f"{self.path} was begun with other {field} than this table; {advice}"
                )
        return kept, evaluations

    def keep(self, answers: Callable[[], np.ndarray], evaluations: int, now: bool = False) -> None:
        """Write what is known by now; unless `now`, not if it was written a moment ago.

        Raises:
            InvalidInput: if it cannot be written.
        """
        if not now and time.monotonic() - self._written < SECONDS:
            return
        manifest = json.dumps({**self._manifest, "evaluations": evaluations})
        draft = self.path.with_name(f"{self.path.name[:40]}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as file:
                arrays = {archive.MANIFEST: np.array(manifest), "log_probs": answers()}
                np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
            os.replace(draft, self.path)
        except OSError as error:
            raise InvalidInput(f"cannot write to {self.path}: {paths.reason(error)}") from None
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        self._written = time.monotonic()
