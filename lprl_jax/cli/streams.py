"""What a program owes to whoever reads its output: a terminal, a pipe, or nobody."""

from __future__ import annotations

import os
import sys

READER_GONE = 141
"""Exit status where nobody reads on, as of a program that SIGPIPE ends: 128 + 13."""


def prepare() -> None:
    """Make standard output and standard error fit to be written to, whatever they are.

    A stream that was closed leads nowhere, and its number stays taken, so that no file of a run
    gets it. What an encoding lacks is printed as a question mark.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", "") == "strict":
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]


def finish(status: int) -> int:
    """Write what is left of standard output; returns the exit status.

    Python would do so after everything else, and complain of a pipe that nobody reads.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _lead_nowhere()
        return READER_GONE
    except OSError as error:
        failed = no_room(error)
        return status or failed
    return status


def no_room(error: OSError) -> int:
    """Say that the output cannot be written; returns the exit status."""
    _lead_nowhere()
    print(f"lprl: cannot write the output: {error.strerror}", file=sys.stderr)
    return 1


def _lead_nowhere() -> None:
    """Throw away what standard output still holds, instead of trying again on the way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
