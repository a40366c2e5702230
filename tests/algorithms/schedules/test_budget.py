"""A budget on top of a schedule: who is served, what is spent, and what a learner is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.schedules.worlds import N, R, T, play, start, uniforms, world

from lprl_jax.algorithms.schedules import Asked, budgeted, fixed, seq

WORLD = world()
CAN, KNOWN = np.asarray(WORLD.seen.can_ask), np.asarray(WORLD.seen.known)


@pytest.mark.parametrize("budget", [0, 1, 20, 10_000])
def test_against_a_purse(budget):
    wanted, carry = play(budgeted(fixed.random(0.3), budget), WORLD)
    drawn, used = uniforms(WORLD.keys) < 0.3, np.zeros(R, int)
    expected = np.zeros((T, R, N), bool)
    for t in range(T):
        for r in range(R):
            for n in range(N):
                expected[t, r, n] = drawn[t, r, n] and used[r] < budget
                used[r] += expected[t, r, n] and CAN[t, r, n]
    np.testing.assert_array_equal(wanted, expected)
    np.testing.assert_array_equal(carry.used, used)
    np.testing.assert_array_equal((wanted & CAN).sum((0, 2)), used)
    assert (used <= budget).all()


def test_environments_are_served_in_their_order():
    seen = WORLD.seen._replace(can_ask=jnp.ones_like(WORLD.seen.can_ask).at[0, 1, 0].set(False))
    wanted, _ = play(budgeted(fixed.always(), 2), WORLD._replace(seen=seen))
    # In the second run the first environment cannot ask, and takes nothing from the others.
    np.testing.assert_array_equal(wanted[0] & np.asarray(seen.can_ask[0]), [[1, 1, 0], [0, 1, 1]])
    assert not wanted[1:].any()


def test_reuse_goes_on_when_nothing_is_left():
    schedule = fixed.linear_decay(1e9)
    free, _ = play(schedule, WORLD)
    wanted, carry = play(budgeted(schedule, 5), WORLD)
    np.testing.assert_array_equal(wanted[KNOWN], free[KNOWN])
    np.testing.assert_array_equal((wanted & CAN & ~KNOWN).sum((0, 2)), [5, 5])
    np.testing.assert_array_equal(carry.used, [5, 5])


def test_a_refusal_is_no_skip():
    inner = seq.epsilon_greedy(3, 0.5, 0.5, seq.decaying(1.0, 1.0))
    schedule = budgeted(inner, 0)
    seen = jax.tree.map(lambda x: x[0], WORLD.seen)._replace(can_ask=jnp.ones((R, N), bool))
    carry = start(schedule, WORLD)
    carry = carry._replace(inner=jnp.ones_like(carry.inner))
    wanted, carry = schedule.ask(carry, WORLD.keys[0], seen)
    own = np.asarray(carry.wanted)
    assert not np.asarray(wanted).any()
    assert own.any()
    assert not own.all()
    none = jnp.zeros((R, N), bool)
    told = schedule.learn(carry, seen, Asked(wanted, none, none)).inner
    # Only the bins of those that chose to skip have moved, and nothing was learnt of asking.
    expected = np.ones((R, 3, 2))
    bins = np.asarray(seq.bin_of(seen.revealed, 3))
    for r in range(R):
        for n in range(N):
            expected[r, bins[r, n], 0] *= 1.0 if own[r, n] else 0.5
    np.testing.assert_allclose(told, expected)
    assert (expected != 1).any()


def test_what_comes_after_reaches_the_schedule():
    inner = fixed.never()._replace(
        init=lambda keys, seen: jnp.zeros((R, N)),
        after=lambda carry, reward, done: carry + reward * done,
    )
    _, carry = play(budgeted(inner, 1), WORLD)
    expected = (np.asarray(WORLD.reward) * np.asarray(WORLD.done)).sum(0)
    np.testing.assert_allclose(carry.inner, expected, atol=1e-3)
