"""Bad input to Overcooked: one line that says what was found and what would be right."""

import jax
import pytest
from lprl_envs import InvalidInput, Overcooked
from lprl_envs.overcooked.kitchens import PAPER

SALAD, TOMATO = PAPER["salad"], PAPER["tomato"]
ENVIRONMENTS = [
    ({"kitchen": "soup"}, "unknown kitchen 'soup'; valid: salad, tomato"),
    ({"kitchen": 3}, "kitchen is 3; it must be text"),
    ({"wording": "short"}, "unknown wording 'short'; valid: full, paper"),
    ({"reward": "exact"}, "unknown reward 'exact'; valid: paper, refund"),
    ({"view": 0}, "view is 0; it must be 1 to 5, which is everything"),
    ({"view": "all"}, "view is 'all'; it must be a whole number"),
    ({"illegal_reward": float("inf")}, "illegal_reward is inf; it must be a finite number"),
    ({"observation": "pixels"}, "unknown observation 'pixels'; valid: index, onehot, features"),
]
PLACES = "it must be a place on the counter, n1 to n5, e1 to e5, s1 to s5 or w1 to w5; a corner has"
KITCHENS = [
    ({"tomato": "n0"}, f"tomato is 'n0'; {PLACES} no cell before it"),
    ({"bowl": "nw"}, f"bowl is 'nw'; {PLACES}"),
    ({"delivery": [0, 0]}, f"delivery is [0, 0]; {PLACES}"),
    ({"boards": ["w1", "w6"]}, f"boards[1] is 'w6'; {PLACES}"),
    ({"boards": ["n1", "w1"]}, "boards n1 and w1 have one access cell, a1; right: a cell each"),
    ({"boards": ["w1"]}, "boards is ['w1']; it must be a list of 2"),
    ({"boards": "w1"}, "boards is 'w1'; it must be a list"),
    ({"lettuce": "n5"}, "tomato and lettuce are both at n5; right: one thing"),
    ({"boards": ["w3", "w1"]}, "boards[0] and delivery are both at w3; right: one thing"),
    ({"start": "f1"}, "start is 'f1'; it must be a cell of the floor, a1 to e5"),
    ({"start": None}, "start is None; it must be a cell of the floor, a1 to e5"),
    ({"recipe": ["carrot"]}, "unknown food in the recipe 'carrot'; valid: tomato, lettuce, onion"),
    ({"recipe": []}, "recipe is []; it must be one or more of tomato, lettuce, onion, once each"),
    ({"recipe": ["onion", "onion"]}, "recipe is ['onion', 'onion']; it must be one or more of"),
    ({"recipe": "onion"}, "recipe is 'onion'; it must be a list"),
    ({"oven": "n1"}, "a kitchen is such as {'tomato': 'n5', 'lettuce': 'e1', 'onion': 'e2', "),
]


def refusal(function, *args, **kwargs) -> str:
    with pytest.raises(InvalidInput) as caught:
        function(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("config", "words"), ENVIRONMENTS, ids=lambda x: str(x)[:30])
def test_environment(config, words):
    assert words in refusal(Overcooked, **config)


@pytest.mark.parametrize(("change", "words"), KITCHENS, ids=lambda x: str(x)[:30])
def test_kitchens(change, words):
    assert words in refusal(Overcooked().params_of, [SALAD, {**SALAD, **change}])


def test_a_kitchen_of_the_other_kind():
    assert "a kitchen is such as {'tomato': 'n5', 'bowl'" in refusal(
        Overcooked("tomato").params_of, [SALAD]
    )
    message = refusal(Overcooked("tomato").params_of, [{**TOMATO, "recipe": ["onion"]}])
    assert message == "unknown food in the recipe 'onion'; valid: tomato"


def test_instances():
    assert "instances are none; right: one or more such as {" in refusal(Overcooked().params_of, [])
    assert "instances is 'w1'; it must be a list" in refusal(Overcooked().params_of, "w1")


def test_the_papers_wording_names_one_dish():
    message = refusal(Overcooked("salad", "paper").params_of, [{**SALAD, "recipe": ["onion"]}])
    assert message == (
        "wording 'paper' names the dish tomato, lettuce, and a kitchen has onion; right: "
        "that dish, or wording 'full'"
    )
    message = refusal(
        Overcooked("salad", "paper").sample_params, jax.random.key(0), 1, None, ("onion",)
    )
    assert message == "unknown family 'onion'; valid: lettuce-tomato"


def test_suites_and_families():
    message = refusal(Overcooked().suite, "paper-tomato")
    assert message == "unknown suite 'paper-tomato'; valid: paper-salad"
    assert "unknown suite 'x'" in refusal(Overcooked("tomato").shortest_plans, "x")
    message = refusal(Overcooked().sample_params, jax.random.key(0), 1, "train", ("lettuce-onion",))
    assert message == "the family 'lettuce-onion' is held out; use no split, or held-out"
