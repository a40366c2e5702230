"""The cubes of cube stacking: given by hand, drawn at random in the graph, gathered in a bank.

A pattern is an order of the cubes, bottom first. Random ones are of five families:

* `size`: the largest cube first.
* `alternating`: two colours in turn, each colour's cubes in the order of their letters.
* `interleaved`: two colours in turn, each colour's largest cube first.
* `color-then-size`: one colour, then the other, each with its largest cube first.
* `periodic`: three colours in turn, each colour's largest cube first.

Cubes that a rule leaves equal follow their letters. `periodic` is held out: it goes on where
`interleaved` stops, so that it asks whether a rule was understood and not remembered, and its three
colours show that it is none of the others (from three cubes on).
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lprl_envs.banks import draw_instance
from lprl_envs.errors import InvalidInput, require_one_of, shown

COLORS: tuple[str, ...] = ("red", "blue", "green", "yellow", "purple", "orange")
LARGEST = 12
"""Edges are 1 to so many cm."""
MOST_CUBES = 12
"""An instance has 2 to so many."""
FAMILIES = ("size", "alternating", "interleaved", "color-then-size", "periodic")
SIZE, ALTERNATING, INTERLEAVED, COLOR_THEN_SIZE, PERIODIC = range(len(FAMILIES))
BY_HAND = -1
"""In the place of a family."""

PRESETS = {
    "paper-8": {
        "cubes": [
            *("red 5", "red 4", "red 3", "red 2"),
            *("blue 10", "blue 8", "blue 6", "blue 2"),
        ],
        "target": "efgabcdh",
    },
    "paper-11": {
        "cubes": [
            *("red 6", "red 5", "red 4", "red 3", "red 2", "red 1"),
            *("blue 10", "blue 8", "blue 6", "blue 4", "blue 2"),
        ],
        "target": "agbhcidjekf",
    },
}
"""The stacks of LaGR (arXiv 2308.13542). Its 8 cubes are as published; of the 11 only the idea is,
two groups interleaved, each descending in size: their colours and edges are ours, and so are the
letters. The authors' target reads fkejdichbga, in letters that run the other way."""


@struct.dataclass
class Cubes:
    """A bank of M instances of n cubes."""

    color: jax.Array
    """i32[M, n]: index into COLORS."""
    size: jax.Array
    """i32[M, n]: edge in cm, 1 to LARGEST."""
    target: jax.Array
    """i32[M, n]: the cubes from the bottom to the top."""
    place: jax.Array
    """i32[M, n]: where in the target a cube stands, 0 at the bottom: the inverse of `target`."""
    family: jax.Array
    """i32[M]: index into FAMILIES, or BY_HAND."""


def random_cubes(num_cubes: int, families: Sequence[int]) -> Callable[[chex.PRNGKey], Cubes]:
    """A function from a key to a random instance of one of the families, each as likely.

    The colours are of equal number, or as near as can be. Every edge is in the box twice.
    """

    def draw(key: chex.PRNGKey) -> Cubes:
        key_family, key_color, key_group, key_size = jax.random.split(key, 4)
        family = draw_instance(key_family, jnp.array(families, jnp.int32))
        num_groups = jnp.where(family == PERIODIC, 3, 2)
        group = jax.random.permutation(key_group, num_cubes) % num_groups
        box = jnp.repeat(jnp.arange(1, LARGEST + 1, dtype=jnp.int32), 2)
        size = jax.random.permutation(key_size, box)[:num_cubes]
        place = _places(family, group, size, num_groups)
        color = jax.random.permutation(key_color, len(COLORS))[group].astype(jnp.int32)
        return Cubes(color, size, _inverse(place), place, family)

    return draw


def _places(
    family: jax.Array, group: jax.Array, size: jax.Array, num_groups: jax.Array
) -> jax.Array:
    """`i32[n]`: where a family's pattern puts each cube; group 0 begins."""
    edge = jnp.where(family == ALTERNATING, 0, size)
    letter = jnp.arange(len(size), dtype=jnp.int32)
    larger = edge[:, None] > edge[None]
    before = larger | ((edge[:, None] == edge[None]) & (letter[:, None] < letter[None]))
    among_all = jnp.sum(before, 0)
    in_group = jnp.sum(before & (group[:, None] == group[None]), 0)
    earlier_groups = jnp.sum(group[:, None] < group[None], 0)
    in_turn = in_group * num_groups + group
    place = jnp.where(family == COLOR_THEN_SIZE, earlier_groups + in_group, in_turn)
    return jnp.where(family == SIZE, among_all, place).astype(jnp.int32)


def _inverse(order: jax.Array) -> jax.Array:
    """`i32[n]`: the inverse of a permutation `i32[n]`."""
    return jnp.zeros_like(order).at[order].set(jnp.arange(len(order), dtype=jnp.int32))


def counts_of(cubes: Cubes) -> jax.Array:
    """`i32[6, 12]` of one instance: how many cubes there are of each colour and edge."""
    counts = jnp.zeros((len(COLORS), LARGEST), jnp.int32)
    return counts.at[cubes.color, cubes.size - 1].add(1)


def features_of(cubes: Cubes, height: jax.Array) -> jax.Array:
    """`f32[n * (7 + n)]` of one instance, with the first `height` cubes of its target stacked.

    Of each cube its colour as one-hot, its edge / 12, and its place in the stack as one-hot.
    """
    color = jax.nn.one_hot(cubes.color, len(COLORS), dtype=jnp.float32)
    size = cubes.size[:, None].astype(jnp.float32) / LARGEST
    stacked = jnp.where(cubes.place < height, cubes.place, -1)  # -1 is a row of zeros
    place = jax.nn.one_hot(stacked, len(cubes.place), dtype=jnp.float32)
    return jnp.concatenate([color, size, place], axis=1).ravel()


def bank_of(instances: Sequence[Any], num_cubes: int) -> Cubes:
    """A bank of instances as one writes them by hand.

    Args:
        instances: Each as `{"cubes": ["red 5", "blue 2"], "target": "ba"}`: colour and edge in cm
            of the cubes a, b, ..., and their letters from the bottom to the top.
        num_cubes: n.

    Raises:
        InvalidInput: if there are none, or one is not well-formed.
    """
    if not isinstance(instances, list | tuple) or not instances:
        raise InvalidInput(f"instances are {shown(instances)}; right: a list of one or more")
    color, size, target = np.stack([_parse(one, num_cubes) for one in instances], axis=1)
    return Cubes(
        color=jnp.asarray(color),
        size=jnp.asarray(size),
        target=jnp.asarray(target),
        place=jnp.asarray(np.argsort(target, axis=1).astype(np.int32)),
        family=jnp.full(len(instances), BY_HAND, jnp.int32),
    )


def _parse(instance: Any, num_cubes: int) -> np.ndarray:
    """`i32[3, n]`: colours, sizes and target of one instance."""
    if not isinstance(instance, dict) or set(instance) != {"cubes", "target"}:
        right = {"cubes": ["red 5", "blue 2"], "target": "ba"}
        raise InvalidInput(f"an instance is such as {right}; found {shown(instance)}")
    cubes, target = instance["cubes"], instance["target"]
    if not isinstance(cubes, list | tuple):
        raise InvalidInput(f"cubes are {shown(cubes)}; right: a list such as ['red 5', 'blue 2']")
    if not 2 <= len(cubes) <= MOST_CUBES:
        raise InvalidInput(f"an instance has {len(cubes)} cubes; right: 2 to {MOST_CUBES}")
    if len(cubes) != num_cubes:
        found = f"an instance has {len(cubes)} cubes, the environment {num_cubes}"
        raise InvalidInput(f"{found}; set num_cubes: {len(cubes)}")
    letters = string.ascii_lowercase[:num_cubes]
    if not isinstance(target, str) or sorted(target) != list(letters):
        raise InvalidInput(f"target is {shown(target)}; it must hold each letter of {letters} once")
    color, size = zip(*map(_parse_cube, cubes), strict=True)
    return np.array([color, size, [letters.index(cube) for cube in target]], np.int32)


def _parse_cube(cube: Any) -> tuple[int, int]:
    match = re.fullmatch(r"(\w+) ([0-9]{1,9})", cube) if isinstance(cube, str) else None
    if match is None:
        raise InvalidInput(
            f"a cube is {shown(cube)}; right: colour and edge in cm, such as 'red 5'"
        )
    require_one_of("colour", match[1], COLORS)
    if not 1 <= int(match[2]) <= LARGEST:
        raise InvalidInput(f"the edge of {cube!r} must be 1 to {LARGEST} cm")
    return COLORS.index(match[1]), int(match[2])
