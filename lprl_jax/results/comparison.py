"""Results side by side: what `lprl train`, `demo`, `compare` and `report` print."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from lprl_jax.results import grids, statistics
from lprl_jax.results.reading import Result
from lprl_jax.results.statistics import Interval, StepsSummary

THRESHOLD = 0.8
"""Success rate that counts as solved."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """A result in figures. Intervals are of 95 %, over the runs; `statistics` says which."""

    runs: int
    """R."""
    steps: int
    """Steps a run."""
    step: str
    """What a step is, in the plural: `environment steps`, ..."""
    evaluated_every: int | None
    """Steps between two evaluations of those that the figures below are of: they are of the same
    steps in all results. None where fewer than three do not tell."""
    episodes: int | None
    """Episodes an evaluation, a run; None where it is not known."""
    success: Interval
    """Success rate at the end: the interquartile mean (IQM) over the runs."""
    area: Interval | None
    """Area under the success curve, in [0, 1], over all of the steps: IQM. None with a single
    evaluation."""
    better: Interval | None
    """Probability that a run has more area than one of the first result, up to the last step that
    both have reached; None for the first, and where fewer than two evaluations are of the same
    steps."""
    steps_to_threshold: StepsSummary | None
    """Steps by which a run has come to the threshold for good; see `curves.steps_to_threshold`.
    None where the evaluations cannot tell."""
    seconds_to_threshold: StepsSummary | None
    """Wall clock: set-up (prior, compilation) and training of all runs; evaluation left out."""
    queries: int
    """Prompts sent to the model, by all runs of the program (of all settings of a sweep)."""
    evaluations: int
    """Prompts run through the model, a table's included."""
    steps_per_second: int
    """Steps of all runs of the program a second of training."""


def summarize(results: Mapping[str, Result], threshold: float = THRESHOLD) -> dict[str, Summary]:
    """Figures of each result, the first being what the others are held against.

    Args:
        results: By name.
        threshold: Success rate to reach.

    Raises:
        InvalidInput: if they count different steps, or were evaluated at steps of which too few are
            the same.
    """
    step, cadence, alike = grids.step_of(results), grids.cadence_of(results), grids.alike(results)
    first = next(iter(alike.values()))
    summaries = {}
    for i, (name, result) in enumerate(results.items()):
        curve = alike[name]
        clock = curve.setup_seconds + curve.seconds
        summaries[name] = Summary(
            runs=result.success.shape[0],
            steps=int(result.steps[-1]),
            step=step,
            evaluated_every=cadence,
            episodes=result.episodes,
            success=statistics.bootstrap_interval(result.success[:, -1]),
            area=_area(curve),
            better=_better(curve, first) if i else None,
            steps_to_threshold=_to_threshold(curve, curve.steps, threshold),
            seconds_to_threshold=_to_threshold(curve, clock, threshold),
            queries=int(result.queries[-1]),
            evaluations=int(result.evaluations[-1]),
            steps_per_second=round(result.steps_per_second),
        )
    return summaries


def as_json(summaries: Mapping[str, Summary]) -> dict[str, Any]:
    """The figures as JSON takes them: what was never reached, or is not known, is null."""

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
        name: interval(statistics.bootstrap_interval(result.returns[:, -1]), len(result.returns))
        for name, result in results.items()
    }
    return "final return (IQM, 95 %): " + ", ".join(f"{name} {end}" for name, end in ends.items())


def cells(
    summaries: Mapping[str, Summary], threshold: float = THRESHOLD
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of `table`."""
    share = f"{100 * threshold:g} %"
    step = next(iter(summaries.values())).step
    head = ["", "runs", step, "final success (IQM, 95 %)"]
    head += [f"{step} to {share} (median, 95 %; runs)", f"seconds to {share}"]
    compared = len(summaries) > 1
    head += ["area (IQM)", "P(more area than the first)"] if compared else []
    head += ["queries", "evaluations", f"{step}/s"]
    return head, [_row(name, summary, compared) for name, summary in summaries.items()]


def _row(name: str, s: Summary, compared: bool) -> list[str]:
    row = [name, f"{s.runs}", f"{s.steps:,}", interval(s.success, s.runs)]
    row.append("–" if s.steps_to_threshold is None else f"{s.steps_to_threshold}")
    seconds = s.seconds_to_threshold
    row.append("–" if seconds is None else f"{seconds:,.1f}".rsplit(", ", 1)[0])
    if compared:
        row.append("–" if s.area is None else f"{s.area.estimate:.3f}")
        row.append("–" if s.better is None else interval(s.better))
    return [*row, f"{s.queries:,}", f"{s.evaluations:,}", f"{s.steps_per_second:,}"]


def interval(i: Interval, runs: int | None = None) -> str:
    """`0.86 [0.56, 0.96]`; `0.86 (3 runs)`, or `0.86`, where they are too few for an interval."""
    if i.low is None or i.high is None:
        few = "" if runs is None else " (1 run)" if runs == 1 else f" ({runs} runs)"
        return f"{i.estimate:.2f}{few}"
    return f"{i.estimate:.2f} [{i.low:.2f}, {i.high:.2f}]"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _area(result: Result) -> Interval | None:
    """Area under the success curve; there is none under a single evaluation."""
    if len(result.steps) < 2:
        return None
    return statistics.bootstrap_interval(statistics.normalized_area(result.steps, result.success))


def _better(result: Result, first: Result) -> Interval | None:
    """How probably a run is better than one of the first result, where both were evaluated."""
    steps, own, theirs = np.intersect1d(result.steps, first.steps, return_indices=True)
    if len(steps) < 2:
        return None
    return statistics.probability_of_improvement(
        statistics.normalized_area(steps, result.success[:, own]),
        statistics.normalized_area(steps, first.success[:, theirs]),
    )


def _to_threshold(result: Result, at: np.ndarray, threshold: float) -> StepsSummary | None:
    """When the threshold was reached, by this clock of the evaluations."""
    if not grids.resolves(result, threshold):
        return None
    return statistics.summarize_steps(*statistics.steps_to_threshold(at, result.success, threshold))
