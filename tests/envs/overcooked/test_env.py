"""Overcooked's instances, split, observations and pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.overcooked.recorded import recorded, states_of
from lprl_envs import Overcooked
from lprl_envs.overcooked.cells import access_cell
from lprl_envs.overcooked.kitchens import PAPER

ENV = Overcooked()
FAMILIES = (
    "tomato",
    "lettuce",
    "onion",
    "lettuce-tomato",
    "onion-tomato",
    "lettuce-onion",
    "lettuce-onion-tomato",
)

# -- instances -----------------------------------------------------------------------------------


def test_the_papers_kitchens():
    bank = ENV.default_params.bank
    assert bank.home.tolist() == [[4, 5, 6, 14]]
    assert bank.boards.tolist() == [[15, 16]]
    assert (bank.delivery.tolist(), bank.start.tolist()) == ([17], [3])
    assert bank.recipe.tolist() == [[True, True, False]]
    for kitchen, limit in (("tomato", 31), ("salad", 51)):
        env = Overcooked(kitchen)
        params = env.suite(f"paper-{kitchen}")
        assert int(params.max_steps_in_episode) == limit
        assert not bool(env.held_out(jax.tree.map(lambda leaf: leaf[0], params.bank)))


def test_random_kitchens():
    assert ENV.families == FAMILIES
    assert ENV.held_out_families == ("lettuce-onion",)
    bank = jax.device_get(ENV.sample_params(jax.random.key(0), 3_000).bank)
    places = np.concatenate([bank.home, bank.boards, bank.delivery[:, None]], 1)
    ordered = np.sort(places, 1)
    assert (np.diff(ordered, axis=1) > 0).all()
    assert (ordered.min(), ordered.max()) == (0, 19)
    cells = np.asarray(access_cell(jnp.asarray(bank.boards)))
    assert (cells[:, 0] != cells[:, 1]).all()
    assert set(bank.start) == set(range(25))
    dishes, counts = np.unique(bank.recipe @ [1, 2, 4], return_counts=True)
    assert dishes.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert abs(counts / 3_000 - 1 / 7).max() < 0.03
    out = np.asarray(jax.vmap(ENV.held_out)(jax.tree.map(jnp.asarray, bank)))
    is_family = (bank.recipe == [False, True, True]).all(1)
    assert out[is_family].all()
    assert out[~is_family].mean() == pytest.approx(0.2, abs=0.04)


def test_splits_and_families():
    for split, side in (("train", False), ("held-out", True)):
        bank = ENV.sample_params(jax.random.key(1), 200, split).bank
        assert (np.asarray(jax.vmap(ENV.held_out)(bank)) == side).all()
        dishes = set(np.unique(np.asarray(bank.recipe) @ [1, 2, 4]).tolist())
        assert dishes == {1, 2, 3, 4, 5, 7}
    bank = ENV.sample_params(jax.random.key(1), 50, None, ("lettuce-onion",)).bank
    assert (np.asarray(bank.recipe) == [False, True, True]).all()
    paper = Overcooked("salad", "paper")
    assert (paper.families, paper.held_out_families) == (("lettuce-tomato",), ())
    bank = paper.sample_params(jax.random.key(1), 50).bank
    assert (np.asarray(bank.recipe) == [True, True, False]).all()


def test_mirror_images_turns_and_starts_are_on_one_side():
    def hashes(kitchens):
        bank = ENV.params_of(kitchens).bank
        return np.asarray(jax.vmap(ENV.split_hash)(bank)).tolist()

    paper = PAPER["salad"]
    left_right = {
        **{"tomato": "n1", "lettuce": "w1", "onion": "w2", "bowl": "s1"},
        **{"boards": ["e1", "e2"], "delivery": "e3", "start": "b1", "recipe": paper["recipe"]},
    }
    up_down = {
        **{"tomato": "s5", "lettuce": "e5", "onion": "e4", "bowl": "n5"},
        **{"boards": ["w5", "w4"], "delivery": "w3", "start": "d5", "recipe": paper["recipe"]},
    }
    turned = {  # rows for columns
        **{"tomato": "w5", "lettuce": "s1", "onion": "s2", "bowl": "e5"},
        **{"boards": ["n1", "n2"], "delivery": "n3", "start": "a4", "recipe": paper["recipe"]},
    }
    alike = [paper, left_right, up_down, turned]
    alike += [{**paper, "start": "e5"}, {**paper, "boards": ["w2", "w1"]}]
    assert len(set(hashes(alike))) == 1
    others = [{**paper, "tomato": "n4"}, {**paper, "delivery": "w4"}, {**paper, "bowl": "n1"}]
    others += [{**paper, "recipe": ["tomato"]}, {**paper, "tomato": "e1", "lettuce": "n5"}]
    assert len(set(hashes([paper, *others]))) == 6


# -- observations --------------------------------------------------------------------------------


def test_features():
    # At b2, a chopped tomato and an onion in the bowl on the first board, lettuce in hand.
    state = jax.tree.map(lambda x: x[0], states_of(np.array([[6, 2, 1, 1, 0, 2, 1, 3]], np.int32)))
    found = np.asarray(ENV.features(state, ENV.default_params))
    assert found.shape == (ENV.num_features,) == (192,)
    assert Overcooked("tomato").num_features == 118
    cell, where, chopped, bowl, recipe, homes = np.split(found, [25, 40, 43, 49, 52])
    assert np.flatnonzero(cell).tolist() == [6]
    assert where.reshape(3, 5).argmax(1).tolist() == [2, 1, 2]
    assert where.sum() == 3
    assert chopped.tolist() == [1, 0, 1]
    assert np.flatnonzero(bowl).tolist() == [3]
    assert recipe.tolist() == [1, 1, 0]
    assert homes.reshape(7, 20).argmax(1).tolist() == [4, 5, 6, 14, 15, 16, 17]
    assert homes.sum() == 7


def test_numbers():
    for kitchen, count in (("tomato", 325), ("salad", 9_950)):
        env = Overcooked(kitchen)
        number = jnp.arange(count, dtype=jnp.int32)
        states = jax.vmap(lambda i, env=env: env.state_at(0, i, env.default_params))(number)
        index = jax.vmap(env.state_index, (0, None))(states, env.default_params)
        assert env.num_states == count
        assert index.tolist() == list(range(count))
        if kitchen == "salad":  # those of an instance whose dish has two foods
            dish = (np.asarray(states.where) == 2) == [True, True, False]
            assert ((np.asarray(states.bowl) != 5) | dish.all(1)).sum() == 9_000


def test_solved_is_delivered():
    data = recorded("salad")
    solved = jax.vmap(ENV.is_solved, (0, None))(data.states, ENV.default_params)
    assert solved.tolist() == (~data.live).tolist()


# -- pictures ------------------------------------------------------------------------------------


def test_pictures_have_one_size_and_differ():
    data = recorded("salad")
    rows = np.random.default_rng(0).choice(len(data.live), 20, replace=False)
    pictures = [
        ENV.render(jax.tree.map(lambda leaf, i=i: leaf[i], data.states), ENV.default_params).rgb
        for i in (*rows, *np.flatnonzero(~data.live)[:1])
    ]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert all((picture[[0, -1]] == 255).all() for picture in pictures)  # nothing is cut off
    dishes = [{**PAPER["salad"], "recipe": [food]} for food in ("tomato", "onion")]
    params = ENV.params_of(dishes)
    first, other = (
        ENV.render(ENV.initial_state(jax.random.key(0), jnp.int32(i), params), params).rgb
        for i in (0, 1)
    )
    assert (first != other).any()
