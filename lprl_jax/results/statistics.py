"""Statistics by which runs are judged: few runs, so every number comes with its uncertainty.

Shapes: `R` runs (seeds) of one algorithm, `T` tasks or `T` evaluations along a run. Everything
here is NumPy on the host; wrong shapes, NaN and infinity raise a `ValueError` of one line.

References:
  Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS
  2021, https://arxiv.org/abs/2108.13264: the interquartile mean, stratified bootstrap intervals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Statistic = Callable[..., Any]
"""A statistic takes scores and a keyword `axis`, and reduces that axis: `iqm`, `numpy.mean`, …"""


@dataclass(frozen=True)
class Interval:
    """A point estimate and the bounds of its confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class StepsSummary:
    """The steps that the median run needs to a threshold; `num_reached` of `num_runs` reached it.

    A median or a bound of `inf` lies somewhere beyond `last_step`, where observation ended.
    `str` reads `1,200 [900, 1,500], 32/32`, or `> 200,000, 3/32` where all bounds lie beyond;
    a format, such as `f"{summary:,.1f}"`, is applied to every number of steps.
    """

    median: Interval
    num_reached: int
    num_runs: int
    last_step: float

    def __str__(self) -> str:
        return format(self)

    def __format__(self, spec: str) -> str:
        spec = spec or ",.0f"

        def text(steps: float) -> str:
            beyond = steps > self.last_step
            return f"> {self.last_step:{spec}}" if beyond else f"{steps:{spec}}"

        median, low, high = self.median.estimate, self.median.low, self.median.high
        bounds = f" [{text(low)}, {text(high)}]" if low <= self.last_step else ""
        return f"{text(median)}{bounds}, {self.num_reached}/{self.num_runs}"


@overload
def iqm(scores: ArrayLike, axis: None = None) -> float: ...
@overload
def iqm(scores: ArrayLike, axis: int) -> Floats: ...
def iqm(scores: ArrayLike, axis: int | None = None) -> float | Floats:
    """Interquartile mean: the mean of the middle half of the scores.

    Of the n sorted scores, each one unit long, take the stretch from n/4 to 3n/4: a score astride
    its ends counts by the fraction inside, so exactly half is averaged whatever n is.
    `scipy.stats.trim_mean(scores, 0.25)` drops floor(n/4) whole scores at each end instead: the
    same where 4 divides n, more than half of the scores otherwise.

    Args:
      scores: Finite numbers of any shape.
      axis: The axis to reduce, to an array; `None` takes all scores together, to a float.

    Examples:
      >>> iqm([0, 1, 2, 3, 4, 5, 6, 100])  # (2 + 3 + 4 + 5) / 4
      3.5
    """
    scores = _finite("scores", scores)
    ordered = np.sort(scores.ravel() if axis is None else np.moveaxis(scores, axis, -1), axis=-1)
    n = ordered.shape[-1]
    left = np.arange(n)
    inside = np.clip(np.minimum(left + 1, 3 * n / 4) - np.maximum(left, n / 4), 0, None)
    result = (ordered * inside).sum(axis=-1) / (n / 2)
    return float(result) if axis is None else result


def bootstrap_interval(
    scores: ArrayLike,
    statistic: Statistic = iqm,
    *,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Stratified percentile bootstrap of a statistic over all runs and tasks.

    Each resample draws R runs with replacement within each task independently, so every task
    keeps its share, and reduces all R·T scores to one number; the interval holds the middle
    `confidence` of these numbers.

    Args:
      scores: `[R]` or `[R, T]`, finite.
      statistic: Reduces the axis given by keyword `axis`: `iqm`, `numpy.mean`, `numpy.median`, …
      confidence: Nominal coverage, between 0 and 1.
      num_resamples: Resamples; the memory is `num_resamples * R * T` floats.
      seed: Seed of the resampling; the same seed gives the same interval.

    Examples:
      >>> bootstrap_interval([0.5, 0.5, 0.5])
      Interval(estimate=0.5, low=0.5, high=0.5)
    """
    scores = _finite("scores", scores)
    if scores.ndim not in (1, 2):
        raise ValueError(f"scores: found shape {scores.shape}, need [runs] or [runs, tasks]")
    return _percentile_interval(scores, statistic, confidence, num_resamples, seed)


def probability_of_improvement(
    x: ArrayLike,
    y: ArrayLike,
    *,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The probability that a run of X scores higher than a run of Y; ties count half.

    Args:
      x: `[R]` scores of X.
      y: `[S]` scores of Y, another number of runs perhaps.
      confidence: Nominal coverage of the bootstrap interval, between 0 and 1.
      num_resamples: Resamples; each draws R runs of X and S of Y with replacement.
      seed: Seed of the resampling.

    Examples:
      >>> probability_of_improvement([1, 1], [0, 1]).estimate  # better in two pairs, equal in two
      0.75
    """
    x, y = _finite("x", x), _finite("y", y)
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"x and y: found shapes {x.shape} and {y.shape}, need [runs] each")
    better = (x[:, None] > y) + 0.5 * (x[:, None] == y)  # [R, S]

    rng = np.random.default_rng(seed)
    # A resample weights each run by how often it was drawn.
    of_x = rng.multinomial(x.size, np.full(x.size, 1 / x.size), num_resamples) / x.size
    of_y = rng.multinomial(y.size, np.full(y.size, 1 / y.size), num_resamples) / y.size
    draws = np.einsum("br,rs,bs->b", of_x, better, of_y, optimize=True)
    return Interval(float(better.mean()), *_bounds(draws, confidence))


def steps_to_threshold(
    steps: ArrayLike, values: ArrayLike, threshold: float
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The first step at which each run's value is at least the threshold.

    Args:
      steps: `[T]` increasing environment steps at which the runs were evaluated.
      values: `[R, T]` what was measured there.
      threshold: The value to reach.

    Returns:
      Steps `[R]` and reached `[R]`, for `summarize_steps`. A run that never reaches the threshold
      is censored: its step is `steps[-1]`, its reached `False`.

    Examples:
      >>> first, reached = steps_to_threshold([10, 20, 30], [[0.1, 0.9, 0.2], [0.1, 0.2, 0.3]], 0.8)
      >>> first.tolist(), reached.tolist()
      ([20, 30], [True, False])
    """
    steps, values = as_curves(steps, values)
    above = values >= _finite("threshold", threshold)
    reached = np.any(above, axis=1)
    return np.where(reached, steps[above.argmax(axis=1)], steps[-1]), reached


def summarize_steps(
    steps: ArrayLike,
    reached: ArrayLike,
    *,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> StepsSummary:
    """The median number of steps under censoring, with a bootstrap interval.

    A mean counts runs that never reached as if they had at the end, so it is too small; a median
    need only know that they come last. Here it is the first step by which at least half the runs
    had reached: for an even R the lower of the two in the middle, as in survival analysis.

    Args:
      steps: `[R]` the step at which each run reached, or was last seen.
      reached: `[R]` whether it reached; the others must all have been last seen at one step.
      confidence: Nominal coverage of the interval, between 0 and 1.
      num_resamples: Bootstrap resamples of the runs.
      seed: Seed of the resampling.

    Examples:
      >>> print(summarize_steps([20, 30, 30, 30], [True, False, False, False]))
      > 30 [20, > 30], 1/4
    """
    steps, reached = _finite("steps", steps), np.asarray(reached)
    if steps.ndim != 1 or reached.shape != steps.shape or reached.dtype != np.bool_:
        raise ValueError(
            f"steps and reached: found shapes {steps.shape} and {reached.shape} of "
            f"{reached.dtype}, need [runs] numbers and [runs] booleans"
        )
    last = steps.max()
    if (early := steps[~reached & (steps < last)]).size:
        raise ValueError(
            f"steps: found a run censored at {early[0]:g}, need {last:g}, the last step"
        )
    times = np.where(reached, steps, np.inf)
    median = _percentile_interval(times, _lower_median, confidence, num_resamples, seed)
    return StepsSummary(median, int(reached.sum()), reached.size, float(last))


def normalized_area(
    steps: ArrayLike, values: ArrayLike, low: float = 0.0, high: float = 1.0
) -> Floats:
    """The area `[R]` under the learning curves; a constant `low` gives 0, a constant `high` 1.

    Args:
      steps: `[T]` increasing environment steps, at least two.
      values: `[R, T]` what was measured there; straight lines in between (the trapezoidal rule).
      low: The value whose area is 0.
      high: The value whose area is 1.

    Examples:
      >>> normalized_area([0, 10, 20], [[0, 1, 1]]).tolist()
      [0.75]
    """
    steps, values = as_curves(steps, values)
    if steps.size < 2:
        raise ValueError("steps: found 1 step, need at least 2 for an area")
    if _finite("low", low) == _finite("high", high):
        raise ValueError(f"low and high: found {low:g} for both, need two different values")
    mean = np.trapezoid(values, steps, axis=1) / (steps[-1] - steps[0])
    return (mean - low) / (high - low)


def as_curves(steps: ArrayLike, values: ArrayLike) -> tuple[NDArray[Any], Floats]:
    """Steps `[T]` and values `[R, T]` as arrays, or a `ValueError` that says what is wrong."""
    steps, values = np.asarray(steps), _finite("values", values)
    increments = np.diff(_finite("steps", steps).ravel())
    if steps.ndim != 1 or values.ndim != 2 or values.shape[1] != steps.size:
        shapes = f"{steps.shape} and {values.shape}"
        raise ValueError(f"steps and values: found shapes {shapes}, need [T] and [runs, T]")
    if (increments <= 0).any():
        at = int(np.argmax(increments <= 0))
        raise ValueError(f"steps: found {steps[at + 1]} after {steps[at]}, need increasing steps")
    return steps, values


def _percentile_interval(
    scores: Floats, statistic: Statistic, confidence: float, num_resamples: int, seed: int
) -> Interval:
    """The percentile bootstrap of `scores` `[R]` or `[R, T]`, which may be infinite here."""
    if num_resamples < 1:
        raise ValueError(f"num_resamples: found {num_resamples}, need at least 1")
    columns = scores.reshape(len(scores), -1)  # [R, T]
    rng = np.random.default_rng(seed)
    runs = rng.integers(len(columns), size=(num_resamples, *columns.shape))
    resamples = np.take_along_axis(columns[None], runs, axis=1)
    low, high = _bounds(statistic(resamples.reshape(num_resamples, -1), axis=1), confidence)
    return Interval(float(statistic(columns.reshape(1, -1), axis=1)[0]), low, high)


def _bounds(draws: Floats, confidence: float) -> tuple[float, float]:
    """The ends of the middle `confidence` of bootstrap draws."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: found {confidence}, need a number between 0 and 1")
    draws = np.sort(draws)
    # Ranks rounded outwards, not interpolated: an infinite draw stays infinite, never NaN.
    tail = int((1 - confidence) / 2 * (draws.size - 1))
    return float(draws[tail]), float(draws[draws.size - 1 - tail])


def _lower_median(scores: Floats, *, axis: int) -> Floats:
    """The smallest score that at least half of the scores do not exceed."""
    return np.sort(scores, axis=axis).take((scores.shape[axis] - 1) // 2, axis=axis)


def _finite(name: str, values: ArrayLike) -> Floats:
    """The values as floats: at least one, all finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError(f"{name}: found no values (shape {array.shape}), need at least one")
    if num_bad := int((~np.isfinite(array)).sum()):
        found = f"NaN or infinity in {num_bad} of {array.size} values"
        raise ValueError(f"{name}: found {found}, need finite ones")
    return array
