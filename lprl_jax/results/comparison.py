"""Results side by side: what `lprl train`, `demo`, `compare` and `report` print."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from lprl_jax.results import statistics
from lprl_jax.results.reading import Result
from lprl_jax.results.statistics import Interval, StepsSummary

THRESHOLD = 0.8
"""Success rate that counts as solved."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """A result in figures. Intervals are of 95 %, by bootstrap over the runs."""

    runs: int
    """R."""
    steps: int
    """Environment steps a run."""
    success: Interval
    """Success rate at the end: the interquartile mean (IQM) over the runs."""
    area: Interval
    """Area under the success curve, in [0, 1], over all of the steps: IQM."""
    better: Interval | None
    """Probability that a run has more area than one of the first result, up to the last step that
    both have reached; None for the first."""
    steps_to_threshold: StepsSummary
    """Environment steps of a run."""
    seconds_to_threshold: StepsSummary
    """Wall clock: set-up (prior, compilation) and training of all runs; evaluation left out."""
    queries: int
    """Prompts sent to the model, by all runs of the program (of all settings of a sweep)."""
    evaluations: int
    """Prompts run through the model, a table's included."""
    steps_per_second: int
    """Environment steps of all runs of the program a second of training."""


def summarize(results: Mapping[str, Result], threshold: float = THRESHOLD) -> dict[str, Summary]:
    """Figures of each result, the first being what the others are held against.

    Args:
        results: By name.
        threshold: Success rate to reach.
    """
    first = next(iter(results.values()))
    summaries = {}
    for i, (name, result) in enumerate(results.items()):
        clock = result.setup_seconds + result.seconds
        summaries[name] = Summary(
            runs=result.success.shape[0],
            steps=int(result.steps[-1]),
            success=statistics.bootstrap_interval(result.success[:, -1]),
            area=statistics.bootstrap_interval(_area(result, result.steps[-1])),
            better=_better(result, first) if i else None,
            steps_to_threshold=_to_threshold(result.steps, result.success, threshold),
            seconds_to_threshold=_to_threshold(clock, result.success, threshold),
            queries=int(result.queries[-1]),
            evaluations=int(result.evaluations[-1]),
            steps_per_second=round(result.steps_per_second),
        )
    return summaries


def as_json(summaries: Mapping[str, Summary]) -> dict[str, Any]:
    """The figures as JSON takes them: what was never reached is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {name: plain(dataclasses.asdict(summary)) for name, summary in summaries.items()}


def table(summaries: Mapping[str, Summary], threshold: float = THRESHOLD) -> str:
    """A Markdown table, a row a result."""
    return markdown(*cells(summaries, threshold))


def final_returns(results: Mapping[str, Result]) -> str:
    """A line: the last evaluation's mean return, for environments of which no state is solved."""
    ends = {
        name: interval(statistics.bootstrap_interval(result.returns[:, -1]))
        for name, result in results.items()
    }
    return "final return (IQM, 95 %): " + ", ".join(f"{name} {end}" for name, end in ends.items())


def cells(
    summaries: Mapping[str, Summary], threshold: float = THRESHOLD
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of `table`."""
    share = f"{100 * threshold:g} %"
    head = ["", "runs", "steps", "final success (IQM, 95 %)"]
    head += [f"steps to {share} (median, 95 %; runs)", f"seconds to {share}"]
    compared = len(summaries) > 1
    head += ["area (IQM)", "P(more area than the first)"] if compared else []
    head += ["queries", "evaluations", "steps/s"]
    return head, [_row(name, summary, compared) for name, summary in summaries.items()]


def _row(name: str, s: Summary, compared: bool) -> list[str]:
    row = [name, f"{s.runs}", f"{s.steps:,}", interval(s.success)]
    row += [f"{s.steps_to_threshold}", f"{s.seconds_to_threshold:,.1f}".rsplit(", ", 1)[0]]
    if compared:
        row += [f"{s.area.estimate:.3f}", "–" if s.better is None else interval(s.better)]
    return [*row, f"{s.queries:,}", f"{s.evaluations:,}", f"{s.steps_per_second:,}"]


def interval(i: Interval) -> str:
    """`0.86 [0.56, 0.96]`."""
    return f"{i.estimate:.2f} [{i.low:.2f}, {i.high:.2f}]"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _better(result: Result, first: Result) -> Interval:
    """How probably a run is better than one of the first result, as far as both have gone."""
    last = min(result.steps[-1], first.steps[-1])
    return statistics.probability_of_improvement(_area(result, last), _area(first, last))


def _area(result: Result, last: int) -> np.ndarray:
    """`f64[R]`: area under the success curve up to a step; with one evaluation, its value.

    Between two evaluations the curve is a straight line, at that step as well.
    """
    seen = result.steps <= last
    steps, success = result.steps[seen], result.success[:, seen]
    if steps[-1] < last:
        ends = [np.interp(last, result.steps, run) for run in result.success]
        steps, success = np.append(steps, last), np.column_stack([success, ends])
    if len(steps) < 2:
        return success[:, 0]
    return statistics.normalized_area(steps, success)


def _to_threshold(at: np.ndarray, success: np.ndarray, threshold: float) -> StepsSummary:
    return statistics.summarize_steps(*statistics.steps_to_threshold(at, success, threshold))
