"""Measuring: compilation apart, results waited for, repeats interleaved, medians with range."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

REPEATS = 10


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the report. What could not be measured has no value; the note says why."""

    name: str
    value: float | None
    unit: str
    min: float | None
    max: float | None
    repeats: int
    compile_seconds: float | None = None
    note: str = ""
    memory_bytes: int | None = None
    """Of the compiled program: arguments, results and what it holds while it runs."""


class Ratio(NamedTuple):
    """How many times as fast one is as another, of pairs that were measured in turn."""

    median: float
    """Of the pairs' ratios."""
    lower: float
    """Their lower quartile."""
    upper: float
    """Their upper quartile."""

    @staticmethod
    def of(pairs: Iterable[float]) -> Ratio:
        """Of the ratios of all pairs, or of the only one."""
        values = [*pairs]
        if len(values) == 1:
            return Ratio(*3 * values)
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return Ratio(median, lower, upper)


Measured = tuple[list[Row], dict[str, Ratio | None]]
"""Rows and ratios, by name; a ratio that could not be measured is None."""


def medians(ratios: Mapping[str, Ratio | None]) -> dict[str, float | None]:
    """Of ratios, by name."""
    return {name: None if x is None else x.median for name, x in ratios.items()}


@dataclasses.dataclass(frozen=True)
class Contender:
    """Something to time: a call that does `amount` units of work and waits for its result."""

    call: Callable[[], Any]
    amount: float
    unit: str
    compile_seconds: float | None = None
    note: str = ""
    memory_bytes: int | None = None


def compiled(
    function: Callable[..., Any], *arguments: Any, amount: float, unit: str, note: str = ""
) -> Contender:
    """A contender from a JAX function, jitted already or not, compiled ahead of time."""
    start = time.perf_counter()
    jitted = function if isinstance(function, jax.stages.Wrapped) else jax.jit(function)
    program = jitted.lower(*arguments).compile()
    seconds = time.perf_counter() - start
    return Contender(
        lambda: jax.block_until_ready(program(*arguments)),
        amount, unit, seconds, note, _memory(program),
    )  # fmt: skip


def print_windows(contender: Contender, windows: int) -> None:
    """A process's report for the one that started it: rates, the scores, seconds of compilation."""
    scores, rates = contender.call(), []
    for _ in range(windows):
        start = time.perf_counter()
        contender.call()
        rates.append(contender.amount / (time.perf_counter() - start))
    compiling = contender.compile_seconds
    print(json.dumps({"rates": rates, "scores": scores.tolist(), "compile_seconds": compiling}))


def _memory(program: Any) -> int | None:
    """Bytes, where the backend tells."""
    sizes = program.memory_analysis()
    if sizes is None:
        return None
    held = sizes.argument_size_in_bytes + sizes.output_size_in_bytes + sizes.temp_size_in_bytes
    return held - sizes.alias_size_in_bytes


def race(contenders: Mapping[str, Contender], repeats: int = REPEATS) -> dict[str, list[float]]:
    """Seconds of every repeat; contenders take turns, after one call each to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender.call()
    for _ in range(repeats):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender.call()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def row(
    name: str, values: Sequence[float], unit: str, seconds: float | None = None, note: str = ""
) -> Row:
    """The line of what was measured repeatedly; `seconds` of compilation."""
    median = statistics.median(values)
    return Row(name, median, unit, min(values), max(values), len(values), seconds, note)


def unmeasured(name: str, unit: str, why: str) -> Row:
    """The line of what could not be measured."""
    return Row(name, None, unit, None, None, 0, note=why)


def rows(contenders: Mapping[str, Contender], seconds: Mapping[str, list[float]]) -> list[Row]:
    """Rates of every contender."""
    return [
        dataclasses.replace(
            row(name, [c.amount / s for s in seconds[name]], c.unit, c.compile_seconds, c.note),
            memory_bytes=c.memory_bytes,
        )
        for name, c in contenders.items()
    ]


def ratio(
    contenders: Mapping[str, Contender], seconds: Mapping[str, list[float]], fast: str, slow: str
) -> Ratio:
    """`fast`'s rate over `slow`'s, of each repeat."""
    scale = contenders[fast].amount / contenders[slow].amount
    pairs = zip(seconds[fast], seconds[slow], strict=True)
    return Ratio.of(scale * b / a for a, b in pairs)
