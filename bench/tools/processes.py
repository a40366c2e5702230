"""Measuring in a process of its own, which may be pinned to cores."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

KEEPING = (sys.executable, "-m", "lprl_jax.cli")
"""The command line, which keeps what it compiles."""
LPRL = (*KEEPING, "--no-cache")
"""The same, which compiles anew whatever the user keeps."""
OF_CACHES = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")
"""Variables by which something else would be kept, or nothing."""
AGAIN = 0.01
"""Seconds between two looks at what a process has written."""


@dataclasses.dataclass(frozen=True)
class Training:
    """Seconds of an `lprl train`."""

    compiling: float
    """Ahead of time: training and evaluation."""
    training: list[float]
    """Of every chunk between two evaluations."""
    evaluating: list[float]
    """Of every evaluation; the first is of untrained runs."""
    whole: float
    """Of the process: also its start, the table of the prior, the checkpoints."""


@dataclasses.dataclass(frozen=True)
class Start:
    """Seconds of an `lprl train` from its beginning."""

    first_line: float
    """To the first line of metrics.jsonl, which is of the untrained runs."""
    first_update: float
    """To the first line of trained runs; where nothing is trained, to the only one."""
    compiling: float
    """Of these: ahead of time, training and evaluation."""
    work: float
    """Of the whole process, on all cores: user and system."""


@contextlib.contextmanager
def pinned(cores: Collection[int]) -> Iterator[None]:
    """Processes that are started in here may use these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # a child inherits it
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def output(command: Sequence[str], **environment: str) -> str:
    """What a command prints.

    Raises:
        RuntimeError: with the last line of its errors, if it fails.
    """
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise RuntimeError(f"{' '.join(command)}: {''.join(last) or done.returncode}")
    return done.stdout


def report(command: Sequence[str], **environment: str) -> dict[str, Any]:
    """The JSON that a command prints."""
    return json.loads(output(command, **environment))


def train(overrides: Sequence[str], **environment: str) -> Training:
    """`lprl train frozen_lake_dqn_prior` with these overrides."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [*LPRL, "train", "frozen_lake_dqn_prior"]
        started = time.perf_counter()
        output([*command, *overrides, "--quiet", "--out", str(out)], **environment)
        whole = time.perf_counter() - started
        lines = (out / "timing.jsonl").read_text().splitlines()
    compiled, untrained, *chunks = (json.loads(line) for line in lines)
    return Training(
        compiling=compiled["compile_seconds"],
        training=[chunk["train_seconds"] for chunk in chunks],
        evaluating=[chunk["evaluate_seconds"] for chunk in (untrained, *chunks)],
        whole=whole,
    )


def start(name: str, overrides: Sequence[str], caches: Path) -> Start:
    """`lprl train` of a config, with what was kept in a directory, where it keeps what it makes.

    Raises:
        RuntimeError: with the last line of its errors, if it fails.
    """
    environment = {k: v for k, v in os.environ.items() if k not in OF_CACHES}
    environment["XDG_CACHE_HOME"] = str(caches)
    with tempfile.TemporaryDirectory() as folder:
        out, errors = Path(folder) / "run", Path(folder) / "errors"
        command = [*KEEPING, "train", name, *overrides, "--quiet", "--out", str(out)]
        before, began = _work(), time.perf_counter()
        with errors.open("w") as file:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=file
            )
        first, second = (_lines(process, out / "metrics.jsonl", count) for count in (1, 2))
        if process.wait():
            last = errors.read_text().strip().splitlines()[-1:]
            raise RuntimeError("".join(last) or f"exit status {process.returncode}")
        compiled = json.loads((out / "timing.jsonl").read_text().splitlines()[0])
    return Start(first - began, second - began, compiled["compile_seconds"], _work() - before)


def _lines(process: subprocess.Popen[bytes], path: Path, count: int) -> float:
    """When a file has so many lines, or the process has ended."""
    while process.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            break
        time.sleep(AGAIN)
    return time.perf_counter()


def _work() -> float:
    """Seconds of processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak(command: Sequence[str], **environment: str) -> tuple[float, int]:
    """A command's seconds, and the most bytes of memory that it held.

    Raises:
        RuntimeError: with the last line of its errors, if it fails.
    """
    counted = report(
        [sys.executable, str(Path(__file__).with_name("peak.py")), *command], **environment
    )
    return counted["seconds"], counted["memory_bytes"]
