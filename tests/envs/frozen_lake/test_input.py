"""Bad input to Frozen Lake: one line that says what was found and what would be right."""

import jax
import pytest
from lprl_envs import FrozenLake, InvalidInput, parse_map

ENVIRONMENTS = [
    ({"map_name": "9"}, ["unknown map_name '9'", "4x4, 8x8"]),
    ({"map_name": "4x4\n"}, ["unknown map_name '4x4\\n'"]),
    ({"map_name": "4 x 4"}, ["unknown map_name '4 x 4'"]),
    ({"map_name": "-4x4"}, ["unknown map_name '-4x4'"]),
    ({"map_name": "100x4"}, ["unknown map_name '100x4'", "99 rows and 26 columns at most"]),
    ({"map_name": None}, ["map_name is None", "text"]),
    ({"map_name": 4}, ["map_name is 4", "text"]),
    ({"map_name": "\N{ARABIC-INDIC DIGIT FOUR}x4"}, ["unknown map_name"]),
    ({"is_slippery": "false"}, ["is_slippery is 'false'", "true or false"]),
    ({"is_slippery": 0}, ["is_slippery is 0", "true or false"]),
    ({"success_rate": "1"}, ["success_rate is '1'", "a number"]),
    ({"success_rate": True}, ["success_rate is True", "a number"]),
    ({"reward_schedule": 1.0}, ["reward_schedule is 1.0", "a list"]),
    ({"reward_schedule": (1.0, -1.0, None)}, ["reward_schedule[2] is None", "a number"]),
    ({"reward_schedule": (1.0, 1e39, 0.0)}, ["reward_schedule[1] is 1e+39", "float32"]),
    ({"reward_schedule": (float("inf"), 0, 0)}, ["reward_schedule[0] is inf", "finite"]),
    ({"observation": ["index"]}, ["observation is ['index']", "text"]),
    ({"map_name": "1x1"}, ["'1x1'", "2 cells at least"]),
    ({"map_name": "0x9"}, ["unknown map_name '0x9'"]),
    ({"map_name": "9x0"}, ["unknown map_name '9x0'"]),
    ({"map_name": "3x27"}, ["'3x27'", "26 columns at most"]),
    ({"success_rate": -0.01}, ["success_rate is -0.01", "[0, 1]"]),
    ({"success_rate": 1.01}, ["success_rate is 1.01", "[0, 1]"]),
    ({"success_rate": float("nan")}, ["success_rate is nan", "[0, 1]"]),
    ({"reward_schedule": (1.0, 0.0)}, ["reward_schedule is (1.0, 0.0)", "goal, hole, other"]),
    ({"reward_schedule": ()}, ["reward_schedule is ()", "three"]),
    ({"observation": "pixels"}, ["observation 'pixels'", "onehot, features, tokens"]),
    ({"observation": "a\nb"}, ["observation 'a\\nb'"]),
]
MAPS = [
    ([], ["list of rows", "found []"]),
    ("", ["list of rows", "found ['']"]),
    (["SF", ""], ["list of rows", "found ['SF', '']"]),
    ([["S", "G"]], ["list of rows", "found [['S', 'G']]"]),
    ([1, 2], ["list of rows", "found [1, 2]"]),
    (["SFF", "FG"], ["differ in length", "[3, 2]", "rectangular"]),
    (["SX", "FG"], ["unknown tile 'X'", "S, F, H, G"]),
    (["sf", "fg"], ["unknown tile 'f'", "S, F, H, G"]),
    (["S\n", "FG"], ["unknown tile '\\n'"]),
    (["FF", "FG"], ["no start", "one S or more"]),
    (["SF", "FF"], ["no goals", "exactly one G"]),
    (["SG", "FG"], ["2 goals", "exactly one G"]),
    (["SH", "HG"], ["not solvable", "['SH', 'HG']"]),
    (["SHS", "FHF", "FHG"], ["not solvable", "a start reaches no goal"]),
]


def refusal(function, *args, **kwargs) -> str:
    with pytest.raises(InvalidInput) as error:
        function(*args, **kwargs)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("config", "words"), ENVIRONMENTS)
def test_environment(config, words):
    message = refusal(FrozenLake, **config)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(("rows", "words"), MAPS)
def test_map(rows, words):
    message = refusal(parse_map, rows)
    assert [word for word in words if word not in message] == []


def test_map_of_another_size():
    maps = [parse_map(["SFF", "FFG"])]
    message = refusal(FrozenLake("4x4").params_of, maps)
    assert message == "a map is 2x3, the environment 4x4; set map_name: 2x3"
    wide = refusal(FrozenLake("4x4").params_of, [["S" + 26 * "F", "G" + 26 * "F"]])
    right = "right: 2 cells at least, 99 rows and 26 columns at most"
    assert wide == f"a map is 2x27, the environment 4x4; {right}"
    assert FrozenLake("2x3").params_of(maps).bank.tiles.shape == (1, 6)


@pytest.mark.parametrize("split", ["test", "held_out", "held\nout", True])
def test_split(split):
    message = refusal(FrozenLake("4x4").sample_params, jax.random.key(0), 1, split=split)
    assert f"unknown split {split!r}" in message
    assert "train, held-out" in message


@pytest.mark.parametrize("name", ["1x2", "2x1", "99x1", "2x26"])
def test_extreme_sizes_are_accepted(name):
    env = FrozenLake(name)
    height, width = map(int, name.split("x"))
    assert env.num_states == height * width
    assert len(env.template.slots) == height * width + 6
