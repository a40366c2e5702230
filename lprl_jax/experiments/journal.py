"""What a running experiment writes between its chunks: two files of lines, other logs, a bar."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lprl_jax.experiments import loggers
from lprl_jax.experiments.loggers import Logger
from lprl_jax.experiments.run_directory import METRICS, TIMING


class Journal:
    """Of one run; use as a context manager."""

    def __init__(
        self,
        out: Path,
        others: Sequence[Sequence[Logger]],
        first: int,
        chunks: int,
        progress: bool,
    ):
        self._metrics = (out / METRICS).open("a")
        self._timing = (out / TIMING).open("a")
        self._others = others
        self._name = out.name
        self._bar = tqdm(
            total=chunks,
            initial=max(0, first - 1),
            desc=out.name,
            disable=None if progress else True,  # None: shown on a terminal only
            unit="chunk",
        )

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        every = (logger for of_settings in self._others for logger in of_settings)
        closing = contextlib.ExitStack()
        for one in (*every, self._bar, self._timing, self._metrics):
            closing.callback(one.close)
        # A full disk is heard of here once more, which says nothing new.
        with contextlib.suppress(OSError) if kind else contextlib.nullcontext():
            closing.close()

    @contextlib.contextmanager
    def telling(self, what: str) -> Iterator[None]:
        """Say beside the bar what is being done, while it is."""
        self._bar.set_description(f"{self._name}, {what}")
        yield
        self._bar.set_description(self._name)

    def time(self, **seconds: float) -> None:
        """A line of timing.jsonl that belongs to no chunk."""
        _write(self._timing, {name: round(value, 3) for name, value in seconds.items()})

    def record(self, record: dict[str, Any], trained: float, evaluated: float, steps: int) -> None:
        """A chunk.

        Args:
            record: Its line of metrics.jsonl.
            trained: Seconds of training.
            evaluated: Seconds of evaluation.
            steps: Environment steps of all runs; 0 before any training.
        """
        times = {"step": record["step"], "train_seconds": round(trained, 6)}
        # An evaluation whose clock is missing could not be read; the other way round it can.
        _write(self._timing, {**times, "evaluate_seconds": round(evaluated, 6)})
        _write(self._metrics, record)
        for of_settings in self._others:
            rows = loggers.of_settings(record, len(of_settings))
            for logger, row in zip(of_settings, rows, strict=True):
                logger.log(record["step"], loggers.scalars(row, steps / trained))
        if steps:
            self._bar.update()
            means = {name: f"{np.mean(record[name]):.2f}" for name in ("success", "return")}
            self._bar.set_postfix({"steps": record["step"], **means})


def _write(file: Any, record: dict[str, Any]) -> None:
    """One JSON line, written at once."""
    file.write(json.dumps(record) + "\n")
    file.flush()
