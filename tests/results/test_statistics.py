"""Expected numbers are worked out by hand, in a comment beside each."""

import doctest

import numpy as np
import pytest

from lprl_jax.results import statistics
from lprl_jax.results.statistics import (
    Interval,
    bootstrap_interval,
    iqm,
    normalized_area,
    steps_to_threshold,
    summarize_steps,
)


def test_docstring_examples():
    failed, attempted = doctest.testmod(statistics)
    assert attempted > 0
    assert failed == 0


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], 4.5),  # (3 + 4 + 5 + 6) / 4
        ([7], 7.0),
        ([1, 3], 2.0),  # from .5 to 1.5: (.5·1 + .5·3) / 1
        ([0, 1, 5], 1.5),  # from .75 to 2.25: (.25·0 + 1 + .25·5) / 1.5
        ([1, 2, 4, 8, 100], 4.6),  # from 1.25 to 3.75: (.75·2 + 4 + .75·8) / 2.5 = 11.5 / 2.5
        ([1, 2, 3, 5, 9, 100], 4.5),  # from 1.5 to 4.5: (.5·2 + 3 + 5 + .5·9) / 3 = 13.5 / 3
    ],
)
def test_iqm_by_hand(scores, expected):
    assert iqm(scores) == pytest.approx(expected, abs=1e-12)
    assert iqm(scores[::-1]) == iqm(scores)


def test_iqm_along_an_axis():
    scores = np.array([[1, 7], [2, 7], [4, 7], [8, 7], [100, 7]])
    np.testing.assert_allclose(iqm(scores, axis=0), [4.6, 7])
    np.testing.assert_allclose(iqm(scores.T, axis=1), [4.6, 7])
    np.testing.assert_allclose(iqm(scores.T, axis=-1), [4.6, 7])
    # All ten, from 2.5 to 7.5 of 1 2 4 7 7 7 7 7 8 100: (.5·4 + 7 + 7 + 7 + 7 + .5·7) / 5
    assert iqm(scores) == pytest.approx(33.5 / 5)


def test_iqm_ignores_outliers():
    assert iqm([0, 0, 1, 1, 1, 1, 1e9, 1e9]) == 1.0


def test_bootstrap_by_hand():
    # The mean of two draws from {0, 1} is 0, 1/2, 1 with probability 1/4, 1/2, 1/4: so the middle
    # 95 % reaches from 0 to 1, and the middle 40 % (from .3 to .7) is 1/2 alone.
    assert bootstrap_interval([0, 1], np.mean) == Interval(0.5, 0.0, 1.0)
    assert bootstrap_interval([0, 1], np.mean, confidence=0.4) == Interval(0.5, 0.5, 0.5)


@pytest.mark.parametrize("statistic", [iqm, np.mean, np.median])
@pytest.mark.parametrize("shape", [(11,), (11, 3)])
def test_bootstrap_contains_its_estimate(statistic, shape):
    scores = np.random.default_rng(1).normal(size=shape)
    interval = bootstrap_interval(scores, statistic)
    assert interval.estimate == pytest.approx(float(statistic(scores)))
    assert interval.low < interval.estimate < interval.high


@pytest.mark.parametrize("shape", [(1,), (9,), (9, 4)])
def test_bootstrap_of_a_constant_has_no_width(shape):
    interval = bootstrap_interval(np.full(shape, 0.3))
    assert interval.low == interval.estimate == interval.high == pytest.approx(0.3)


def test_bootstrap_is_stratified():
    # Runs agree within each task: whatever is drawn, the tasks keep their shares.
    scores = np.tile([0.1, 0.5, 0.9], (6, 1))
    # IQM of six each of .1, .5, .9, from 4.5 to 13.5: (1.5·.1 + 6·.5 + 1.5·.9) / 9 = .5
    interval = bootstrap_interval(scores)
    assert interval.low == interval.estimate == interval.high == pytest.approx(0.5)
    # The first task is always half of the scores: means lie between (0 + 10)/2 and (1 + 10)/2.
    interval = bootstrap_interval([[0, 10], [1, 10]], np.mean)
    assert interval == Interval(5.25, 5.0, 5.5)


def test_bootstrap_draws_each_task_by_itself():
    # Rows sum to 1: drawing whole rows would always give a mean of 1/2.
    interval = bootstrap_interval([[0, 1], [1, 0]], np.mean)
    assert interval == Interval(0.5, 0.0, 1.0)


def test_bootstrap_is_fixed_by_its_seed():
    scores = np.random.default_rng(2).normal(size=20)
    assert bootstrap_interval(scores, seed=3) == bootstrap_interval(scores, seed=3)
    assert bootstrap_interval(scores, seed=3) != bootstrap_interval(scores, seed=4)


def test_more_confidence_is_wider():
    scores = np.random.default_rng(2).normal(size=20)
    narrow = bootstrap_interval(scores, confidence=0.5)
    wide = bootstrap_interval(scores, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_bootstrap_covers_the_truth():
    # The IQM of a normal is its mean, 0. Percentile intervals of 32 runs cover a little less
    # than 95 %; the standard error of 300 repetitions is 1.3 %.
    samples = np.random.default_rng(0).normal(size=(300, 32))
    intervals = [bootstrap_interval(s, num_resamples=400, seed=i) for i, s in enumerate(samples)]
    coverage = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert 0.89 < coverage < 0.99


def test_steps_to_threshold_by_hand():
    values = [
        [0.0, 0.8, 0.5, 0.9],  # at 20 (equal is enough), though it falls again
        [0.9, 0.9, 0.9, 0.9],  # at once
        [0.0, 0.1, 0.2, 0.8],  # at the very end: reached
        [0.0, 0.1, 0.2, 0.7],  # never: censored at the end
    ]
    steps, reached = steps_to_threshold([10, 20, 30, 40], values, 0.8)
    np.testing.assert_array_equal(steps, [20, 10, 40, 40])
    np.testing.assert_array_equal(reached, [True, True, True, False])
    assert np.issubdtype(steps.dtype, np.integer)


def test_summary_when_all_reach():
    summary = summarize_steps([900, 1200, 1500], [True] * 3)
    # The middle of three draws is 900 if two or three of them are: 3·(1/9)·(2/3) + 1/27 = 7/27.
    assert summary.median == Interval(1200, 900, 1500)
    assert str(summary) == "1,200 [900, 1,500], 3/3"


def test_summary_with_a_censored_bound():
    summary = summarize_steps([100, 200, 300, 300], [True, True, False, False])
    # Half had reached by 200. The second of four sorted draws is 100 if two or more are: 67/256;
    # it is a censored run if three or more are: 5/16. Both exceed 2.5 %.
    assert summary.median == Interval(200, 100, np.inf)
    assert str(summary) == "200 [100, > 300], 2/4"


def test_summary_with_a_censored_median():
    steps, reached = np.full(32, 200_000), np.zeros(32, bool)
    reached[:3], steps[:3] = True, 5
    assert str(summarize_steps(steps, reached)) == "> 200,000, 3/32"
    assert str(summarize_steps([200_000] * 32, [False] * 32)) == "> 200,000, 0/32"
    # One in three: the middle of three draws is 5 in 7/27 of the resamples, so the bound is.
    assert str(summarize_steps([5, 90, 90], [True, False, False])) == "> 90 [5, > 90], 1/3"


def test_reaching_at_the_last_step_is_not_censored():
    assert str(summarize_steps([30, 30, 30], [True, True, False])) == "30 [30, > 30], 2/3"
    assert str(summarize_steps([30, 30, 30], [True, True, True])) == "30 [30, 30], 3/3"


def test_area_by_hand():
    steps = [0, 10, 40]
    values = [
        [1, 1, 1],
        [0, 0, 0],
        [0, 1, 1],  # (10·1/2 + 30·1) / 40 = 35/40
        [0, 0, 1],  # (0 + 30·1/2) / 40 = 15/40
    ]
    np.testing.assert_allclose(normalized_area(steps, values), [1, 0, 0.875, 0.375])
    # A mean of 4 between 2 and 10 is a quarter of the way; a constant 10 is the whole way.
    area = normalized_area([5, 15], [[3, 5], [10, 10]], low=2, high=10)
    np.testing.assert_allclose(area, [0.25, 1])


def test_area_of_costs():
    # From 10 (bad) down to 0 (good): a mean cost of 5 is half-way.
    np.testing.assert_allclose(normalized_area([0, 1], [[10, 0]], low=10, high=0), [0.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: iqm([]), r"scores: found no values \(shape \(0,\)\), need at least one"),
        (lambda: iqm([1, np.nan, np.inf]), "scores: found NaN or infinity in 2 of 3 values"),
        (lambda: bootstrap_interval(np.empty((0, 3))), "scores: found no values"),
        (lambda: bootstrap_interval([1, np.nan]), "scores: found NaN or infinity in 1 of 2"),
        (lambda: bootstrap_interval(0.5), r"found shape \(\), need \[runs\] or \[runs, tasks\]"),
        (lambda: bootstrap_interval(np.ones((2, 2, 2))), r"scores: found shape \(2, 2, 2\)"),
        (lambda: bootstrap_interval([1], confidence=1), "confidence: found 1, need a number"),
        (lambda: bootstrap_interval([1], confidence=0), "confidence: found 0, need a number"),
        (lambda: bootstrap_interval([1], num_resamples=0), "num_resamples: found 0, need at least"),
        (
            lambda: steps_to_threshold([1, 2], [[0, 1, 2]], 1),
            r"found shapes \(2,\) and \(1, 3\), need \[T\] and \[runs, T\]",
        ),
        (lambda: steps_to_threshold([1, 2], [0, 1], 1), r"found shapes \(2,\) and \(2,\)"),
        (lambda: steps_to_threshold([[1, 2]], [[0, 1]], 1), r"found shapes \(1, 2\) and \(1, 2\)"),
        (lambda: steps_to_threshold([1, 3, 3], [[0, 1, 2]], 1), "steps: found 3 after 3, need inc"),
        (
            lambda: steps_to_threshold([1, 2], [[0, np.nan]], 1),
            "values: found NaN or infinity in 1",
        ),
        (lambda: steps_to_threshold([1, np.inf], [[0, 1]], 1), "steps: found NaN or infinity"),
        (lambda: steps_to_threshold([1, 2], [[0, 1]], np.nan), "threshold: found NaN"),
        (lambda: steps_to_threshold([], [], 1), "values: found no values"),
        (lambda: summarize_steps([1, 2], [True]), r"found shapes \(2,\) and \(1,\) of bool"),
        (lambda: summarize_steps([1, 2], [1, 0]), "of int64, need .runs. numbers and .runs. bool"),
        (lambda: summarize_steps([5, 9], [False, True]), "a run censored at 5, need 9, the last"),
        (lambda: normalized_area([1], [[1]]), "steps: found 1 step, need at least 2"),
        (lambda: normalized_area([1, 2], [[1, 1]], low=1), "low and high: found 1 for both"),
    ],
)
def test_one_clear_line_of_error(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
