"""Bad input to KeyRooms: one line that says what was found and what would be right."""

import pytest
from lprl_envs import InvalidInput, KeyRooms
from lprl_envs.key_rooms import parse_map

ENVIRONMENTS = [
    ({"rooms": 1}, ["rooms is 1", "2 to 6"]),
    ({"rooms": 7}, ["rooms is 7", "2 to 6"]),
    ({"rooms": "3"}, ["rooms is '3'", "a whole number"]),
    ({"rooms": True}, ["rooms is True", "a whole number"]),
    ({"pits": -1}, ["pits is -1", "0 to 8"]),
    ({"pits": 9}, ["pits is 9", "0 to 8"]),
    ({"pits": 1.5}, ["pits is 1.5", "a whole number"]),
    ({"observation": "pixels"}, ["observation 'pixels'", "onehot, features, tokens"]),
    ({"observation": ["index"]}, ["observation is ['index']", "text"]),
]
GOOD = ["S....#.....", ".....#.....", "..K..L..T..", ".....#.....", ".....#....."]


def changed(*places):
    """The good map with other characters at (row, column)."""
    grid = [list(row) for row in GOOD]
    for row, column, tile in places:
        grid[row][column] = tile
    return ["".join(row) for row in grid]


MAPS = [
    ("S", ["list of 5 rows", "found ['S']"]),
    ([], ["list of 5 rows", "found []"]),
    ([[*row] for row in GOOD], ["list of 5 rows", "found [['S'"]),
    ([*GOOD, GOOD[0]], ["list of 5 rows", "found"]),
    ([*GOOD[:4], GOOD[4][:-1]], ["lengths [10, 11]", "one of [11, 17, 23, 29, 35]"]),
    ([row[:5] for row in GOOD], ["lengths [5]", "6 L - 1"]),
    (changed((0, 1, "X")), ["unknown tile 'X'", "T treasure, D door, L locked door"]),
    (changed((0, 1, "\n")), ["unknown tile '\\n'"]),
    (changed((2, 5, "#")), ["column 6", "'#####'", "one L"]),
    (changed((2, 5, "D")), ["column 6", "'##D##'", "one L"]),
    (changed((1, 5, "L")), ["column 6", "'#LL##'", "one L"]),
    (changed((0, 5, ".")), ["column 6", "'.#L##'", "four #"]),
    (changed((1, 1, "#")), ["'#' stands inside room 1"]),
    (changed((1, 7, "D")), ["'D' stands inside room 2"]),
    (changed((0, 0, ".")), ["S of the map is missing", "one, in the first room"]),
    (changed((0, 1, "S")), ["S of the map is in rooms [1, 1]", "one, in the first room"]),
    (changed((0, 0, "."), (0, 6, "S")), ["S of the map is in rooms [2]", "in the first room"]),
    (changed((2, 2, "."), (0, 6, "K")), ["K of the map is in rooms [2]", "before the last"]),
    (changed((2, 8, "."), (1, 1, "T")), ["T of the map is in rooms [1]", "in the last room"]),
    (changed((0, 1, "P"), (1, 0, "P")), ["is not solvable", "from S to K, and then to T"]),
    (changed((2, 4, "P")), ["is not solvable"]),
]


def refusal(function, *args, **kwargs) -> str:
    with pytest.raises(InvalidInput) as error:
        function(*args, **kwargs)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("config", "words"), ENVIRONMENTS, ids=lambda x: str(x)[:40])
def test_environment(config, words):
    message = refusal(KeyRooms, **config)
    assert [word for word in words if word not in message] == []


def test_the_map_that_is_changed_is_good():
    assert KeyRooms(2).params_of([GOOD]).bank.start.tolist() == [0]


@pytest.mark.parametrize(("rows", "words"), MAPS, ids=[f"map{i}" for i in range(len(MAPS))])
def test_map(rows, words):
    message = refusal(parse_map, rows)
    assert [word for word in words if word not in message] == []


def test_map_of_another_number_of_rooms():
    message = refusal(KeyRooms(3).params_of, [GOOD])
    right = "set rooms: L for 5 rows of 6 L - 1"
    assert message == f"a map is 5x11, the environment of 3 rooms 5x17; {right}"
    assert "no maps" in refusal(KeyRooms(3).params_of, [])
