"""Bad input: one line that says what was found, and what would be right."""

import jax
import jax.numpy as jnp
import pytest
from lprl_envs import Household, InvalidInput

EGG = {"objects": {"egg 1": "countertop 1"}, "task": "heat", "goal": ["egg", "fridge"]}
BOOK = {"objects": {"book 1": "bed 1"}, "task": "light", "goal": ["book", "desklamp"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"room": "attic"}, "unknown room 'attic'; valid: kitchen-small, kitchen, bathroom, bed"),
        ({"room": 3}, "room is 3; it must be text"),
        ({"commands": "some"}, "unknown commands 'some'; valid: physical, all"),
        ({"split_by": "text"}, "unknown split_by 'text'; valid: goal, content"),
        ({"illegal_reward": "no"}, "illegal_reward is 'no'; it must be a number"),
        ({"observation": "image"}, "unknown observation 'image'; valid: index, onehot, features"),
        ({"observation": "index"}, "observation 'index' needs states that are numbered, of which"),
    ],
)
def test_bad_arguments(arguments, words):
    expect(words, Household, **arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"goal": ["tomato", "fridge"]}, "the room has 0 of tomato, it needs 1 or more; valid"),
        ({"goal": ["fork", "fridge"]}, "the room has 0 of fork"),
        (
            {"objects": {"fork 1": "countertop 1"}, "goal": ["fork", "drawer"]},
            "the goal heat fork, drawer: one cannot heat a fork; valid: none",
        ),
        ({"goal": ["egg", "cabinet"]}, "cabinet is not there or cannot contain egg; valid: count"),
        ({"goal": ["egg", "microwave"]}, "microwave is where one can heat things; valid: counter"),
        ({"objects": {"egg 1": "microwave 1"}}, "a egg is in a microwave at the start; put it"),
        ({"task": "pick", "objects": {"egg 1": "fridge 1"}}, "a egg is in a fridge at the start"),
        ({"task": "two"}, "two egg, fridge: the room has 1 of egg, it needs 2 or more; valid"),
        ({"receptacles": ["countertop 1", "fridge 1"]}, "the room has no microwave; add one to re"),
        ({"task": "look"}, "unknown task 'look'; valid: pick, clean, heat, cool, two"),
        ({"task": "light"}, "unknown task 'light'; valid: pick, clean, heat, cool, two"),
        ({"goal": ["egg"]}, "goal is ['egg']; it must be a type of objects and one of places"),
        ({"goal": "egg"}, "goal is 'egg'; it must be a list"),
        ({"goal": ["ham", "fridge"]}, "unknown goal[0] 'ham'; valid: apple, bowl, bread"),
        ({"goal": ["egg", "desklamp"]}, "unknown goal[1] 'desklamp'; valid: cabinet, countertop"),
        ({"objects": {"egg 1": "cabinet 1"}}, "cabinet 1 cannot contain egg 1; valid: countertop"),
        ({"objects": {"egg 3": "fridge 1"}}, "objects: there is no 'egg 3'; valid: apple 1, apple"),
        ({"objects": {"egg 1": "attic"}}, "objects['egg 1']: there is no 'attic'; valid: cabinet"),
        (
            {"objects": {f"egg {i}": "fridge 1" for i in range(24)}},
            "objects are 24; the kit of room 'kitchen-small' has 23: apple 1, apple 2",
        ),
        ({"objects": ["egg 1"]}, "objects is ['egg 1']; it must be a mapping"),
        (
            {"receptacles": ["fridge 1", "microwave 1"]},
            "objects['egg 1']: 'countertop 1' is not in the room; valid: fridge 1, microwave 1",
        ),
        ({"receptacles": ["fridge 1", "fridge 1"]}, "receptacles has 'fridge 1' 2 times; once is"),
        ({"receptacles": ["bed 1"]}, "receptacles: there is no 'bed 1'; valid: cabinet 1, cabi"),
        ({"openable": ["countertop 1"]}, "openable: there is no 'countertop 1'; valid: cabinet 1"),
        (
            {"receptacles": ["countertop 1", "fridge 1"], "openable": ["drawer 1"]},
            "openable: 'drawer 1' is not in the room; valid: countertop 1, fridge 1",
        ),
        ({"lamp_on": "countertop 1"}, "lamp_on is 'countertop 1'; room 'kitchen-small' has no"),
        ({"phrasing": 2}, "phrasing is 2; it must be 0 or 1"),
        ({"light": 1}, "an instance is {'objects': {'egg 1': 'fridge 1'}, 'task': 'heat', 'goal'"),
    ],
)  # fmt: skip
def test_bad_rooms(change, words):
    expect(words, Household().params_of, [{**EGG, **change}])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "light book, desklamp: the room has no lamp; set lamp_on"),
        ({"lamp_on": "bed 1"}, "lamp_on: there is no 'bed 1'; valid: desk 1, desk 2, dresser 1"),
        ({"goal": ["book", "desk"]}, "unknown goal[1] 'desk'; valid: desklamp"),
        ({"objects": {"cd 1": "desk 1"}}, "the room has 0 of book, it needs 1 or more; valid: cd"),
    ],
)
def test_bad_lamps(change, words):
    expect(words, Household("bedroom").params_of, [{**BOOK, **change}])


@pytest.mark.parametrize(
    ("instances", "words"),
    [
        ([], "instances are none; right: one or more, where an instance is {'objects':"),
        ({}, "instances is {}; it must be a list"),
        (["egg"], "found 'egg'; an instance is {'objects': {'egg 1': 'fridge 1'}, 'task': 'heat'"),
        ([{"task": "heat"}], "found {'task': 'heat'}; an instance is"),
    ],
)
def test_bad_instances(instances, words):
    expect(words, Household().params_of, instances)


def test_unknown_families_and_suites():
    env = Household("bathroom")
    key = jax.random.key(0)
    expect(
        "unknown family 'heat'; valid: pick, clean, two", env.sample_params, key, 2, None, ["heat"]
    )
    wrong = "unknown split_by of Household-lprl by goal 'content'; valid: goal"
    expect(wrong, env.sample_params, key, 2, None, (), "content")
    expect("unknown suite 'alfred'; Household-lprl has none", env.suite, "alfred")


@pytest.mark.parametrize("room", ["kitchen-small", "kitchen", "bathroom", "bedroom", "livingroom"])
def test_a_room_by_hand_comes_back(room):
    """The preset is one: everything is there, and a plan leads to its goal."""
    env = Household(room)
    params = env.default_params
    bank = jax.tree.map(lambda leaf: leaf[0], params.bank)
    assert bool(bank.present.all())
    assert int(bank.where.max()) < env.kit.num_receptacles
    state = env.initial_state(jax.random.key(0), jnp.int32(0), params)
    assert 3 <= int(jax.jit(env.steps_left)(state, params)) <= 11


def expect(words, call, *arguments, **named):
    with pytest.raises(InvalidInput) as caught:
        call(*arguments, **named)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
