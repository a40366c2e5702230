"""Expected numbers are worked out by hand, in a comment beside each."""

import doctest

import numpy as np
import pytest

from lprl_jax.results import curves, statistics
from lprl_jax.results.statistics import (
    Interval,
    bootstrap_interval,
    first_passage,
    iqm,
    normalized_area,
    steps_to_threshold,
    summarize_steps,
)


def bounds(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


@pytest.mark.parametrize("module", [statistics, curves])
def test_docstring_examples(module):
    failed, attempted = doctest.testmod(module)
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
    # The means of six draws from five 0 and a 1 are k/6 with probability C(6, k) 5^(6-k) / 6^6:
    # .335, .402, .201, .054, .008, .0007 from k = 0 on. Of six scores the bounds are at
    # ndtr(sqrt(6/5) t) = .0024 of either end (t = -2.571, the .025 quantile with 5 degrees): 0 and
    # 4/6, above which lie .0007. The percentiles themselves, at .025, would be 0 and 3/6.
    interval = bootstrap_interval([0, 0, 0, 0, 0, 1], np.mean)
    assert interval.rounded() == [0.1667, 0.0, 0.6667]
    # At 40 %: t = -.559, at .270 of either end.
    narrow = bootstrap_interval([0, 0, 0, 0, 0, 1], np.mean, confidence=0.4)
    assert narrow.rounded() == [0.1667, 0.0, 0.1667]


def test_few_runs_have_no_interval():
    scores = np.random.default_rng(0).uniform(size=(6, 3))
    assert bootstrap_interval(scores[:5, 0]) == Interval(iqm(scores[:5, 0]), None, None)
    assert bootstrap_interval(scores[:5]).low is None
    assert bootstrap_interval(scores[:, 0]).low is not None
    # Three quarters of the runs succeed: 10 all alike more than once in twenty, 11 less often.
    assert 0.75**11 < 0.05 < 0.75**10
    assert bootstrap_interval([1.0] * 10) == Interval(1.0, None, None)
    assert bootstrap_interval([1.0] * 11) == Interval(1.0, 1.0, 1.0)
    assert bootstrap_interval([1.0] * 5 + [0.99]).low is not None
    assert Interval(1 / 3, None, None).rounded() == [0.3333, None, None]


@pytest.mark.parametrize("statistic", [iqm, np.mean, np.median])
@pytest.mark.parametrize("shape", [(11,), (11, 3)])
def test_bootstrap_contains_its_estimate(statistic, shape):
    scores = np.random.default_rng(1).normal(size=shape)
    interval = bootstrap_interval(scores, statistic)
    assert interval.estimate == pytest.approx(float(statistic(scores)))
    low, high = bounds(interval)
    assert low < interval.estimate < high


@pytest.mark.parametrize("shape", [(12,), (12, 4)])
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
    interval = bootstrap_interval([[0, 10]] * 5 + [[1, 10]], np.mean)
    assert interval.low == 5.0
    assert interval.high is not None
    assert 5.1 < interval.high <= 5.5


def test_bootstrap_draws_each_task_by_itself():
    # Rows sum to 1: drawing whole rows would always give a mean of 1/2.
    interval = bounds(bootstrap_interval([[0, 1], [1, 0]] * 3, np.mean))
    assert interval[0] < 0.3
    assert interval[1] > 0.7


def test_bootstrap_is_fixed_by_its_seed():
    scores = np.random.default_rng(2).normal(size=20)
    assert bootstrap_interval(scores, seed=3) == bootstrap_interval(scores, seed=3)
    assert bootstrap_interval(scores, seed=3) != bootstrap_interval(scores, seed=4)


def test_more_confidence_is_wider():
    scores = np.random.default_rng(2).normal(size=20)
    narrow = bootstrap_interval(scores, confidence=0.5)
    wide = bootstrap_interval(scores, confidence=0.99)
    assert bounds(wide)[0] < bounds(narrow)[0] < bounds(narrow)[1] < bounds(wide)[1]


def test_steps_to_threshold_by_hand():
    values = [
        [0.0, 0.8, 0.8, 0.8, 0.8, 0.8],  # the means of three: .53 .8 .8 .8; shown at 40
        [0.9, 0.9, 0.9, 0.9, 0.9, 0.9],  # from the first window on: shown at 30
        [0.0, 1.0, 0.0, 1.0, 0.0, 1.0],  # three passages, but means of .33 .67 .33 .67: never
        [0.9, 0.9, 0.9, 0.3, 0.9, 0.9],  # .9, and with the next .75; .7, .7, .7: never
        [1.0, 1.0, 0.0, 1.0, 1.0, 1.0],  # .67 .67 .67 1: at the very end
        [0.0, 0.1, 0.2, 0.7, 0.7, 0.9],  # .77 in the end: never, though the last is above
        [0.9, 0.9, 0.9, 0.9, 0.9, 0.2],  # .9 .9 .9, and then .78: lost again
        [0.4, 1.0, 1.0, 1.0, 1.0, 1.0],  # .8 at once, of which the first evaluation shows nothing
    ]
    grid = [10, 20, 30, 40, 50, 60]
    steps, reached = steps_to_threshold(grid, values, 0.8)
    np.testing.assert_array_equal(steps, [40, 30, 60, 60, 60, 60, 60, 30])
    np.testing.assert_array_equal(reached, [True, True, False, False, True, False, False, True])
    assert np.issubdtype(steps.dtype, np.integer)
    # A window of one: from where on all evaluations are above.
    steps, reached = steps_to_threshold(grid, values, 0.8, window=1)
    np.testing.assert_array_equal(steps, [20, 10, 60, 50, 40, 60, 60, 20])
    assert reached.tolist() == [True, True, True, True, True, True, False, True]
    # As many evaluations as the window: one mean.
    steps, reached = steps_to_threshold(grid, values, 0.6, window=6)
    assert reached.tolist() == [True, True, False, True, True, False, True, True]
    assert set(steps) == {60}


def test_one_bad_evaluation_long_afterwards_takes_nothing_back():
    success = [[0.0, *[1.0] * 9, 0.0, *[1.0] * 3], [0.0, *[1.0] * 3, 0.0, *[1.0] * 9]]
    steps, reached = steps_to_threshold(np.arange(14), success, 0.8)
    # The first has 9/10 with it, the second 3/4, and starts again behind it.
    assert steps.tolist() == [3, 7]
    assert reached.all()


def test_a_longer_training_does_not_make_the_same_learner_slower():
    # From evaluation 20 on all is solved, but for one evaluation in fifty.
    success = (np.random.default_rng(0).uniform(size=(400, 400)) > 0.02).astype(float)
    success[:, :20] = 0.0
    for length in (60, 120, 400):
        steps, reached = steps_to_threshold(np.arange(length), success[:, :length], 0.8)
        assert np.median(steps) == 22
        assert reached.mean() > 0.97


def test_a_run_that_is_lost_for_good_has_not_come():
    # However long it was good before: what was good has no credit left after ten evaluations.
    success = [
        [1.0] * 60 + [0.0] * 40,
        [1.0] * 97 + [0.0] * 3,
        [1.0] * 20 + [0.75] * 80,
        [1.0] * 60 + [0.75] * 37 + [0.81] * 3,
        [1.0] * 80 + [0.0] * 10 + [1.0] * 10,
        [1.0] * 98 + [0.0] * 2,  # eight of the last ten are good
    ]
    steps, reached = steps_to_threshold(np.arange(100), success, 0.8)
    assert reached.tolist() == [False, False, False, True, True, True]
    assert steps.tolist() == [99, 99, 99, 99, 92, 2]


def test_a_mean_that_equals_the_threshold_is_enough():
    # 72 of 90 episodes, in shares of five digits as metrics.jsonl has them: .73333 + .83333 + ...
    _, reached = steps_to_threshold([1, 2, 3], [[0.73333, 0.83333, 0.83333]], 0.8)
    assert reached.all()
    _, reached = steps_to_threshold([1, 2, 3], [[0.73333, 0.83333, 0.8]], 0.8)
    assert not reached.any()


def test_a_run_stuck_below_the_threshold_does_not_come_to_it():
    # 240 evaluations of 8 episodes at success .5: half of all runs pass .8 within ten, 6 or more
    # of 8 being rare but seven evaluations in a hundred (9/256 + ... = .035 for 7 or 8).
    success = np.random.default_rng(0).binomial(8, 0.5, size=(200, 240)) / 8
    passed = first_passage(np.arange(240), success, 0.8)[1]
    assert passed.mean() > 0.99
    reached = steps_to_threshold(np.arange(240), success, 0.8)[1]
    assert reached.mean() < 0.02


def test_first_passage_by_hand():
    values = [
        [0.0, 0.8, 0.5, 0.9],  # at 20 (equal is enough), though it falls again
        [0.9, 0.9, 0.9, 0.9],  # at once
        [0.0, 0.1, 0.2, 0.8],  # at the very end: reached
        [0.0, 0.1, 0.2, 0.7],  # never: censored at the end
    ]
    steps, reached = first_passage([10, 20, 30, 40], values, 0.8)
    np.testing.assert_array_equal(steps, [20, 10, 40, 40])
    np.testing.assert_array_equal(reached, [True, True, True, False])
    assert np.issubdtype(steps.dtype, np.integer)


def test_summary_when_all_reach():
    summary = summarize_steps([900, 1200, 1300, 1500, 1600, 1700], [True] * 6)
    # All six lie on one side of the median in 2/64 of all cases: the ends cover it 97 % of times.
    assert summary.median == Interval(1300, 900, 1700)
    assert str(summary) == "1,300 [900, 1,700], 6/6"
    # Of nine, two or more lie on either side in 1 - 2 (1 + 9)/512 = 96 %.
    summary = summarize_steps(range(1, 10), [True] * 9)
    assert summary.median == Interval(5, 2, 8)
    # Of 32, the tenth and the last but nine: 2 P(Binomial(32, 1/2) <= 9) = 2 %, and of 10 5.01 %.
    assert summarize_steps(range(1, 33), [True] * 32).median == Interval(16, 10, 23)


def test_of_five_runs_the_median_has_no_bounds():
    summary = summarize_steps([900, 1200, 1300, 1500, 1600], [True] * 5)
    assert summary.median == Interval(1300, None, None)
    assert str(summary) == "1,300, 5/5"
    assert summarize_steps([1, 2, 3, 4, 5], [True] * 5, confidence=0.9).median == Interval(3, 1, 5)


def test_summary_with_a_censored_bound():
    summary = summarize_steps([100, 150, 200] + 3 * [300], 3 * [True] + 3 * [False])
    # Half had reached by 200.
    assert summary.median == Interval(200, 100, np.inf)
    assert str(summary) == "200 [100, > 300], 3/6"


def test_summary_with_a_censored_median():
    steps, reached = np.full(32, 200_000), np.zeros(32, bool)
    reached[:3], steps[:3] = True, 5
    assert str(summarize_steps(steps, reached)) == "> 200,000, 3/32"
    assert str(summarize_steps([200_000] * 32, [False] * 32)) == "> 200,000, 0/32"
    assert str(summarize_steps([5] + 5 * [90], [True] + 5 * [False])) == "> 90 [5, > 90], 1/6"
    assert str(summarize_steps([5, 90, 90], [True, False, False])) == "> 90, 1/3"


def test_reaching_at_the_last_step_is_not_censored():
    assert str(summarize_steps([30] * 6, 5 * [True] + [False])) == "30 [30, > 30], 5/6"
    assert str(summarize_steps([30] * 6, [True] * 6)) == "30 [30, 30], 6/6"


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
        (lambda: steps_to_threshold([1, 2], [[0, 1]], 1), "steps: found 2, need at least 3, over"),
        (lambda: steps_to_threshold([1, 2], [[0, 1]], 1, window=0), "steps: found 2, need at"),
        (lambda: first_passage([1, 2], [[0, 1]], np.inf), "threshold: found NaN or infinity"),
        (lambda: steps_to_threshold([1, 2], [0, 1], 1), r"found shapes \(2,\) and \(2,\)"),
        (lambda: steps_to_threshold([[1, 2]], [[0, 1]], 1), r"found shapes \(1, 2\) and \(1, 2\)"),
        (lambda: steps_to_threshold([1, 3, 3], [[0, 1, 2]], 1), "steps: found 3 after 3, need inc"),
        (
            lambda: steps_to_threshold([1, 2], [[0, np.nan]], 1),
            "values: found NaN or infinity in 1",
        ),
        (lambda: steps_to_threshold([1, np.inf], [[0, 1]], 1), "steps: found NaN or infinity"),
        (lambda: steps_to_threshold([1, 2, 3], [[0, 1, 1]], np.nan), "threshold: found NaN"),
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
