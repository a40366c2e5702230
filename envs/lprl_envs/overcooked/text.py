"""How a kitchen reads, in two wordings, and its numbers for a network.

`paper` tells what the agent sees: TWOSOME's sentences (arXiv 2401.14151). States read alike where
what differs is out of view. `full` tells everything: the same sentences of whatever is in the
kitchen, and where everything is at home, what the dish is, where the agent stands.

Each sentence is a slot, with the blank before it; one that is left out is an empty value.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from lprl_envs.overcooked.cells import (
    CELLS,
    NUM_CELLS,
    NUM_PLACES,
    PLACES,
    access_cell,
    sees,
    spot_of_cell,
    spot_of_place,
)
from lprl_envs.overcooked.kinds import Kind
from lprl_envs.overcooked.kitchens import Kitchens, recipes_of
from lprl_envs.overcooked.rules import HELD, HOME, IN_BOWL, ON_BOARD
from lprl_envs.overcooked.states import NUM_BOWL_WHERE, NUM_FOOD_WHERE, EnvState
from lprl_envs.overcooked.wordings import NTH
from lprl_envs.template import Literal, Scope, Slot, Template

WORDINGS = ("full", "paper")


def _listed(things: Sequence[str]) -> str:
    """One, or "a and b", or "a, b and c"."""
    return " and ".join(filter(None, (", ".join(things[:-1]), things[-1])))


def _an(thing: str) -> str:
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def _subsets(things: Sequence[str]) -> list[tuple[str, ...]]:
    """All of them; of the number's bits the lowest is the first thing."""
    return [
        tuple(thing for i, thing in enumerate(things) if number >> i & 1)
        for number in range(1 << len(things))
    ]


def _carried(foods: Sequence[str], contents: Sequence[str]) -> list[str]:
    """What may be in a hand or on a board: unchopped, chopped, the bowl, the bowl with contents."""
    alone = [f"{state} {food}" for state in ("an unchopped", "a chopped") for food in foods]
    return [*alone, "a bowl", *(f"a bowl containing {content}" for content in contents)]


@functools.cache
def template_of(kind: Kind, wording: str, dish: tuple[str, ...]) -> Template:
    """The wording of a kind of kitchen; `slots_of` fills it.

    Args:
        kind: The kind of kitchen.
        wording: One of WORDINGS.
        dish: Of `paper`, which names it at its end.
    """
    foods, nths = kind.foods, NTH[kind.num_boards]
    chopped = [f"chopped {_listed(some)}" for some in _subsets(foods)[1:]]
    notices = [
        f" You notice {_listed(list(map(_an, some)))} on the {where}."
        for some in _subsets((*foods, "bowl"))[1:]
        for where in ("table" if len(some) == 1 else "different tables",)
    ]
    on_board = chopped if len(foods) > 1 else [f"a {content}" for content in chopped]
    segments: list[Literal | Slot] = [Literal(_static(kind))]
    if wording == "full":
        segments += _instance(kind)
    segments.append(Slot("notice", ("", *notices)))
    for b, nth in enumerate(nths):
        lying = [
            f" {thing[0].upper()}{thing[1:]} is on the {nth}cutting board."
            for thing in _carried(foods, on_board)
        ]
        segments.append(Slot(f"board {b}", ("", *lying)))
    segments.append(Slot("hand", _hand(nths, _carried(foods, chopped))))
    if wording == "full":
        cells = Slot("cell", tuple(f" {cell}" for cell in CELLS))
        segments += [Literal(" You are at", Scope.STATE), cells, Literal(".", Scope.STATE)]
        asked = "the dish"
    else:
        asked = f"the dish of a bowl only containing chopped {_listed(dish)}"
    segments.append(Literal(f" To serve {asked}, you should first", Scope.STATE))
    return Template(tuple(segments))


def _static(kind: Kind) -> str:
    if kind.num_boards == 1:
        return "There is a fixed cutting board in the room."
    return "There are two fixed cutting boards in the room."


def _instance(kind: Kind) -> list[Literal | Slot]:
    """Where things are at home, and what the dish is."""
    places = tuple(f" {place}" for place in PLACES)
    boards = ["board"] if kind.num_boards == 1 else ["boards", "and"]
    words = [*kind.foods, "bowl", *boards, "delivery"]
    segments: list[Literal | Slot] = []
    for i, word in enumerate(words):
        lead = " Tomato" if i == 0 else f" {word}" if word == "and" else f", {word}"
        segments.append(Literal(lead, Scope.INSTANCE))
        segments.append(Slot(f"home {i}", places, Scope.INSTANCE))
    dishes = tuple(f" {_listed(dish)}" for dish in recipes_of(kind))
    return [
        *segments,
        Literal(". The dish is a bowl only containing chopped", Scope.INSTANCE),
        Slot("dish", dishes, Scope.INSTANCE),
        Literal(".", Scope.INSTANCE),
    ]


def _hand(nths: Sequence[str], things: Sequence[str]) -> tuple[str, ...]:
    """Away from the boards, then before each: with nothing in hand, or with one of the things."""
    away = [" Currently you don't have anything in hand."]
    for thing in things:
        ends = "." if "containing" in thing else " in hand."
        away.append(f" Currently you are carrying {thing}{ends}")
    before = [
        f" Currently you are standing in front of the {nth}cutting board{ends}"
        for nth in nths
        for ends in (
            " without anything in hand.",
            *(f", carrying {thing} in hand." for thing in things),
        )
    ]
    return (*away, *before)


def slots_of(kind: Kind, wording: str, state: EnvState, kitchen: Kitchens, view: int) -> jax.Array:
    """`i32[num_slots]`: values of `template_of`.

    Args:
        kind: The kind of kitchen.
        wording: One of WORDINGS.
        state: A state.
        kitchen: Its instance, without M.
        view: How many rows and columns away what is told may be.
    """
    foods, boards = range(kind.num_foods), range(kind.num_boards)
    spot = spot_of_cell(state.agent)
    at_home = jnp.append(state.where, state.bowl) == HOME
    near = jax.vmap(lambda place: sees(spot, spot_of_place(place), view))
    notice = _number(at_home & near(kitchen.home))
    content = _number(state.where == IN_BOWL)

    def thing_at(place: int) -> jax.Array:
        """0 for nothing, else 1 and on: what is held or lies on a board, as `_carried` lists."""
        which = jnp.where(state.bowl == place, 1 + 2 * kind.num_foods + content, 0)
        for f in foods:
            food = 1 + f + kind.num_foods * state.chopped[f]
            which = jnp.where(state.where[f] == place, food, which)
        return which

    is_seen = near(kitchen.boards)
    lying = [jnp.where(is_seen[b], thing_at(ON_BOARD + b), 0) for b in boards]
    before = jnp.int32(0)
    for b in boards:
        before = jnp.where(state.agent == access_cell(kitchen.boards[b]), 1 + b, before)
    num_things = 1 + 2 * kind.num_foods + (1 << kind.num_foods)
    told = [notice, *lying, before * num_things + thing_at(HELD)]
    if wording == "full":
        dish = jnp.asarray(_dish_numbers(kind))[_number(kitchen.recipe)]
        homes = [*kitchen.home, *kitchen.boards, kitchen.delivery]
        told = [*homes, dish, *told, state.agent]
    return jnp.stack(told).astype(jnp.int32)


def _dish_numbers(kind: Kind) -> list[int]:
    """The place of each subset of the foods among `recipes_of`; of none, 0."""
    dishes = recipes_of(kind)
    return [0, *(dishes.index(some) for some in _subsets(kind.foods)[1:])]


def _number(flags: jax.Array) -> jax.Array:
    """`i32[]`: of `bool[n]`, the first being the lowest bit."""
    bits = jnp.asarray([1 << i for i in range(flags.shape[0])], jnp.int32)
    return jnp.sum(flags * bits, dtype=jnp.int32)


def num_features(kind: Kind) -> int:
    """Length of `features_of`."""
    homes = kind.num_foods + 1 + kind.num_boards + 1
    a_food = NUM_FOOD_WHERE + 2
    return NUM_CELLS + kind.num_foods * a_food + NUM_BOWL_WHERE + homes * NUM_PLACES


def features_of(state: EnvState, kitchen: Kitchens) -> jax.Array:
    """`f32[num_features]`, 0 or 1.

    One-hot: the agent's cell, where each food is; chopped; one-hot: where the bowl is; the recipe;
    one-hot: the places of foods, bowl, boards, delivery.
    """
    hot = functools.partial(jax.nn.one_hot, dtype=jnp.float32)
    homes = jnp.concatenate([kitchen.home, kitchen.boards, kitchen.delivery[None]])
    parts = [
        hot(state.agent, NUM_CELLS),
        hot(state.where, NUM_FOOD_WHERE).ravel(),
        state.chopped,
        hot(state.bowl, NUM_BOWL_WHERE),
        kitchen.recipe,
        hot(homes, NUM_PLACES).ravel(),
    ]
    return jnp.concatenate(parts, dtype=jnp.float32)
