"""Programs that take turns: each is a process of its own, which waits while another works.

`serve` is the program's side and needs the standard library only; `Program` and `race` are the
bench's.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def serve(call: Callable[[], Any], **about: Any) -> None:
    """Say what this program is, then make a call for every line on stdin and print its seconds."""
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        print(json.dumps(seconds_of(call)), flush=True)


def seconds_of(call: Callable[[], Any]) -> float:
    """What a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


LIMIT_SECONDS = 900.0
"""What does not answer for so long is ended: programs have been seen to hang in jaxlib."""


class Program:
    """A process that serves; use as a context manager."""

    def __init__(self, command: Sequence[str], **environment: str):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed in __exit__)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **environment},
            text=True,
        )
        self.about: dict[str, Any] = self._answer()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *error: object) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._process.wait()

    def turn(self) -> float:
        """Seconds of one call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        clock = threading.Timer(LIMIT_SECONDS, self._process.kill)
        clock.start()
        line = self._process.stdout.readline()
        clock.cancel()
        if not line:  # it has ended
            self._process.wait()
            self._errors.seek(0)
            last = self._errors.read().strip().splitlines()[-1:]
            self.__exit__()
            raise RuntimeError(
                "".join(last) or f"no answer; exit status {self._process.returncode}"
            )
        return json.loads(line)


def race(
    commands: Mapping[str, Sequence[str]],
    turns: int,
    environments: Mapping[str, Mapping[str, str]],
) -> tuple[dict[str, list[float]], dict[str, dict[str, Any]]]:
    """Start programs, which then make so many calls each, in turns.

    Args:
        commands: By name.
        turns: Calls of each.
        environments: By name: variables beside those that are there.

    Returns:
        Seconds of every call, and what the programs say of themselves.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with contextlib.ExitStack() as stack:
        going = {
            name: stack.enter_context(Program(command, **environments[name]))
            for name, command in commands.items()
        }
        for _ in range(turns):
            for name, program in going.items():
                seconds[name].append(program.turn())
    return seconds, {name: program.about for name, program in going.items()}
