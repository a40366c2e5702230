"""Measuring in a process of its own, which may be pinned to cores."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

LPRL = (sys.executable, "-m", "lprl_jax.cli", "--no-cache")
"""The command line, which compiles anew whatever the user keeps."""


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


def peak(command: Sequence[str], **environment: str) -> tuple[float, int]:
    """A command's seconds, and the most bytes of memory that it held.

    Raises:
        RuntimeError: with the last line of its errors, if it fails.
    """
    counted = report(
        [sys.executable, str(Path(__file__).with_name("peak.py")), *command], **environment
    )
    return counted["seconds"], counted["memory_bytes"]
