"""The law of watch repair: a twin in plain Python, binomials, exact planning, what is drawn."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import WatchRepair
from lprl_envs.conformance.compare import unlikely
from lprl_envs.watch_repair import LEAVE, REPAIR, STEPS
from lprl_envs.watch_repair.states import FIRST, NUM_STATES
from scipy import stats

from lprl_jax.algorithms.tabular.value_iteration import law_of, plan

pytestmark = pytest.mark.optimized

PRICE, MEAN_REPAIR, MEAN_DELIVERY = (18, 28, 31, 59), (1, 4, 5, 24.5), (0.5, 2.5, 4.5, 18)
REPAIR_SD, DELIVERY_SD = (2, 2, 2, 1), 1.5
MARGINS = [-1.5, 3.5, 3.5, -1.5]
ENV = WatchRepair()


@pytest.fixture(scope="module")
def every():
    """All states of the paper's brands, by number; leaves `[S]` on the host."""
    states = jax.jit(jax.vmap(lambda i: ENV.state_at(0, i, ENV.default_params)))
    return jax.device_get(states(jnp.arange(NUM_STATES, dtype=jnp.int32)))


@pytest.fixture(scope="module")
def tabulated():
    """The law of the paper's brands, and the optimal action values `[S, A]`; on the host."""

    @jax.jit
    def work(params):
        law = law_of(ENV, params, jnp.int32(0))
        return law, plan(law, STEPS + 1)

    return jax.device_get(work(ENV.default_params))


# -- states --------------------------------------------------------------------------------------


def test_states_are_those_that_there_are(every):
    right = [(0, 0, brand, 0, 0) for brand in range(4)]
    for clock in range(1, 51):
        counts = range(clock + 1)
        right += itertools.product([clock], [0, 1], range(4), counts, counts)
    leaves = (every.clock, every.repaired, every.brand, every.jams, every.tyres)
    found = np.stack([np.asarray(leaf, int) for leaf in leaves], axis=1)
    assert NUM_STATES == ENV.num_states == len(right) == 364_204
    assert sorted(map(tuple, found.tolist())) == sorted(right)
    assert every.clock[FIRST].tolist() == list(range(51))
    assert every.clock[FIRST[1:] - 1].tolist() == list(range(50))


def test_a_state_knows_its_number(every):
    number = jax.jit(jax.vmap(lambda state: ENV.state_index(state, ENV.default_params)))
    np.testing.assert_array_equal(number(every), np.arange(NUM_STATES))


def test_time_is_not_the_clock():
    # The law asks the state's own clock: gymnax's time is no part of a state's number.
    state = ENV.state_at(0, FIRST[49], ENV.default_params)
    late = dataclasses.replace(state, time=jnp.int32(3))
    for s in (state, late):
        _, after, _, ended, _ = ENV.step_env(jax.random.key(0), s, LEAVE, ENV.default_params)
        assert bool(ended)
        assert int(after.time) == int(s.time) + 1


# -- outcomes ------------------------------------------------------------------------------------


def twin(clock, repaired, brand, jams, tyres, action):
    """Outcomes in plain Python: `{(clock, repaired, jams, tyres): (probability, mean reward)}`."""
    if clock == 50:
        return {(clock, repaired, jams, tyres): (1.0, 0.0)}
    found = {}
    for jam, tyre in itertools.product((0, 1), (0, 1)):
        probability = (0.1 if jam else 0.9) * (0.05 if tyre else 0.95)
        reward, is_repaired = 0.0, repaired
        if clock == 0 and action == 0:
            reward, is_repaired = -MEAN_REPAIR[brand], True
        if clock == 49 and is_repaired:
            reward = PRICE[brand] - 0.1 * (jams + jam) - 7 * (tyres + tyre) - MEAN_DELIVERY[brand]
        after = clock + 1, is_repaired, jams + jam, tyres + tyre
        found[after] = probability, reward
    return found


def test_outcomes_are_the_twins(every):
    # 600 states of all clocks, more at the first and the last; both actions.
    rng = np.random.default_rng(0)
    ends = np.concatenate([np.arange(4), rng.integers(FIRST[49], NUM_STATES, 200)])
    by_clock = FIRST[1:] + rng.integers(0, 8 * (np.arange(1, 51) + 1) ** 2)
    numbers = np.concatenate([ends, by_clock, rng.integers(0, NUM_STATES, 346)]).astype(np.int32)
    states = jax.tree.map(lambda leaf: leaf[numbers], every)

    def law(state, action):
        return ENV.transitions(state, action, ENV.default_params)

    for action in (REPAIR, LEAVE):
        found = jax.device_get(jax.jit(jax.vmap(law, (0, None)))(states, jnp.int32(action)))
        prob, after, reward, ended = found
        for i in range(len(numbers)):
            clock, repaired, brand = states.clock[i], states.repaired[i], states.brand[i]
            counts = int(states.jams[i]), int(states.tyres[i])
            right = twin(int(clock), bool(repaired), int(brand), *counts, action)
            mine = {}
            for k in range(4):
                to = (after.clock, after.repaired, after.jams, after.tyres)
                place = tuple(x[i, k].item() for x in to)
                mine[place] = mine.get(place, (0, 0))[0] + prob[i, k], reward[i, k]
                assert ended[i, k] == (place[0] == 50)
                assert after.brand[i, k] == states.brand[i]
            assert mine.keys() == right.keys()
            for place, expected in right.items():
                np.testing.assert_allclose(mine[place], expected, rtol=1e-5, atol=1e-6)


def test_jams_and_tyres_are_binomial(every, tabulated):
    # Of the law, exactly: all chances after every step of a trip, from brand 2 that is left alone.
    law, _ = tabulated
    chance = np.zeros(NUM_STATES)
    chance[2] = 1.0
    for clock in range(50):
        here = np.flatnonzero(chance)
        moved = np.zeros(NUM_STATES)
        flow = chance[here, None] * law.prob[here, LEAVE].astype(float)
        np.add.at(moved, law.next_state[here, LEAVE], flow)
        chance = moved
        there = every.clock == clock + 1
        right = stats.binom.pmf(every.jams[there], clock + 1, 0.1)
        right = right * stats.binom.pmf(every.tyres[there], clock + 1, 0.05)
        right = right * (every.brand[there] == 2) * ~every.repaired[there]
        np.testing.assert_allclose(chance[there], right, atol=1e-6)
    assert chance.sum() == pytest.approx(1, abs=1e-5)


def test_only_at_the_first_step_there_is_a_choice(every, tabulated):
    law, _ = tabulated
    np.testing.assert_array_equal(law.legal[:, REPAIR], every.clock == 0)
    assert law.legal[:, LEAVE].all()
    later = np.flatnonzero(every.clock > 0)
    for part in (law.prob, law.next_state, law.reward):  # where it is illegal, it does nothing
        np.testing.assert_array_equal(part[later, REPAIR], part[later, LEAVE])


def test_values(tabulated):
    _, q = tabulated
    np.testing.assert_allclose(q[:4, REPAIR], MARGINS, atol=1e-4)
    np.testing.assert_array_equal(q[:4, LEAVE], 0)
    for found, right in (
        (q[:4].max(-1).mean(), 1.75),
        (q[:4, REPAIR].mean(), 1.0),
        (q[:4].mean(), 0.5),
    ):
        assert found == pytest.approx(right, abs=1e-4)


# -- what is drawn -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repaired():
    """Episodes of repaired watches, 8,000 a brand: rewards `[4, N, 50]`, last states `[4, N]`."""
    return jax.device_get(jax.jit(play, static_argnums=0)(REPAIR))


def play(action):
    params = ENV.default_params

    def episode(key, brand):
        def step(state, key):
            _, after, reward, ended, _ = ENV.step_env(
                key, state, jnp.where(state.clock == 0, action, LEAVE), params
            )
            return after, (reward, ended)

        last, (rewards, ended) = jax.lax.scan(
            step, ENV.state_at(0, brand, params), jax.random.split(key, STEPS)
        )
        return rewards, ended, last

    keys = jax.random.split(jax.random.key(action), (4, 8_000))
    over_keys = jax.vmap(episode, (0, None))
    return jax.vmap(over_keys)(keys, jnp.arange(4, dtype=jnp.int32))


def test_an_episode_ends_with_its_fiftieth_step(repaired):
    _, ended, last = repaired
    assert not ended[..., :-1].any()
    assert ended[..., -1].all()
    assert (last.clock == 50).all()
    assert last.repaired.all()


def test_a_trip_is_drawn_as_binomials(repaired):
    _, _, last = repaired
    for count, chance in ((last.jams, 0.1), (last.tyres, 0.05)):
        right = stats.binom.pmf(np.arange(51), 50, chance)
        assert unlikely(np.bincount(count.ravel(), minlength=51), right) is None
    together = np.corrcoef(last.jams.ravel(), last.tyres.ravel())[0, 1]
    assert abs(together) < 4 / np.sqrt(last.jams.size)


def test_costs_are_normal_and_nothing_is_paid_on_the_way(repaired):
    rewards, _, last = repaired
    assert not rewards[..., 1:-1].any()
    for brand in range(4):
        cost = -rewards[brand, :, 0]
        trip = 0.1 * last.jams[brand] + 7.0 * last.tyres[brand]
        delivery = PRICE[brand] - trip - rewards[brand, :, -1]
        for found, mean, sd in (
            (cost, MEAN_REPAIR[brand], REPAIR_SD[brand]),
            (delivery, MEAN_DELIVERY[brand], DELIVERY_SD),
        ):
            assert stats.kstest(found, stats.norm(mean, sd).cdf).pvalue > 1e-5
        assert abs(np.corrcoef(cost, delivery)[0, 1]) < 4 / np.sqrt(len(cost))


def test_spread_of_a_return(repaired):
    # Of the trip 10.79, with repair and delivery 11.08; brand 3's repair varies less.
    rewards, _, last = repaired
    returns = rewards.astype(float).sum(-1)
    trip = 0.1 * last.jams + 7.0 * last.tyres
    error = 4 / np.sqrt(2 * returns.shape[1])  # of a standard deviation, relative: 4 times its own
    assert trip.std() == pytest.approx(10.79, rel=error / 2)
    for brand, spread in enumerate((11.08, 11.08, 11.08, 10.94)):
        assert returns[brand].std() == pytest.approx(spread, rel=1.2 * error)
        mean = returns[brand].mean()
        assert mean == pytest.approx(MARGINS[brand], abs=4 * spread / np.sqrt(returns.shape[1]))


def test_a_watch_that_is_left_pays_nothing():
    rewards, ended, last = jax.device_get(jax.jit(play, static_argnums=0)(LEAVE))
    assert not rewards.any()
    assert ended[..., -1].all()
    assert not last.repaired.any()
    assert last.tyres.max() > 0


def test_brands_are_as_likely():
    start = jax.jit(jax.vmap(lambda key: ENV.reset(key, ENV.default_params)[1]))
    found = start(jax.random.split(jax.random.key(0), 20_000))
    assert unlikely(np.bincount(found.brand, minlength=4), np.full(4, 0.25)) is None
    assert not np.any(found.clock) | np.any(found.repaired)
