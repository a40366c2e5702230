"""Programs that take turns: each is a process of its own, which waits while another works.

`serve` is the program's side and needs the standard library only; `Program` is the bench's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any


def serve(call: Callable[[], Any], **about: Any) -> None:
    """Say what this program is, then make a call for every line on stdin and print its seconds."""
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        call()
        print(json.dumps(time.perf_counter() - start), flush=True)


class Program:
    """A process that serves; use as a context manager."""

    def __init__(self, command: Sequence[str], **environment: str):
        self._errors = tempfile.TemporaryFile("w+")
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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def turn(self) -> float:
        """Seconds of one call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:  # it has ended
            self._process.wait()
            self._errors.seek(0)
            last = self._errors.read().strip().splitlines()[-1:]
            raise RuntimeError("".join(last) or f"exit status {self._process.returncode}")
        return json.loads(line)
