"""The law: what is legal, what it does, and when the goal holds.

Pure functions of a kit's constants, one instance (a row of `Rooms`) and one state. Nothing is
searched for: what an action needs is looked up by its object and its receptacle.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.household.kits import CLEAN, COOL, HEAT, KINDS, LIGHT, TWO, Actions, Kit
from lprl_envs.household.states import COLD, HOT, EnvState, Rooms

Legal = Callable[[jax.Array, jax.Array], jax.Array]
"""Of objects and receptacles, `i32[...]` each, to `bool[...]`."""


def _conditions(kit: Kit, room: Rooms, state: EnvState) -> dict[str, Legal]:
    """When each kind of action is legal, but for what the kit's constants decide."""
    is_empty = ~jnp.any(state.where == kit.hand)
    shows = state.open | ~room.openable

    def here(r: jax.Array) -> jax.Array:
        return state.at == r + 1

    def held(o: jax.Array) -> jax.Array:
        return state.where[o] == kit.hand

    def always(o: jax.Array, r: jax.Array) -> jax.Array:
        return jnp.ones(jnp.broadcast_shapes(jnp.shape(o), jnp.shape(r)), bool)

    def worked(o: jax.Array, r: jax.Array) -> jax.Array:
        return here(r) & held(o)

    return {
        "go": lambda o, r: room.present[r] & ~here(r),
        "open": lambda o, r: here(r) & room.openable[r] & ~state.open[r],
        "close": lambda o, r: here(r) & room.openable[r] & state.open[r],
        "take": lambda o, r: here(r) & shows[r] & (state.where[o] == r) & is_empty,
        "move": lambda o, r: here(r) & shows[r] & held(o),
        "clean": worked,
        "heat": worked,
        "cool": worked,
        "use": lambda o, r: jnp.broadcast_to((room.lamp >= 0) & here(room.lamp), jnp.shape(o)),
        "look": always,
        "inventory": always,
        "help": always,
        "examine_place": lambda o, r: here(r),
        "examine_object": lambda o, r: held(o),
    }


def legal_mask(kit: Kit, actions: Actions, room: Rooms, state: EnvState) -> jax.Array:
    """`bool[A]`: which actions are legal."""
    conditions, parts = _conditions(kit, room, state), []
    for kind, name in enumerate(KINDS):
        these = actions.of_kind(kind)
        if these.stop > these.start:
            found = (jnp.asarray(part[these]) for part in (actions.thing, actions.place))
            parts.append(conditions[name](*found))
    return jnp.concatenate(parts)


def act(
    kit: Kit, actions: Actions, room: Rooms, state: EnvState, action: jax.Array
) -> tuple[EnvState, jax.Array]:
    """The state after an action, and whether that was legal; if not, nothing changes."""
    kind, o, r = (jnp.asarray(x)[action] for x in (actions.kind, actions.thing, actions.place))
    conditions = _conditions(kit, room, state)
    legal = jnp.bool_(False)
    for number, name in enumerate(KINDS):
        if number <= actions.kind[-1]:
            legal |= (kind == number) & conditions[name](o, r)

    def does(*names: str) -> jax.Array:
        found = jnp.bool_(False)
        for name in names:
            found |= kind == KINDS.index(name)
        return found & legal

    place = jnp.arange(kit.num_receptacles, dtype=jnp.int32) == r
    thing = jnp.arange(kit.num_objects, dtype=jnp.int32) == o
    shows = does("open") | (does("go") & (state.open[r] | ~room.openable[r]))
    target = jnp.where(does("take"), kit.hand, r)
    temperature = jnp.where(does("heat"), HOT, COLD)
    after = dataclasses.replace(
        state,
        at=jnp.where(does("go"), r + 1, state.at),
        where=jnp.where(thing & does("take", "move"), target, state.where),
        open=jnp.where(place & does("open", "close"), does("open"), state.open),
        seen=state.seen | (place & shows),
        clean=state.clean | (thing & does("clean")),
        temperature=jnp.where(thing & does("heat", "cool"), temperature, state.temperature),
        lit=state.lit | does("use"),
    )
    return after, legal


def has_property(task: jax.Array, state: EnvState) -> jax.Array:
    """`bool[O]`: whether each object is what the task asks: clean, hot or cold; else True."""
    return (
        ((task != CLEAN) | state.clean)
        & ((task != HEAT) | (state.temperature == HOT))
        & ((task != COOL) | (state.temperature == COLD))
    )


def is_reached(kit: Kit, room: Rooms, state: EnvState) -> jax.Array:
    """`bool[]`: whether the goal holds.

    It speaks of types: some object of one, or two different ones, in one receptacle of a type; of
    the lamp, an object of the type in the hand of whoever is where the lit lamp is.
    """
    fits = (jnp.asarray(kit.type_of) == room.goal_object) & has_property(room.task, state)
    # A bit a receptacle: whole rows of objects are looked up at once.
    is_place = jnp.asarray(_bits_of_types(kit))[room.goal_place]
    where = state.where.astype(jnp.uint32)
    placed = fits & ((is_place >> where) & 1).astype(bool)
    used = jax.lax.reduce_or(jnp.where(placed, jnp.uint32(1) << where, jnp.uint32(0)), (0,))
    count = jnp.sum(placed, dtype=jnp.uint32)
    # More objects than receptacles with one: two are in the same.
    enough = jnp.where(room.task == TWO, count > jax.lax.population_count(used), count >= 1)
    held = jnp.any(fits & (state.where == kit.hand))
    under_lamp = state.lit & (room.lamp >= 0) & (state.at == room.lamp + 1)
    return jnp.where(room.task == LIGHT, held & under_lamp, enough)


@functools.cache
def _bits_of_types(kit: Kit) -> np.ndarray:
    """u32[P]: for each type of places the receptacles of it, a bit each."""
    bits = [
        [1 << r for r in np.flatnonzero(kit.place_of == p)] for p in range(len(kit.place_types))
    ]
    return np.array([sum(found) for found in bits], np.uint32)
