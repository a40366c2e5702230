"""Whether a completer's answers could be read at all: said once, where most could not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

MOST = 0.5


def warning(completer: str, training: Mapping[str, Any]) -> str | None:
    """A line, if most answers of a chunk of training were no patterns; None if they were.

    Args:
        completer: Its name.
        training: Metrics of the chunk, `[R]`; those of other algorithms say nothing of answers.
    """
    if "unreadable" not in training:
        return None
    asked, unreadable = (int(np.sum(training[name])) for name in ("asked", "unreadable"))
    if not asked or unreadable <= MOST * asked:
        return None
    return (
        f"of {asked:,} answers of the completer {completer!r} {unreadable:,} "
        f"({100 * unreadable / asked:.0f} %) could not be read as a pattern; a model that was not "
        "trained on completions of this environment may not know how they are written"
    )
