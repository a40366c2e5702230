"""Statistics by which runs are judged: few runs, so every number comes with its uncertainty.

Shapes: `R` runs (seeds) of one algorithm, `T` tasks or `T` evaluations along a run. Everything
here is NumPy on the host; wrong shapes, NaN and infinity raise a `ValueError` of one line.
An interval that few runs cannot give is not given: its bounds are None.

References:
  Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS
  2021, https://arxiv.org/abs/2108.13264: the interquartile mean, stratified bootstrap intervals.
  Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69, 2015,
  https://arxiv.org/abs/1411.5279: the expanded percentile interval.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from lprl_jax.results.curves import (
    as_curves,
    finite,
    first_passage,
    normalized_area,
    steps_to_threshold,
)

__all__ = (
    "Interval",
    "StepsSummary",
    "as_curves",
    "bootstrap_interval",
    "first_passage",
    "iqm",
    "normalized_area",
    "probability_of_improvement",
    "share_interval",
    "steps_to_threshold",
    "summarize_steps",
)

Floats = NDArray[np.float64]
Statistic = Callable[..., Any]
"""A statistic takes scores and a keyword `axis`, and reduces that axis: `iqm`, `numpy.mean`, …"""
MIN_RUNS = 6
"""Runs below which a bootstrap gives no interval. From there on one of nominally 95 % covers some
95 % of the truths, 91 in the worst population tried; `tests/results/test_coverage.py` simulates
it."""
MIN_ALIKE = 11
"""Runs below which runs that are all alike give no interval: of runs that succeed or fail as a
whole, three quarters of which succeed, ten are all alike more than once in twenty times."""


@dataclass(frozen=True)
class Interval:
    """A point estimate and the bounds of its confidence interval."""

    estimate: float
    low: float | None
    """None where there are too few runs for an interval."""
    high: float | None
    """None with `low`."""

    def rounded(self, digits: int = 4) -> list[float | None]:
        """Estimate and bounds, for JSON."""
        three = (self.estimate, self.low, self.high)
        return [None if x is None else round(x, digits) for x in three]


@dataclass(frozen=True)
class StepsSummary:
    """The steps that the median run needs to a threshold; `num_reached` of `num_runs` reached it.

    A median or a bound of `inf` lies somewhere beyond `last_step`, where observation ended.
    `str` reads `1,200 [900, 1,500], 32/32`, or `> 200,000, 3/32` where all bounds lie beyond, or
    `1,200, 3/3` where there are too few runs for bounds; a format, such as `f"{summary:,.1f}"`, is
    applied to every number of steps.
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
        bounds = ""
        if low is not None and high is not None and low <= self.last_step:
            bounds = f" [{text(low)}, {text(high)}]"
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
    scores = finite("scores", scores)
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
    num_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Stratified bootstrap of a statistic over all runs and tasks, by expanded percentiles.

    Each resample draws R runs with replacement within each task independently, so every task
    keeps its share, and reduces all R·T scores to one number. The middle `confidence` of these
    numbers would be too narrow where runs are few: a resample varies as if the spread were the one
    about the sample's own mean, and known. So a wider middle is taken, by what that is worth for a
    mean of normal scores: sqrt(R / (R - 1)), and Student's t in place of the normal quantile. The
    bounds stay within the scores.

    Fewer than MIN_RUNS runs give no bounds, nor do fewer than MIN_ALIKE that are all alike.

    Args:
      scores: `[R]` or `[R, T]`, finite.
      statistic: Reduces the axis given by keyword `axis`: `iqm`, `numpy.mean`, `numpy.median`, …
      confidence: Nominal coverage, between 0 and 1.
      num_resamples: Resamples; the memory is `num_resamples * R * T` floats.
      seed: Seed of the resampling; the same seed gives the same interval.

    Examples:
      >>> bootstrap_interval([0.5] * 12)
      Interval(estimate=0.5, low=0.5, high=0.5)
      >>> bootstrap_interval([0.25, 0.5, 0.75])
      Interval(estimate=0.5, low=None, high=None)
    """
    scores = finite("scores", scores)
    if scores.ndim not in (1, 2):
        raise ValueError(f"scores: found shape {scores.shape}, need [runs] or [runs, tasks]")
    if num_resamples < 1:
        raise ValueError(f"num_resamples: found {num_resamples}, need at least 1")
    tail = (1 - _confidence(confidence)) / 2
    estimate = float(statistic(scores.reshape(1, -1), axis=1)[0])
    num_runs = len(scores)
    alike = scores.min() == scores.max()
    if num_runs < MIN_RUNS or (alike and num_runs < MIN_ALIKE):
        return Interval(estimate, None, None)

    columns = scores.reshape(num_runs, -1)  # [R, T]
    rng = np.random.default_rng(seed)
    runs = rng.integers(num_runs, size=(num_resamples, *columns.shape))
    resamples = np.take_along_axis(columns[None], runs, axis=1).reshape(num_resamples, -1)
    draws = np.sort(statistic(resamples, axis=1))
    freedom = columns.shape[1] * (num_runs - 1)
    quantile = special.stdtrit(freedom, tail) * np.sqrt(num_runs / (num_runs - 1))
    rank = int(special.ndtr(quantile) * (num_resamples - 1))  # outwards, not interpolated
    return Interval(estimate, float(draws[rank]), float(draws[num_resamples - 1 - rank]))


def probability_of_improvement(x: ArrayLike, y: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """The probability that a run of X scores higher than a run of Y; ties count half.

    The interval is Clopper and Pearson's, of a share of as many trials as the fewer runs. No
    populations make the estimate vary more than such a share (Birnbaum and Klose 1957), so it
    covers also where X beats Y nearly always, where a bootstrap of 32 runs covers but 80 %.

    Args:
      x: `[R]` scores of X.
      y: `[S]` scores of Y, another number of runs perhaps.
      confidence: Coverage, between 0 and 1.

    Examples:
      >>> probability_of_improvement([1, 1], [0, 1]).estimate  # better in two pairs, equal in two
      0.75
    """
    x, y = finite("x", x), finite("y", y)
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"x and y: found shapes {x.shape} and {y.shape}, need [runs] each")
    share = float(((x[:, None] > y) + 0.5 * (x[:, None] == y)).mean())
    return _of_trials(share, min(x.size, y.size), confidence)


def share_interval(shares: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """The mean of shares in [0, 1], as of instances each of which is solved in some episodes.

    The interval is Clopper and Pearson's, of as many trials as shares. Shares vary most where each
    is 0 or 1, and then it is exact; a bootstrap covers too little where nearly all are alike.

    Args:
      shares: `[N]`, in [0, 1].
      confidence: Coverage, between 0 and 1.

    Examples:
      >>> found = share_interval([1.0] * 50)
      >>> round(found.low, 2), found.high
      (0.93, 1.0)
    """
    shares = finite("shares", shares)
    if shares.ndim != 1 or shares.min() < 0 or shares.max() > 1:
        raise ValueError(f"shares: found shape {shares.shape}, need [N] numbers in [0, 1]")
    return _of_trials(float(shares.mean()), shares.size, confidence)


def _of_trials(share: float, trials: int, confidence: float) -> Interval:
    """Clopper and Pearson's interval; the number that was won need not be whole."""
    tail, won = (1 - _confidence(confidence)) / 2, share * trials
    low = special.betaincinv(won, trials - won + 1, tail) if won > 0 else 0.0
    high = special.betaincinv(won + 1, trials - won, 1 - tail) if won < trials else 1.0
    return Interval(share, float(low), float(high))


def summarize_steps(
    steps: ArrayLike, reached: ArrayLike, *, confidence: float = 0.95
) -> StepsSummary:
    """The median number of steps under censoring, with an interval.

    A mean counts runs that never reached as if they had at the end, so it is too small; a median
    need only know that they come last. Here it is the first step by which at least half the runs
    had reached: for an even R the lower of the two in the middle, as in survival analysis.

    The interval's bounds are two of the runs, so far from the middle one that the median of the
    population lies between them with probability `confidence` at least, whatever the population:
    of R runs Binomial(R, 1/2) lie below it. Five runs are too few for 95 %; they give no bounds.

    Args:
      steps: `[R]` the step at which each run reached, or was last seen.
      reached: `[R]` whether it reached; the others must all have been last seen at one step.
      confidence: Coverage of the interval, between 0 and 1.

    Examples:
      >>> print(summarize_steps([20] * 3 + [30] * 5, [True] * 4 + [False] * 4))
      30 [20, > 30], 4/8
    """
    steps, reached = finite("steps", steps), np.asarray(reached)
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
    tail, num_runs = (1 - _confidence(confidence)) / 2, reached.size
    times = np.sort(np.where(reached, steps, np.inf))
    outside = special.bdtr(np.arange(num_runs), num_runs, 0.5) <= tail  # [R]
    median, low, high = float(times[(num_runs - 1) // 2]), None, None
    if outside[0]:
        rank = int(outside.sum()) - 1
        low, high = float(times[rank]), float(times[num_runs - 1 - rank])
    return StepsSummary(Interval(median, low, high), int(reached.sum()), num_runs, float(last))


def _confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: found {confidence}, need a number between 0 and 1")
    return confidence
