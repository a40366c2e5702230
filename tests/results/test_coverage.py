"""How often intervals hold the truth, by simulation: of few runs as well as of many."""

from collections.abc import Callable

import numpy as np
import pytest

from lprl_jax.results.statistics import (
    MIN_RUNS,
    Interval,
    bootstrap_interval,
    iqm,
    probability_of_improvement,
    share_interval,
    summarize_steps,
)

RUNS = (MIN_RUNS, 10, 16, 32)
REPETITIONS = 300
"""The standard error of a coverage of .95 is 1.3 %."""
Draw = Callable[[np.random.Generator, int], np.ndarray]

POPULATIONS: dict[str, Draw] = {
    "uniform": lambda rng, n: rng.uniform(size=n),
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed": lambda rng, n: rng.exponential(size=n),
    "very skewed": lambda rng, n: np.exp(rng.normal(size=n)),
    "success of 32 episodes, most runs good": lambda rng, n: (
        rng.binomial(32, rng.beta(4, 1, n)) / 32
    ),
    "success, most runs good or bad": lambda rng, n: rng.beta(0.5, 0.5, n),
}


def holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low - 1e-9 <= truth <= interval.high + 1e-9


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("num_runs", RUNS)
def test_the_interquartile_mean(population: str, num_runs: int) -> None:
    rng, draw = np.random.default_rng(num_runs), POPULATIONS[population]
    truth = iqm(draw(rng, 400_000))
    intervals = [
        bootstrap_interval(draw(rng, num_runs), num_resamples=1000, seed=i)
        for i in range(REPETITIONS)
    ]
    assert np.mean([holds(interval, truth) for interval in intervals]) >= 0.92


@pytest.mark.parametrize("num_runs", [*RUNS, 7, 8, 11, 12])
def test_the_interquartile_mean_of_runs_that_succeed_or_fail(num_runs: int) -> None:
    """Exactly, for any probability of success: there are but R + 1 samples. What is not given
    holds nothing, and is left out; a sample without an interval is one of runs that are all alike.
    """
    num_succeeded = np.arange(num_runs + 1)
    found = [bootstrap_interval(np.arange(num_runs) < n) for n in num_succeeded]
    given = np.array([interval.low is not None for interval in found])
    assert given[1:-1].all()
    assert given[0] == (num_runs >= 11)
    counts = np.array([_binomial(num_runs, int(n)) for n in num_succeeded])
    coverage = []
    for p in np.linspace(0.26, 0.74, 25):
        truth = (p - 0.25) / 0.5  # the middle half of all runs
        chances = counts * p**num_succeeded * (1 - p) ** (num_runs - num_succeeded)
        held = [i.low is not None and holds(i, truth) for i in found]
        coverage.append(chances[held].sum() / chances[given].sum())
    assert min(coverage) >= 0.91
    assert np.mean(coverage) >= 0.945


def test_runs_and_tasks() -> None:
    rng = np.random.default_rng(0)
    levels = np.linspace(0, 1, 5)
    truth = iqm(levels + rng.uniform(size=(100_000, 5)))
    intervals = [
        bootstrap_interval(levels + rng.uniform(size=(6, 5)), num_resamples=500, seed=i)
        for i in range(REPETITIONS)
    ]
    assert np.mean([holds(interval, truth) for interval in intervals]) >= 0.92


@pytest.mark.parametrize("num_runs", RUNS)
@pytest.mark.parametrize("last", [np.inf, 1.0])
def test_the_median_number_of_steps(num_runs: int, last: float) -> None:
    """Also where runs are censored at 1, of which more than half have come to the threshold."""
    rng, truth = np.random.default_rng(num_runs), np.log(2)
    held = []
    for _ in range(1000):
        steps = rng.exponential(size=num_runs)
        reached = steps < last
        steps = np.minimum(steps, last)
        if not reached.all():
            steps = np.append(steps[reached], np.full((~reached).sum(), 1.0))
            reached = np.arange(num_runs) < reached.sum()
        held.append(holds(summarize_steps(steps, reached).median, float(truth)))
    assert np.mean(held) >= 0.94


IMPROVEMENTS: dict[str, tuple[Draw, Draw]] = {
    "alike": (POPULATIONS["normal"], POPULATIONS["normal"]),
    "better": (lambda rng, n: rng.normal(1.19, 1, n), POPULATIONS["normal"]),
    "nearly always better": (lambda rng, n: rng.normal(3.29, 1, n), POPULATIONS["normal"]),
    "alike, of other spreads": (lambda rng, n: rng.normal(0, 9, n), POPULATIONS["normal"]),
    "better but for some that fail": (
        lambda rng, n: rng.uniform(size=n) + np.where(rng.uniform(size=n) < 0.8, 1, -1),
        POPULATIONS["uniform"],
    ),
    "with ties": (lambda rng, n: rng.binomial(1, 0.9, n), lambda rng, n: rng.binomial(1, 0.5, n)),
}


@pytest.mark.parametrize("kind", IMPROVEMENTS)
@pytest.mark.parametrize("sizes", [(6, 6), (8, 32), (32, 32)])
def test_the_probability_of_improvement(kind: str, sizes: tuple[int, int]) -> None:
    x, y = IMPROVEMENTS[kind]
    rng = np.random.default_rng(0)
    many, others = x(rng, 1_000_000), y(rng, 1_000_000)
    truth = float(np.mean((many > others) + 0.5 * (many == others)))
    intervals = [
        probability_of_improvement(x(rng, sizes[0]), y(rng, sizes[1])) for _ in range(1000)
    ]
    assert np.mean([holds(interval, truth) for interval in intervals]) >= 0.94


def _binomial(n: int, k: int) -> int:
    return 1 if k == 0 else _binomial(n, k - 1) * (n - k + 1) // k


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.98, 0.99])
@pytest.mark.parametrize("episodes", [1, 8])
def test_the_mean_of_shares_of_instances(rate: float, episodes: int) -> None:
    """Also where nearly every instance is solved, and where each is or is not."""
    rng, found = np.random.default_rng(0), []
    for _ in range(10 * REPETITIONS):
        own = rng.uniform(size=50) < rate if episodes == 1 else rng.beta(rate, 1 - rate, 50)
        found.append(share_interval(rng.binomial(episodes, own) / episodes))
    assert np.mean([holds(interval, rate) for interval in found]) >= 0.94


def test_shares_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="need \\[N\\] numbers in \\[0, 1\\]"):
        share_interval([0.5, 1.5])
