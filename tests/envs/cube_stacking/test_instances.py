"""Instances of cube stacking: by hand, by suite, random ones of each family, split, bad input."""

import functools
import string

import jax
import numpy as np
import pytest
from lprl_envs import CubeStacking, InvalidInput
from lprl_envs.banks import choose_families
from lprl_envs.cube_stacking.cubes import BY_HAND, COLORS, FAMILIES

ORDINARY, HELD_OUT = FAMILIES[:-1], FAMILIES[-1]


@functools.cache
def sample(num_cubes, split=None, families=(), num=200):
    """A bank on the host."""
    env = CubeStacking(num_cubes)
    draw = jax.jit(lambda key: env.sample_params(key, num, split, families).bank)
    return jax.tree.map(np.asarray, draw(jax.random.key(num_cubes)))


def stacks(bank):
    """Each target as `[(colour, edge, cube)]`, bottom first; the first colour is 0, the next 1."""
    for color, size, target in zip(bank.color, bank.size, bank.target, strict=True):
        seen = list(dict.fromkeys(color[target].tolist()))
        yield [(seen.index(color[cube]), int(size[cube]), int(cube)) for cube in target]


# -- families ------------------------------------------------------------------------------------


def is_size(stack) -> bool:
    return stack == sorted(stack, key=lambda x: (-x[1], x[2]))


def each_color(stack, order) -> bool:
    groups = [[x for x in stack if x[0] == color] for color in range(3)]
    return all(group == sorted(group, key=order) for group in groups)


def is_in_turn(stack, num_colors) -> bool:
    return [x[0] for x in stack] == [i % num_colors for i in range(len(stack))]


def by_size(x):
    return -x[1], x[2]


RULES = {
    "size": is_size,
    "alternating": lambda stack: is_in_turn(stack, 2) and each_color(stack, lambda x: x[2]),
    "interleaved": lambda stack: is_in_turn(stack, 2) and each_color(stack, by_size),
    "color-then-size": lambda stack: stack == sorted(stack, key=lambda x: (x[0], -x[1], x[2])),
    "periodic": lambda stack: is_in_turn(stack, 3) and each_color(stack, by_size),
}


@pytest.mark.parametrize("num_cubes", [2, 3, 7, 8, 12])
@pytest.mark.parametrize("family", FAMILIES)
def test_family(family, num_cubes):
    bank = sample(num_cubes, families=(family,))
    assert set(bank.family.tolist()) == {FAMILIES.index(family)}
    found = list(stacks(bank))
    assert all(map(RULES[family], found))
    colors = min(3 if family == HELD_OUT else 2, num_cubes)
    assert {len({x[0] for x in stack}) for stack in found} == {colors}
    if num_cubes >= 7:  # the other rules do not hold by chance for all of them
        others = [rule for name, rule in RULES.items() if name != family]
        assert not any(all(map(rule, found)) for rule in others)


@pytest.mark.parametrize("num_cubes", [2, 8, 12])
def test_cubes_are_random(num_cubes):
    # Every cube may begin, in every colour; edges are in range, distinct in some, repeated in some.
    bank = sample(num_cubes)
    assert set(bank.target[:, 0].tolist()) == set(range(num_cubes))
    first = np.take_along_axis(bank.color, bank.target, 1)[:, 0]
    assert set(first.tolist()) == set(range(len(COLORS)))
    assert (bank.size.min(), bank.size.max()) == (1, 12)
    distinct = {len(set(row)) for row in bank.size.tolist()}
    assert min(distinct) < num_cubes
    assert (num_cubes in distinct) == (num_cubes < 12)
    np.testing.assert_array_equal(np.argsort(bank.target), bank.place)
    assert np.bincount(bank.family).min() > 15


# -- the split -----------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "held-out"])
def test_split(split):
    bank = sample(5, split)
    assert set(bank.family.tolist()) == set(range(len(ORDINARY)))
    assert (jax.vmap(CubeStacking(5).held_out)(bank) == (split == "held-out")).all()


@pytest.mark.parametrize("split", [None, "held-out"])
def test_the_held_out_family(split):
    bank = sample(5, split, (HELD_OUT, "size"), 400)
    held_out = np.asarray(jax.vmap(CubeStacking(5).held_out)(bank))
    periodic = bank.family == FAMILIES.index(HELD_OUT)
    assert held_out[periodic].all()
    assert 0 < periodic.sum() < 400
    assert held_out[~periodic].all() == (split == "held-out")


def test_letters_do_not_change_the_split():
    # The same stack, its cubes named otherwise.
    bank = sample(6, None, ORDINARY)
    shuffle = np.random.default_rng(0).permutation(6)
    renamed = bank.replace(
        color=bank.color[:, shuffle],
        size=bank.size[:, shuffle],
        target=np.argsort(shuffle)[bank.target],
    )
    assert list(stacks(renamed)) != list(stacks(bank))
    held_out = jax.vmap(CubeStacking(6).held_out)
    np.testing.assert_array_equal(held_out(renamed), held_out(bank))
    assert np.asarray(held_out(bank)).mean() == pytest.approx(0.2, abs=0.1)


def test_neither_the_order_nor_the_colours_names_change_the_split():
    # The same cubes, stacked by another family's rule; and every colour another one.
    env, bank = CubeStacking(6), sample(6, None, ORDINARY)
    right = np.asarray(jax.vmap(env.held_out)(bank))
    assert 0 < right.sum() < len(right)
    order = np.argsort(np.random.default_rng(0).random(bank.target.shape), axis=1)
    other = bank.replace(target=order, place=np.argsort(order, axis=1))
    np.testing.assert_array_equal(jax.vmap(env.held_out)(other), right)
    names = np.random.default_rng(1).permutation(len(COLORS))
    assert (names != np.arange(len(COLORS))).any()
    painted = bank.replace(color=names[bank.color])
    np.testing.assert_array_equal(jax.vmap(env.held_out)(painted), right)


def test_three_colours_are_held_out_whatever_drew_them():
    bank = sample(5, None, (HELD_OUT,))
    by_hand = bank.replace(family=np.full_like(bank.family, BY_HAND))
    assert np.asarray(jax.vmap(CubeStacking(5).held_out)(by_hand)).all()


@pytest.mark.parametrize(
    ("families", "split", "expected"),
    [
        ((), None, (0, 1, 2, 3, 4)),
        ((), "train", (0, 1, 2, 3)),
        ((), "held-out", (0, 1, 2, 3)),
        (("periodic",), "held-out", (4,)),
        (["periodic", "size", "size"], None, (0, 4)),
        (["interleaved"], "train", (2,)),
    ],
)
def test_choose_families(families, split, expected):
    assert choose_families(FAMILIES, (HELD_OUT,), families, split) == expected


@pytest.mark.parametrize(
    ("families", "split", "message"),
    [
        (["sized"], None, f"unknown family 'sized'; valid: {', '.join(FAMILIES)}"),
        (["size", "periodic"], "train", "the family 'periodic' is held out; use no split, or held"),
        ("size", None, "families is 'size'; right: a list of names, [size]"),
        ((), "test", "unknown split 'test'; valid: train, held-out"),
    ],
)
def test_families_refused(families, split, message):
    refused(message, CubeStacking().sample_params, jax.random.key(0), 1, split, families)


# -- by hand -------------------------------------------------------------------------------------


def refused(message, function, *arguments):
    with pytest.raises(InvalidInput) as caught:
        function(*arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def one(cubes=("red 5", "blue 2"), target: object = "ba") -> dict[str, object]:
    return {"cubes": list(cubes), "target": target}


def test_by_hand():
    bank = CubeStacking(2).params_of([one(), one(("orange 12", "red 1"), "ab")]).bank
    assert bank.color.tolist() == [[0, 1], [5, 0]]
    assert bank.size.tolist() == [[5, 2], [12, 1]]
    assert bank.target.tolist() == [[1, 0], [0, 1]]
    assert bank.family.tolist() == [BY_HAND] * 2


def test_three_cubes_by_hand_have_their_places():
    cubes = one(("red 1", "red 2", "blue 3"), "cab")
    bank = CubeStacking(3).params_of([cubes]).bank
    assert bank.target.tolist() == [[2, 0, 1]]
    assert bank.place.tolist() == [[1, 2, 0]]


def written(bank) -> list[str]:
    (stack,) = stacks(bank)
    return [f"{string.ascii_lowercase[cube]}{size}" for _, size, cube in stack]


def test_suites():
    for num_cubes, expected in (
        (8, ["e10", "f8", "g6", "a5", "b4", "c3", "d2", "h2"]),
        (11, ["a6", "g10", "b5", "h8", "c4", "i6", "d3", "j4", "e2", "k2", "f1"]),
    ):
        env = CubeStacking(num_cubes)
        bank = env.suite(f"paper-{num_cubes}").bank
        assert written(bank) == written(env.default_params.bank) == expected
        assert (env.suites[num_cubes == 11], len(env.suites)) == (f"paper-{num_cubes}", 2)
    assert is_size(next(stacks(CubeStacking(8).default_params.bank)))
    assert RULES["interleaved"](next(stacks(bank)))


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([], "instances are []; right: a list of one or more"),
        ("ab", "instances are 'ab'; right: a list"),
        (["ab"], "an instance is such as {'cubes': ['red 5', 'blue 2'], 'target': 'ba'}; found"),
        ([{"cubes": ["red 5", "red 4"]}], "found {'cubes': ['red 5', 'red 4']}"),
        ([one() | {"family": "size"}], "found {'cubes'"),
        ([one() | {"cubes": "red 5"}], "cubes are 'red 5'; right: a list such as"),
        ([one(["red 5"])], "an instance has 1 cubes; right: 2 to 12"),
        ([one(["red 5"] * 13)], "an instance has 13 cubes; right: 2 to 12"),
        ([one(["red 5", "red 12345"])], "the edge of 'red 12345' must be 1 to 12 cm"),
        ([one(["red 5", 5])], "a cube is 5; right: colour and edge in cm, such as 'red 5'"),
        ([one(["red 5", "red"])], "a cube is 'red'; right:"),
        ([one(["red 5", "red 5\n"])], "a cube is 'red 5\\n'; right:"),
        ([one(["red 5", "red -5"])], "a cube is 'red -5'; right:"),
        ([one(["red 5", "red 2.5"])], "a cube is 'red 2.5'; right:"),
        ([one(["red 5", "pink 5"])], "unknown colour 'pink'; valid: red, blue, green, yellow"),
        ([one(["red 5", "red 13"])], "the edge of 'red 13' must be 1 to 12 cm"),
        ([one(["red 5", "red 0"])], "the edge of 'red 0' must be 1 to 12 cm"),
        ([one(target="aa")], "target is 'aa'; it must hold each letter of ab once"),
        ([one(target="a")], "target is 'a'; it must hold each letter of ab once"),
        ([one(target="abc")], "target is 'abc'; it must"),
        ([one(target="AB")], "target is 'AB'; it must"),
        ([one(target=["b", "a"])], "target is ['b', 'a']; it must"),
        ([one(), one(target=12)], "target is 12; it must"),
    ],
)
def test_instances_refused(instances, message):
    refused(message, CubeStacking(2).params_of, instances)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_cubes": 1}, "num_cubes is 1; it must be 2 to 12"),
        ({"num_cubes": 13}, "num_cubes is 13; it must be 2 to 12"),
        ({"num_cubes": 2.5}, "num_cubes is 2.5; it must be a whole number"),
        ({"num_cubes": "8"}, "num_cubes is '8'; it must be a whole number"),
        ({"num_cubes": True}, "num_cubes is True; it must be a whole number"),
        ({"reward": "farm"}, "unknown reward 'farm'; valid: exact, paper"),
        ({"observation": "pixels"}, "unknown observation 'pixels'; valid: index, onehot"),
    ],
)
def test_configuration_refused(config, message):
    refused(message, lambda: CubeStacking(**config))


def test_suites_refused():
    refused("unknown suite 'paper-9'; valid: paper-8, paper-11", CubeStacking().suite, "paper-9")
    message = "an instance has 11 cubes, the environment 8; set num_cubes: 11"
    refused(message, CubeStacking().suite, "paper-11")


def test_two_cubes_are_not_split():
    with pytest.raises(InvalidInput, match="two cubes are too few to split; use 3 or more"):
        CubeStacking(2).sample_params(jax.random.key(0), 2, "train")
