"""Instances: where everything is at home, where the agent starts, and what the dish is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lprl_envs import values
from lprl_envs.banks import content_hash, draw_instance
from lprl_envs.errors import InvalidInput, require_one_of, shown
from lprl_envs.overcooked.cells import (
    CELLS,
    NUM_CELLS,
    NUM_PLACES,
    PLACES,
    access_cell,
    images_of_places,
)
from lprl_envs.overcooked.kinds import KINDS, Kind

PAPER: dict[str, dict[str, Any]] = {
    "salad": {
        "tomato": "n5",
        "lettuce": "e1",
        "onion": "e2",
        "bowl": "s5",
        "boards": ["w1", "w2"],
        "delivery": "w3",
        "start": "d1",
        "recipe": ["tomato", "lettuce"],
    },
    "tomato": {
        "tomato": "n5",
        "bowl": "s5",
        "boards": ["w1"],
        "delivery": "w3",
        "start": "d1",
        "recipe": ["tomato"],
    },
}
"""TWOSOME's kitchens (arXiv 2401.14151), which *Efficient RL with LLM Priors* plays."""
PLAN_LENGTHS = (0, 6, 10, 16)
"""Macros of a shortest plan, by how many foods the dish has, wherever everything is.

A food costs three to be chopped on a board, and one to be put in the bowl; the bowl and the
delivery cost one each. For a third food there is no free board and no free hand: the bowl is laid
down, which is one more, and taken up again.
"""


@struct.dataclass
class Kitchens:
    """A bank of M kitchens of F foods and B boards; one instance is a row of it."""

    home: jax.Array
    """i32[M, F + 1]: places of the foods and, last, of the bowl."""
    boards: jax.Array
    """i32[M, B]: places; no two have the same access cell."""
    delivery: jax.Array
    """i32[M]: a place."""
    start: jax.Array
    """i32[M]: a cell of the floor."""
    recipe: jax.Array
    """bool[M, F]: which foods make the dish; one at least."""


def recipes_of(kind: Kind) -> tuple[tuple[str, ...], ...]:
    """Every dish, by its foods: those of one food first."""
    sizes = range(1, kind.num_foods + 1)
    return tuple(dish for size in sizes for dish in itertools.combinations(kind.foods, size))


def family_of(dish: Sequence[str]) -> str:
    """The name of a dish's family, its foods in the order of the alphabet: `lettuce-tomato`."""
    return "-".join(sorted(dish))


HELD_OUT_DISH = ("lettuce", "onion")
HELD_OUT_FAMILY = family_of(HELD_OUT_DISH)


def is_of_held_out_family(kind: Kind, kitchen: Kitchens) -> jax.Array:
    """`bool[]` of one instance."""
    flags = [food in HELD_OUT_DISH for food in kind.foods]
    return jnp.all(kitchen.recipe == jnp.asarray(flags))


def random_kitchen(
    kind: Kind, recipes: Sequence[Sequence[str]]
) -> Callable[[chex.PRNGKey], Kitchens]:
    """A function from a key to a random kitchen, with one of these dishes, each as likely.

    Things are at different places, and the agent starts anywhere. Boards may have one access cell:
    such a kitchen is not fit to play (`is_fit`).
    """
    table = np.array([[food in dish for food in kind.foods] for dish in recipes], bool)

    def draw(key: chex.PRNGKey) -> Kitchens:
        key_places, key_start, key_recipe = jax.random.split(key, 3)
        places = jax.random.permutation(key_places, jnp.arange(NUM_PLACES, dtype=jnp.int32))
        things, boards = kind.num_foods + 1, kind.num_boards
        which = draw_instance(key_recipe, jnp.arange(len(table), dtype=jnp.int32))
        return Kitchens(
            home=places[:things],
            boards=places[things : things + boards],
            delivery=places[things + boards],
            start=jax.random.randint(key_start, (), 0, NUM_CELLS, jnp.int32),
            recipe=jnp.asarray(table)[which],
        )

    return draw


def is_fit(kitchen: Kitchens) -> jax.Array:
    """`bool[]` of one instance: whether its boards have different access cells."""
    cells = access_cell(kitchen.boards)
    return jnp.all(cells[:1] != cells[1:])  # of one or two boards


def kitchen_hash(kitchen: Kitchens) -> jax.Array:
    """`uint32[]` of one instance: of where things are and of the dish, not of the start.

    The same for its mirror images and turns, and whichever board is the first.
    """

    def of_image(image: jax.Array) -> jax.Array:
        places = [
            image[kitchen.home],
            jnp.sort(image[kitchen.boards]),
            image[kitchen.delivery][None],
        ]
        return content_hash(jnp.concatenate([*places, kitchen.recipe.astype(jnp.int32)]))

    hashes = jax.vmap(of_image)(jnp.asarray(images_of_places()))
    return content_hash(jnp.sum(hashes, dtype=jnp.uint32))  # in whatever order they come


# -- by hand -------------------------------------------------------------------------------------


def bank_of(kind: Kind, instances: Sequence[Any]) -> Kitchens:
    """A bank of kitchens as one writes them by hand, each such as one of `PAPER`.

    Raises:
        InvalidInput: if there are none, or one is not well-formed.
    """
    given = values.instances(instances)
    if not given:
        raise InvalidInput(f"instances are none; right: one or more such as {_form(kind)}")
    rows = [_parse(kind, one) for one in given]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


def require_dish(kind: Kind, kitchens: Kitchens, dish: tuple[str, ...]) -> None:
    """Raise InvalidInput unless all kitchens of a bank have this dish, which the wording names."""
    for recipe in np.asarray(kitchens.recipe):
        found = tuple(food for food, is_in in zip(kind.foods, recipe, strict=True) if is_in)
        if found != dish:
            raise InvalidInput(
                f"wording 'paper' names the dish {', '.join(dish)}, and a kitchen has "
                f"{', '.join(found)}; right: that dish, or wording 'full'"
            )


def _form(kind: Kind) -> dict[str, Any]:
    return next(PAPER[name] for name, other in KINDS.items() if other == kind)


def _parse(kind: Kind, instance: Any) -> Kitchens:
    """One instance."""
    form = _form(kind)
    if not isinstance(instance, dict) or set(instance) != set(form):
        raise InvalidInput(f"a kitchen is such as {form}; found {shown(instance)}")
    things = {thing: instance[thing] for thing in (*kind.foods, "bowl")}
    boards = values.sequence("boards", instance["boards"], values.anything)
    if len(boards) != kind.num_boards:
        values.refuse("boards", instance["boards"], f"it must be a list of {kind.num_boards}")
    things |= {f"boards[{b}]": board for b, board in enumerate(boards)}
    places = _places(things | {"delivery": instance["delivery"]})
    start = instance["start"]
    if start not in CELLS:
        values.refuse("start", start, "it must be a cell of the floor, a1 to e5")
    kitchen = Kitchens(
        home=jnp.asarray(places[: kind.num_foods + 1], jnp.int32),
        boards=jnp.asarray(places[kind.num_foods + 1 : -1], jnp.int32),
        delivery=jnp.int32(places[-1]),
        start=jnp.int32(CELLS.index(start)),
        recipe=_recipe(kind, instance["recipe"]),
    )
    if not is_fit(kitchen):
        names, cell = " and ".join(boards), CELLS[int(access_cell(kitchen.boards)[0])]
        raise InvalidInput(f"boards {names} have one access cell, {cell}; right: a cell each")
    return kitchen


def _places(things: dict[str, Any]) -> list[int]:
    """The places of things, by name."""
    taken: dict[str, str] = {}
    for thing, place in things.items():
        if place not in PLACES:
            right = "n1 to n5, e1 to e5, s1 to s5 or w1 to w5; a corner has no cell before it"
            values.refuse(thing, place, f"it must be a place on the counter, {right}")
        if place in taken:
            raise InvalidInput(f"{taken[place]} and {thing} are both at {place}; right: one thing")
        taken[place] = thing
    return [PLACES.index(place) for place in things.values()]


def _recipe(kind: Kind, found: Any) -> jax.Array:
    """`bool[F]`"""
    foods = values.sequence("recipe", found, values.text)
    for food in foods:
        require_one_of("food in the recipe", food, kind.foods)
    if not foods or len(set(foods)) < len(foods):
        values.refuse(
            "recipe", found, f"it must be one or more of {', '.join(kind.foods)}, once each"
        )
    return jnp.asarray([food in foods for food in kind.foods], bool)
