"""What can be had in the papers' kitchens: exact planning, the farming of the reward, chance."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.overcooked.recorded import KITCHENS, first_of, recorded, table_of
from lprl_envs import Overcooked

from lprl_jax.algorithms.tabular.value_iteration import law_of, plan

pytestmark = pytest.mark.optimized

ENDLESS = 20_000
"""Backups; they end once one changes nothing."""
FEWEST = {"tomato": 6, "salad": 10}
LIMIT = {"tomato": 31, "salad": 51}


@functools.cache
def laws(kitchen, reward):
    """The law by actions, and with the discount of every primitive step."""
    env = Overcooked(kitchen, reward=reward)
    law = jax.jit(lambda params: law_of(env, params, jnp.int32(0)))(env.default_params)
    steps = table_of(kitchen).steps[:, env.macro_of]
    return law, law._replace(discount=law.discount * 0.99 ** jnp.asarray(steps)[..., None])


@functools.cache
def planner():
    return jax.jit(plan)


def planned(kitchen, horizon, discount=1.0, reward="paper", by_step=False):
    """The best value of the start, and after how many macros its greedy policy delivers, or None.

    The policy is that of the first step: of an endless horizon it is the best one.
    """
    law = laws(kitchen, reward)[by_step]
    q = np.asarray(planner()(law, horizon, discount))
    table, index, count = table_of(kitchen), first_of(kitchen), 0
    following = Overcooked(kitchen).macro_of
    while not table.ended[index] and count < 100:
        index, count = table.next[index, following[q[index].argmax()]], count + 1
    return float(q[first_of(kitchen)].max()), count if table.ended[index] else None


@pytest.fixture(scope="module", params=KITCHENS)
def kitchen(request):
    return request.param


def test_no_macros_return_more_than_the_fewest_that_deliver(kitchen):
    value, _ = planned(kitchen, FEWEST[kitchen])
    assert value == pytest.approx({"tomato": 1.145993, "salad": 1.338102}[kitchen], abs=2e-6)
    plans = {
        "tomato": ("get tomato", "go", "chop", "get bowl", "get tomato", "deliver"),
        "salad": (
            *("get tomato", "go", "chop", "get lettuce", "go 2", "chop"),
            *("get bowl", "get tomato", "get lettuce", "deliver"),
        ),
    }
    names = {
        "tomato": ("get tomato", "get bowl", "go", "deliver", "chop"),
        "salad": (
            *("get tomato", "get lettuce", "get onion", "get bowl"),
            *("go", "go 2", "deliver", "chop"),
        ),
    }
    table, index, total = table_of(kitchen), first_of(kitchen), 0.0
    for name in plans[kitchen]:
        macro = names[kitchen].index(name)
        total += table.reward[index, macro]
        index = table.next[index, macro]
    assert table.ended[index]
    assert total == pytest.approx(value, abs=1e-6)


def test_a_cycle_of_farming():
    """Five macros in the tomato kitchen: chop, deliver the tomato alone, fetch it."""
    gain = planned("tomato", 51)[0] - planned("tomato", 46)[0]
    assert gain == pytest.approx(0.0794, abs=5e-5)


def test_the_papers_reward_is_farmed_within_the_time(kitchen):
    for horizon, right in (
        (31, {"tomato": 1.542869, "salad": 1.655603}),
        (51, {"tomato": 1.860370, "salad": 1.973105}),
    ):
        value, _ = planned(kitchen, horizon)
        assert value == pytest.approx(right[kitchen], abs=1e-5)


@pytest.mark.parametrize(
    ("discount", "by_step", "values", "delivers"),
    [
        (0.99, False, {"tomato": 1.628788, "salad": 1.758107}, {"tomato": [None], "salad": [None]}),
        (0.95, False, {"tomato": 0.909207, "salad": 0.917646}, {"tomato": [6], "salad": [10]}),
        # Two plans are equally good: to walk to a board and then to take what is on it are two
        # macros, and as many primitive steps as the one that does both.
        (1.0, True, {"tomato": 0.920518, "salad": 0.947656}, {"tomato": [6], "salad": [10, 11]}),
    ],
    ids=["0.99 a macro", "0.95 a macro", "0.99 a primitive step"],
)
def test_best_values(kitchen, discount, by_step, values, delivers):
    value, count = planned(kitchen, ENDLESS, discount, by_step=by_step)
    assert value == pytest.approx(values[kitchen], abs=2e-5)
    assert count in delivers[kitchen]


def test_from_which_discount_on_farming_pays(kitchen):
    """In 64 bits, on what was recorded: near the limit both ways are almost equally good."""
    data = recorded(kitchen)

    def delivered_in(discount):
        q = data.reward
        for _ in range(2_000):  # what is further off counts less than rounding
            value = np.where(data.live, q.max(1), 0.0)
            q = data.reward + discount * value[data.next]
        state, count = 0, 0
        while data.live[state] and count < 100:
            state, count = data.next[state, q[state].argmax()], count + 1
        return None if data.live[state] else count

    assert delivered_in(0.9844) == FEWEST[kitchen]
    assert delivered_in(0.9846) is None
    discount = Overcooked(kitchen).planning_discount
    assert planned(kitchen, ENDLESS, discount)[1] == FEWEST[kitchen]


def test_a_refund_makes_the_dish_the_best(kitchen):
    best = {"tomato": 1.145993, "salad": 1.338102}[kitchen]
    for horizon in (FEWEST[kitchen], 31, 51, 200):
        value, count = planned(kitchen, horizon, reward="refund")
        assert value == pytest.approx(best, abs=1e-5)
    value, count = planned(kitchen, ENDLESS, 0.99, reward="refund")
    assert value == pytest.approx({"tomato": 1.094908, "salad": 1.240972}[kitchen], abs=2e-5)
    assert count == FEWEST[kitchen]


def test_how_often_chance_delivers(kitchen):
    """Macros uniformly at random: exactly, and as played."""
    table, start = table_of(kitchen), first_of(kitchen)
    chance, found = table.ended.astype(float), {}
    for macros in range(1, 52):
        chance = np.where(table.ended, 1.0, chance[table.next].mean(1))
        found[macros] = chance[start]
    right = {"tomato": (0.1484, 0.3106), "salad": (0.0007, 0.00385)}[kitchen]
    rounding = {"tomato": 5e-5, "salad": 5e-6}[kitchen]
    assert (found[31], found[51]) == pytest.approx(right, abs=rounding)
    env = Overcooked(kitchen)
    params, episodes = env.default_params, 2_000
    assert int(params.max_steps_in_episode) == LIMIT[kitchen]

    def play(key):
        def step(state, key):
            key_action, key_step = jax.random.split(key)
            mask = env.action_mask(state, params)
            action = jax.random.categorical(key_action, jnp.where(mask, 0.0, -jnp.inf))
            out = env.step(key_step, state, action, params)
            return out[1], (out[3], out[4])

        keys = jax.random.split(key, LIMIT[kitchen])
        _, (terminated, truncated) = jax.lax.scan(step, env.reset(key, params)[1], keys)
        first = jnp.argmax(terminated | truncated)
        return terminated[first], terminated[first] | truncated[first], first

    keys = jax.random.split(jax.random.key(0), episodes)
    solved, ended, last = map(np.asarray, jax.jit(jax.vmap(play))(keys))
    assert ended.all()
    assert last.max() == LIMIT[kitchen] - 1
    expected = found[LIMIT[kitchen]]
    assert abs(solved.mean() - expected) < 4 * np.sqrt(expected / episodes)
