"""Watch repair's instances, split, text, observations, pictures and bad input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput, WatchRepair
from lprl_envs.watch_repair import margins_of
from lprl_envs.watch_repair.brands import PAPER, costs_by_side
from lprl_envs.watch_repair.states import FIRST

ENV = WatchRepair()
OTHER = {"price": [80, 0.5, 30, 20.5], "repair": [30, 0.5, 4, 1], "delivery": [30, 0.5, 8, 2]}


# -- instances -----------------------------------------------------------------------------------


def test_the_papers_brands():
    params = ENV.default_params
    assert margins_of(params.bank).tolist() == [[-1.5, 3.5, 3.5, -1.5]]
    assert not bool(ENV.held_out(jax.tree.map(lambda leaf: leaf[0], params.bank)))
    suite = ENV.suite("rudder")
    assert jax.tree.all(jax.tree.map(lambda x, y: (x == y).all(), params, suite))


def test_brands_by_hand():
    bank = ENV.params_of([OTHER, PAPER]).bank
    assert (bank.price[0] / 2).tolist() == OTHER["price"]
    assert (bank.repair_sd / 2).tolist() == [[2] * 4, PAPER["repair_sd"]]
    assert (bank.delivery_sd / 2).tolist() == [[1.5] * 4] * 2
    assert margins_of(bank)[0].tolist() == [2, -18.5, 0, -0.5]
    rows = jax.vmap(ENV.identity)(bank)
    assert rows.shape == (2, 5, 4)
    assert rows[0, 0].tolist() == [160, 1, 60, 41]


@pytest.mark.parametrize("split", [None, "train", "held-out"])
def test_random_brands(split):
    params = ENV.sample_params(jax.random.key(3), 500, split)
    bank = jax.device_get(params.bank)
    margins = np.asarray(margins_of(bank))
    sizes = np.arange(1, 13) / 2
    assert set(np.unique(margins)) == {*sizes, *-sizes}
    assert abs((margins > 0).mean() - 0.5) < 0.05
    assert (bank.repair.min(), bank.repair.max()) == (2, 50)
    assert (bank.delivery.min(), bank.delivery.max()) == (1, 36)
    assert (bank.price > 0).all()
    assert (bank.repair_sd == 4).all()
    assert (bank.delivery_sd == 3).all()
    out = np.asarray(jax.vmap(ENV.held_out)(params.bank))
    share = {None: 0.2, "train": 0.0, "held-out": 1.0}[split]
    assert out.mean() == pytest.approx(share, abs=0.06 * (split is None))
    sides = [set(map(tuple, pairs.tolist())) for pairs in costs_by_side()]
    for repair, delivery, is_out in zip(bank.repair, bank.delivery, out, strict=True):
        assert set(zip(repair.tolist(), delivery.tolist(), strict=True)) <= sides[int(is_out)]


def test_the_sides_of_costs():
    # Pinned: what is held out must not change.
    train, held_out = costs_by_side()
    assert (len(train), len(held_out)) == (1429, 335)
    assert not set(map(tuple, train.tolist())) & set(map(tuple, held_out.tolist()))


def test_one_held_out_brand_holds_out_an_instance():
    out = costs_by_side()[1][0] / 2
    mixed = {name: list(values) for name, values in PAPER.items()}
    mixed["repair"][3], mixed["delivery"][3] = map(float, out)
    bank = ENV.params_of([PAPER, mixed]).bank
    assert jax.vmap(ENV.held_out)(bank).tolist() == [False, True]


def test_prices_and_order_do_not_change_the_split():
    bank = ENV.sample_params(jax.random.key(4), 100).bank
    right = jax.vmap(ENV.held_out)(bank)
    turned = jax.tree.map(lambda leaf: leaf[:, ::-1], bank)
    dearer = dataclasses.replace(bank, price=bank.price + 3)
    assert bool(right.any())
    for other in (turned, dearer):
        np.testing.assert_array_equal(jax.vmap(ENV.held_out)(other), right)


# -- what is right -------------------------------------------------------------------------------


def test_solved_is_the_right_decision():
    params = ENV.params_of([OTHER])  # margins 2, -18.5, 0, -0.5
    for clock in (1, 50):
        width = clock + 1
        found = [
            [
                bool(ENV.is_solved(ENV.state_at(0, FIRST[clock] + k * width**2, params), params))
                for k in (2 * brand, 2 * brand + 1)
            ]
            for brand in range(4)
        ]
        assert found == [[False, True], [True, False], [True, True], [True, False]]
    undecided = [bool(ENV.is_solved(ENV.state_at(0, i, params), params)) for i in range(4)]
    assert not any(undecided)


# -- text and observation ------------------------------------------------------------------------

INTRO = (
    "I carry a watch to a shop, 50 steps away. Before I leave I may have it repaired, which I pay "
    "at once. Only a repaired watch is sold: I get its price less its delivery and the trip, that "
    "is 0.1 for a jam and 7 for a flat tyre. Costs are means.\n"
)


@pytest.mark.parametrize(
    ("number", "right"),
    [
        (
            2,
            "Brand 2. Price 31, repair 5, delivery 4.5, trip 18.\n"
            "It is not repaired yet: decide now. Step 0 of 50, jams 0, flat tyres 0.\nAnswer",
        ),
        (
            FIRST[1] + 2 * 4 + 1,
            "Brand 1. Price 28, repair 4, delivery 2.5, trip 18.\n"
            "It is not repaired, as decided. Step 1 of 50, jams 0, flat tyres 1.\nAnswer",
        ),
        (
            FIRST[50] + (7 * 51 + 6) * 51 + 3,
            "Brand 3. Price 59, repair 24.5, delivery 18, trip 18.\n"
            "It is repaired, as decided. Step 50 of 50, jams 6, flat tyres 3.\nAnswer",
        ),
    ],
)
def test_text(number, right):
    params = ENV.default_params
    assert ENV.describe(ENV.state_at(0, number, params), params) == INTRO + right


def test_features():
    params = ENV.params_of([PAPER, OTHER])
    state = ENV.state_at(1, FIRST[25] + ((2 * 3 + 1) * 26 + 5) * 26 + 2, params)
    found = ENV.features(state, params)
    right = [0, 0, 0, 1, 20.5 / 80, 1 / 30, 2 / 30, 1, 25 / 50, 5 / 50, 2 / 50]
    np.testing.assert_allclose(found, right, rtol=1e-6)
    assert found.shape == (ENV.num_features,)


def test_the_decision_is_seen():
    params = ENV.default_params
    for observation in ("features", "tokens"):
        env = WatchRepair(observation)
        states = [env.state_at(0, i, params) for i in (2, FIRST[1] + 4 * 4, FIRST[1] + 5 * 4)]
        assert {int(state.brand) for state in states} == {2}
        seen = [env.observe(jax.random.key(0), state, None, params).tolist() for state in states]
        assert len(set(map(tuple, seen))) == 3


# -- pictures ------------------------------------------------------------------------------------


def test_pictures_have_one_size_and_differ():
    params = ENV.params_of([PAPER, OTHER])
    places = [0, 3, FIRST[1], FIRST[1] + 4, FIRST[30], FIRST[30] + 1, FIRST[50], FIRST[50] + 80]
    states = [ENV.state_at(i, number, params) for i in (0, 1) for number in places]
    pictures = [ENV.render(state, params).rgb for state in states]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == len(states)
    assert all((picture[[0, -1]] == 255).all() for picture in pictures)  # nothing is cut off
    later = dataclasses.replace(states[2], time=jnp.int32(5))
    assert (ENV.render(later, params).rgb == pictures[2]).all()


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        ("watch", "unknown observation 'watch'; valid: index, onehot, features, tokens"),
        (2, "observation is 2; it must be text"),
    ],
)
def test_bad_arguments(observation, words):
    with pytest.raises(InvalidInput) as caught:
        WatchRepair(observation)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"price": [18, 28, 31]}, "price is [18, 28, 31]; it must be 4, one a brand"),
        ({"price": [18, 28, 31, 80.5]}, "price[3] is 80.5; it must be 0.5 to 80 in steps of a"),
        ({"repair": [1, 4.2, 5, 24]}, "repair[1] is 4.2; it must be 0.5 to 30 in steps of a half"),
        ({"delivery": [0, 2, 4, 18]}, "delivery[0] is 0.0; it must be 0.5 to 30"),
        ({"repair_sd": [-1, 2, 2, 1]}, "repair_sd[0] is -1.0; it must be 0 to 10"),
        ({"delivery_sd": 2}, "delivery_sd is 2; it must be a list"),
        ({"price": [18, 28, "31", 59]}, "price[2] is '31'; it must be a number"),
        ({"price": [18, 28, float("nan"), 59]}, "price[2] is nan; it must be a finite number"),
        ({"margin": [1, 2, 3, 4]}, "an instance has price, repair and delivery, four each"),
    ],
)
def test_bad_brands(change, words):
    with pytest.raises(InvalidInput) as caught:
        ENV.params_of([{**PAPER, **change}])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("instances", "words"),
    [
        ([], "instances are none; right: one or more such as {'price':"),
        ({}, "instances is {}; it must be a list"),
        (["paper"], "an instance has price, repair and delivery, four each, and maybe"),
        ([{"price": [1] * 4, "repair": [1] * 4}], "an instance has price, repair and delivery"),
    ],
)
def test_bad_instances(instances, words):
    with pytest.raises(InvalidInput) as caught:
        ENV.params_of(instances)
    assert words in str(caught.value)


def test_unknown_suite():
    with pytest.raises(InvalidInput, match="unknown suite 'paper'; valid: rudder"):
        ENV.suite("paper")
