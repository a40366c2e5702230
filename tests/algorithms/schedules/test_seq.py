"""SEQ, decision by decision against plain Python, and what it comes to: ask iff P > cost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from algorithms.schedules.worlds import (
    NUM_ELEMENTS,
    N,
    R,
    play,
    start,
    two_uniforms,
    uniforms,
    untaught,
    world,
)

from lprl_jax.algorithms.schedules import Asked, seq

BINS = NUM_ELEMENTS + 1
STEPS = 5000
LENGTHS = np.rint(np.asarray(world(1, STEPS).seen.revealed) * NUM_ELEMENTS).astype(int)
ACCEPTANCE = np.array([0.0, 0.0, 0.2, 0.2, 0.2, 0.8, 0.8, 1.0, 1.0])
"""Of each bin."""
KNOWN = world(1, STEPS)._replace(
    would=jnp.asarray(np.random.default_rng(2).random(LENGTHS.shape) < ACCEPTANCE[LENGTHS])
)
CAN, WOULD = np.asarray(KNOWN.seen.can_ask), np.asarray(KNOWN.would)
EPSILON = np.asarray(KNOWN.seen.epsilon, np.float64)
every_cost = pytest.mark.parametrize("cost", [0.05, 0.5])


# -- bins ----------------------------------------------------------------------------------------


def test_each_height_has_a_bin_of_its_own():
    for n in range(1, 65):
        heights = np.minimum(np.arange(65), n)
        revealed = jnp.asarray(heights / np.float32(n), jnp.float32)
        np.testing.assert_array_equal(seq.bin_of(revealed, n + 1), heights)


def test_edges_of_bins():
    revealed = jnp.array([0.0, 0.124, 0.126, 0.5, 0.874, 0.876, 1.0])
    np.testing.assert_array_equal(seq.bin_of(revealed, 5), [0, 0, 1, 2, 3, 4, 4])
    np.testing.assert_array_equal(seq.bin_of(revealed, 1), np.zeros(7))
    # What is rounded up past the whole, or down below nothing, stays inside.
    np.testing.assert_array_equal(seq.bin_of(jnp.array([-0.2, 1.2]), 9), [0, 8])


# -- Thompson ------------------------------------------------------------------------------------


def thompson_twin(cost):
    """`bool[T, R, N]`, and counts `[R, B, 2]`."""
    drawn, counts = uniforms(KNOWN.keys), np.zeros((R, BINS, 2))
    wanted = np.zeros(LENGTHS.shape, bool)
    for t in range(STEPS):
        for r in range(R):
            yes, no = counts[r, LENGTHS[t, r]].T
            tail = 1 - scipy.special.betainc(1 + yes, 1 + no, cost)
            wanted[t, r] = drawn[t, r] < tail
            for n in range(N):
                if wanted[t, r, n] and CAN[t, r, n]:
                    counts[r, LENGTHS[t, r, n], 0 if WOULD[t, r, n] else 1] += 1
    return wanted, counts


def asks_where_it_pays(wanted, cost, last=500):
    """Whether each bin asks nearly always or nearly never in the last steps, as P > cost says."""
    own, lengths = wanted[-last:], LENGTHS[-last:]
    shares = np.array([own[lengths == b].mean() for b in range(BINS)])
    return np.array_equal(shares > 0.5, cost < ACCEPTANCE) and np.abs(shares - 0.5).min() > 0.4


@every_cost
def test_thompson(cost):
    wanted, counts = play(seq.thompson(BINS, cost), KNOWN)
    expected, expected_counts = thompson_twin(cost)
    np.testing.assert_array_equal(wanted, expected)
    np.testing.assert_array_equal(counts, expected_counts)
    assert asks_where_it_pays(wanted, cost)


def test_thompson_asks_as_often_as_a_sample_exceeds_the_cost():
    rng, steps, cost = np.random.default_rng(3), 2000, 0.3
    places = world(3, steps)
    for yes, no in ((0, 0), (3, 0), (1, 4), (12, 30)):
        counts = jnp.broadcast_to(jnp.array([yes, no], jnp.float32), (R, BINS, 2))
        ask = jax.vmap(seq.thompson(BINS, cost).ask, (None, 0, None))
        seen = jax.tree.map(lambda x: x[0], places.seen)
        found = np.asarray(ask(counts, places.keys, seen)[0]).mean()
        samples = (rng.beta(1 + yes, 1 + no, 200_000) > cost).mean()
        assert abs(found - samples) < 4 * 0.5 / np.sqrt(steps * R * N)


def test_a_query_for_nothing_is_always_made_and_one_for_everything_never():
    few = world(4, 50)
    assert play(seq.thompson(BINS, 0.0), few)[0].all()
    assert not play(seq.thompson(BINS, 1.0), few)[0].any()


# -- ε-greedy ------------------------------------------------------------------------------------

FLOOR, DECAY, ALPHA = 0.05, 2000.0, 0.02


def epsilon_twin(cost, shared):
    """`bool[T, R, N]`, and values `[R, B, {skip, ask}]`; one environment after another."""
    explore, coin = two_uniforms(KNOWN.keys)
    values, wanted = np.zeros((R, BINS, 2)), np.zeros(LENGTHS.shape, bool)
    for t in range(STEPS):
        falling = max(FLOOR, 1 - t / DECAY * (1 - FLOOR))
        for r in range(R):
            for n in range(N):
                skip, ask = values[r, LENGTHS[t, r, n]]
                chance = EPSILON[t, r, n] if shared else falling
                by_chance = explore[t, r, n] < chance
                wanted[t, r, n] = coin[t, r, n] < 0.5 if by_chance else ask > skip
            for n in range(N):
                row = values[r, LENGTHS[t, r, n]]
                if wanted[t, r, n] and CAN[t, r, n]:
                    row[1] += ALPHA * ((1 - cost if WOULD[t, r, n] else -cost) - row[1])
                elif CAN[t, r, n]:
                    row[0] += ALPHA * (0 - row[0])
    return wanted, values


@every_cost
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_epsilon_greedy(cost, shared):
    exploration = seq.of_primary if shared else seq.decaying(FLOOR, DECAY)
    wanted, values = play(seq.epsilon_greedy(BINS, cost, ALPHA, exploration), KNOWN)
    expected, expected_values = epsilon_twin(cost, shared)
    np.testing.assert_array_equal(wanted, expected)
    np.testing.assert_allclose(values, expected_values, rtol=1e-4, atol=1e-5)
    best = np.asarray(values).argmax(-1)
    np.testing.assert_array_equal(best, np.tile(cost < ACCEPTANCE, (R, 1)))
    if not shared:
        assert asks_where_it_pays(wanted, cost)


def one_step(schedule, carry, can, wanted, accepted):
    """The carry after a step of one run whose three environments stand in the same bin."""
    seen = jax.tree.map(lambda x: x[0], KNOWN.seen)
    same = seen._replace(revealed=jnp.zeros((R, N)), can_ask=jnp.tile(jnp.array(can), (R, 1)))
    wanted = jnp.tile(jnp.array(wanted), (R, 1))
    asked = wanted & same.can_ask
    told = Asked(wanted, asked, asked & jnp.tile(jnp.array(accepted), (R, 1)))
    return np.asarray(schedule.learn(carry, same, told))


def test_a_step_by_hand():
    schedule, yes, no = seq.epsilon_greedy(3, 0.5, 0.5, seq.decaying(0.0, 1.0)), True, False
    zero = jnp.zeros((R, 3, 2))
    # Right, wrong, right: 0 -> 1/4 -> -1/8 -> 3/16.
    moved = one_step(schedule, zero, [yes] * 3, [yes] * 3, [yes, no, yes])
    np.testing.assert_allclose(moved[0], [[0, 3 / 16], [0, 0], [0, 0]])
    # A skip pulls its own value to 0; one that could not be asked does not, nor does wanting to.
    high = zero + 1.0
    moved = one_step(schedule, high, [yes, no, no], [no, no, yes], [no] * 3)
    np.testing.assert_allclose(moved[1], [[0.5, 1], [1, 1], [1, 1]])


def test_what_the_primary_knows_changes_nothing():
    few = world(5, 100)
    for schedule in (
        seq.thompson(BINS, 0.5),
        seq.epsilon_greedy(BINS, 0.5, ALPHA, seq.decaying(FLOOR, DECAY)),
    ):
        ignorant = play(schedule, untaught(few, "alike"))[0]
        np.testing.assert_array_equal(play(schedule, few)[0], ignorant)


def test_untried_bins():
    """By a sample they are asked with probability 1 - cost; by values, half of exploration."""
    few = world(6, 1000)
    nothing = few._replace(seen=few.seen._replace(can_ask=jnp.zeros_like(few.seen.can_ask)))
    assert abs(play(seq.thompson(BINS, 0.3), nothing)[0].mean() - 0.7) < 0.03
    for floor in (0.0, 0.4):
        own = seq.epsilon_greedy(BINS, 0.3, ALPHA, seq.decaying(floor, 1e-3))
        assert abs(play(own, nothing)[0][1:].mean() - floor / 2) < 0.03


# -- a network -----------------------------------------------------------------------------------

RATE = 0.01


def network_twin(world, weights, cost):
    """A logistic regression with Adam by hand, of one weight vector a run, `[R, F]`."""
    explore, coin = two_uniforms(world.keys)
    x = np.asarray(world.seen.observation, np.float64)
    can, would = np.asarray(world.seen.can_ask), np.asarray(world.would)
    m, v, count = np.zeros_like(weights), np.zeros_like(weights), np.zeros(R)
    wanted = np.zeros(can.shape, bool)
    for t in range(len(x)):
        chance = max(0.1, 1 - t / 500 * 0.9)
        for r in range(R):
            p = 1 / (1 + np.exp(-x[t, r] @ weights[r]))
            wanted[t, r] = np.where(explore[t, r] < chance, coin[t, r] < 0.5, p > cost)
            asked = wanted[t, r] & can[t, r]
            if not asked.any():
                continue
            gradient = ((p - would[t, r]) * asked) @ x[t, r] / asked.sum()
            gradient *= min(1.0, seq.MAX_GRAD_NORM / np.linalg.norm(gradient))
            count[r] += 1
            m[r] = 0.9 * m[r] + 0.1 * gradient
            v[r] = 0.999 * v[r] + 0.001 * gradient**2
            step = m[r] / (1 - 0.9 ** count[r])
            weights[r] -= RATE * step / (np.sqrt(v[r] / (1 - 0.999 ** count[r])) + 1e-8)
    return wanted, weights


def test_network():
    seen = world(7)
    # An answer is accepted where the first feature is above 0, nine times of ten.
    right = np.asarray(seen.seen.observation[..., 0]) > 0
    flips = np.random.default_rng(8).random(right.shape) < 0.1
    seen = seen._replace(would=jnp.asarray(right ^ flips))
    schedule = seq.network((), RATE, 0.5, seq.decaying(0.1, 500.0), 0)
    first = np.asarray(start(schedule, seen).params["params"]["Dense_0"]["kernel"], np.float64)
    wanted, carry = play(schedule, seen)
    expected, weights = network_twin(seen, first[..., 0].copy(), 0.5)
    np.testing.assert_array_equal(wanted, expected)
    last = np.asarray(carry.params["params"]["Dense_0"]["kernel"])[..., 0]
    np.testing.assert_allclose(last, weights, rtol=1e-3, atol=1e-4)
    assert (wanted[-200:] == right[-200:]).mean() > 0.9


def test_network_looks_indices_up():
    """With hidden layers; states 0, 1, 2 are answered right never, in half, always."""
    seen = world(9)
    index = np.random.default_rng(9).integers(0, 3, (len(seen.keys), R, N))
    would = np.random.default_rng(10).random(index.shape) < index / 2
    seen = seen._replace(
        seen=seen.seen._replace(observation=jnp.int32(index)), would=jnp.asarray(would)
    )
    schedule = seq.network((8,), RATE, 0.25, seq.decaying(0.0, 500.0), 3)
    wanted = play(schedule, seen)[0][-200:]
    np.testing.assert_array_equal(wanted, index[-200:] > 0)


def test_an_untaught_network_predicts_a_half():
    few = world(11, 100)
    nothing = few._replace(seen=few.seen._replace(can_ask=jnp.zeros_like(few.seen.can_ask)))
    shares = [
        play(seq.network((16,), RATE, cost, seq.decaying(0.0, 1e-3), 0), nothing)[0][1:].mean()
        for cost in (0.02, 0.98)
    ]
    assert shares == [1, 0]
