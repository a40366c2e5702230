"""How a state reads: the goal, the receptacles there are, and what the agent remembers.

Nothing is told that was not seen: of a receptacle that was not looked at, not what is in or on it;
of a cabinet that was not visited, not whether it opens. So it is no history, but what is known by
it. Where something lies reads "in" of types that open and "on" of others.

A separator belongs to the value behind it, so that a slot says where in its list a thing stands.
Values end in a letter or a digit: some tokenizers join a mark to the line break behind it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.household.kits import (
    CLEAN,
    COOL,
    HEAT,
    LAMP,
    LIGHT,
    PICK,
    TASKS,
    TWO,
    Kit,
    kit_of,
)
from lprl_envs.household.states import EnvParams, EnvState, Rooms
from lprl_envs.template import Literal, Scope, Slot, Template

_OPENINGS = {
    PICK: (" put a", " put some"),
    CLEAN: (" put a clean", " clean some"),
    HEAT: (" put a hot", " heat some"),
    COOL: (" put a cool", " cool some"),
    TWO: (" put two", " find two"),
    LIGHT: (" look at", " examine the"),
}
"""Of a goal, by task, in two wordings."""
_JOINS = {
    PICK: (" in", " on"),
    CLEAN: (" in", " and put it in"),
    HEAT: (" in", " and put it in"),
    COOL: (" in", " and put it in"),
    TWO: (" in", " and put them in"),
    LIGHT: (" under the", " with the"),
}
"""Between the goal's object and its place."""
_ALL_OPENINGS = tuple(text for task in range(len(TASKS)) for text in _OPENINGS[task])
_ALL_JOINS = tuple(dict.fromkeys(text for pair in _JOINS.values() for text in pair))
_JOIN_OF = np.array(
    [[_ALL_JOINS.index(text) for text in _JOINS[task]] for task in range(len(TASKS))], np.int32
)
_FIRST, _MIDDLE, _LAST = 1, 2, 3
"""Where in a list a thing stands; 0 where it is in none."""
_FLAGS = ("", ", clean", ", hot", ", clean and hot", ", cold", ", clean and cold")
"""By 2 * temperature + clean."""
_LIT = ("", "\n {} on {}", "\n {} on {}, turned on")


def _items(names: Sequence[str], what: str, scope: Scope = Scope.STATE) -> list[Slot]:
    """Slots of "a x, a y, and a z"."""
    return [
        Slot(f"{what} {name}", ("", f" a {name}", f", a {name}", f", and a {name}"), scope)
        for name in names
    ]


def _plain(names: Sequence[str], what: str) -> list[Slot]:
    """Slots of "x, y, z"."""
    slots = [Slot(f"{what} {name}", ("", f" {name}", f", {name}")) for name in names]
    return [*slots, Slot(f"{what} nothing", ("", " nothing"))]


def _places(kit: Kit) -> tuple[str, ...]:
    """Of the slot that says where the agent is: the middle, then each receptacle's."""
    texts = [" in the middle of the room"]
    for name, may_open in zip(kit.receptacles, kit.may_open, strict=True):
        texts.append(f" at {name}. On the {name}, you see")
        if may_open:
            texts.append(f" at {name}. The {name} is closed")
            texts.append(f" at {name}. The {name} is open. In it, you see")
    return tuple(texts)


def _flags_of(kit: Kit, o: int) -> tuple[int, ...]:
    """Which of `_FLAGS` an object can have."""
    clean, hot, cold = (bool(kit.able[task, o]) for task in (CLEAN, HEAT, COOL))
    can = (True, clean, hot, hot and clean, cold, cold and clean)
    return tuple(i for i, holds in enumerate(can) if holds)


@functools.cache
def listing(room: str) -> tuple[str, ...]:
    """What can be seen in or on receptacles, alphabetical: the objects, and the lamp."""
    kit = kit_of(room)
    return tuple(sorted([*kit.objects, *[LAMP] * kit.has_lamp]))


@functools.cache
def template_of(room: str) -> Template:
    """The wording of a room; `slots_of` fills it."""
    kit = kit_of(room)
    known = []
    for o, name in enumerate(kit.objects):
        lies = [
            f"\n {name} {'in' if may_open else 'on'} {place}"
            for place, takes, may_open in zip(
                kit.receptacles, kit.contains[o], kit.may_open, strict=True
            )
            if takes
        ]
        known.append(Slot(f"known {name}", ("", *lies)))
        flags = [_FLAGS[i] for i in _flags_of(kit, o)]
        if len(flags) > 1:
            known.append(Slot(f"flags {name}", tuple(flags)))
    if kit.has_lamp:
        stands = [r for r, may in zip(kit.receptacles, kit.lamp_places, strict=True) if may]
        lit = [text.format(LAMP, place) for place in stands for text in _LIT[1:]]
        known.append(Slot("known lamp", ("", *lit)))
    opens = [r for r, may in zip(kit.receptacles, kit.may_open, strict=True) if may]
    held = (" nothing", *(f" the {name}" for name in kit.objects))

    def blank(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(f" {name}" for name in names)

    return Template(
        (
            Literal("You are in a room of a house. You can carry one thing.\nYour task is to"),
            Slot("goal opening", _ALL_OPENINGS, Scope.INSTANCE),
            Slot("goal object", blank(kit.object_types), Scope.INSTANCE),
            Slot("goal join", _ALL_JOINS, Scope.INSTANCE),
            Slot("goal place", blank(kit.place_types), Scope.INSTANCE),
            Literal(".\nIn the room are", Scope.INSTANCE),
            *_items(kit.receptacles, "there", Scope.INSTANCE),
            Literal(".\nYou are", Scope.STATE),
            Slot("place", _places(kit)),
            *_items(listing(room), "here"),
            Slot("here nothing", ("", " nothing")),
            Literal(".\nYou carry", Scope.STATE),
            Slot("held", held),
            Slot("held flags", _FLAGS),
            Literal(".\nYou know of", Scope.STATE),
            Slot("known nothing", ("", " nothing")),
            *known,
            Literal("\nLeft to look at", Scope.STATE),
            *_plain(kit.receptacles, "unseen"),
            Literal("\nStanding open", Scope.STATE),
            *_plain(opens, "open"),
            Literal("\n>", Scope.STATE),
        )
    )


@functools.cache
def _tables(room: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The first value of "place" of each receptacle; of "known", by receptacle; of flags; of lamp.

    `i32[R]`, `i32[O, R + 2]`, `i32[O, 6]`, `i32[R]`.
    """
    kit = kit_of(room)
    first = 1 + np.concatenate([[0], np.cumsum(1 + 2 * kit.may_open)[:-1]])
    ranks = np.where(kit.contains, np.cumsum(kit.contains, axis=1), 0)
    known = np.pad(ranks, [(0, 0), (0, 2)])
    flags = np.zeros((kit.num_objects, len(_FLAGS)), int)
    for o in range(kit.num_objects):
        can = _flags_of(kit, o)
        flags[o, list(can)] = range(len(can))
    lamp = np.where(kit.lamp_places, 2 * np.cumsum(kit.lamp_places) - 1, 0)
    return tuple(x.astype(np.int32) for x in (first, known, flags, lamp))  # type: ignore[return-value]


def known_objects(kit: Kit, state: EnvState) -> jax.Array:
    """`bool[O]`: which objects the agent knows of, the one in its hand among them."""
    places = jnp.append(state.seen, jnp.array([True, False]))
    return places[state.where]


def lamp_is_known(room: Rooms, state: EnvState) -> jax.Array:
    """`bool[]`: whether the lamp was seen."""
    return (room.lamp >= 0) & state.seen[jnp.maximum(room.lamp, 0)]


def is_closed_here(room: Rooms, state: EnvState) -> jax.Array:
    """`bool[]`: whether the agent stands before something closed."""
    r = jnp.maximum(state.at - 1, 0)
    return (state.at > 0) & room.openable[r] & ~state.open[r]


def goal_slots(room: Rooms) -> jax.Array:
    """`i32[4]`: opening, object, join, place."""
    opening = 2 * room.task + room.phrasing
    join = jnp.asarray(_JOIN_OF)[room.task, room.phrasing]
    return jnp.stack([opening, room.goal_object, join, room.goal_place]).astype(jnp.int32)


def goal_of(kit: Kit, state: EnvState, params: EnvParams) -> str:
    """The goal in words, on the host: `"put a clean apple in countertop"`."""
    row = jax.tree.map(lambda leaf: leaf[state.instance], params.bank)
    slots = template_of(kit.room).slots[:4]
    chosen = zip(slots, goal_slots(row).tolist(), strict=True)
    return "".join(slot.values[i] for slot, i in chosen).strip()


def slots_of(kit: Kit, room: Rooms, state: EnvState) -> jax.Array:
    """`i32[num_slots]`: values of the template, of an instance and one of its states."""
    place_first, known_rank, flag_rank, lamp_rank = map(jnp.asarray, _tables(kit.room))
    r = jnp.maximum(state.at - 1, 0)
    closed, there = is_closed_here(room, state), state.at > 0
    look = jnp.where(closed, 1, jnp.where(room.openable[r], 2, 0))
    place = jnp.where(there, place_first[r] + look, 0)

    shows = there & ~closed
    here = shows & (state.where == r)
    if kit.has_lamp:
        order = np.argsort([*kit.objects, LAMP])
        here = jnp.append(here, shows & (room.lamp == r))[order]
    is_held = state.where == kit.hand
    flags = 2 * state.temperature + state.clean
    known = known_objects(kit, state) & ~is_held
    lies = jnp.where(known, known_rank[jnp.arange(kit.num_objects), state.where], 0)
    marks = jnp.where(known, flag_rank[jnp.arange(kit.num_objects), flags], 0)
    lamp_known = lamp_is_known(room, state)
    lamp = jnp.where(lamp_known, lamp_rank[jnp.maximum(room.lamp, 0)] + state.lit, 0)
    can_be = np.array([len(_flags_of(kit, o)) > 1 for o in range(kit.num_objects)])
    both = jnp.stack([lies, marks], axis=1).ravel()
    both = both[np.flatnonzero(np.stack([np.ones_like(can_be), can_be], axis=1).ravel())]
    unseen = room.present & ~state.seen
    parts = [
        goal_slots(room),
        _listed(room.present),
        place[None],
        _listed(here),
        (shows & ~jnp.any(here))[None],
        jnp.max(jnp.where(is_held, jnp.arange(1, kit.num_objects + 1), 0))[None],
        jnp.max(jnp.where(is_held, flags, 0))[None],
        (~(jnp.any(known) | lamp_known))[None],
        both,
        *([lamp[None]] if kit.has_lamp else []),
        *_plainly(unseen),
        *_plainly(state.open[np.flatnonzero(kit.may_open)]),
    ]
    return jnp.concatenate(parts, dtype=jnp.int32)


def _listed(mask: jax.Array) -> jax.Array:
    """`i32[n]`: where in the list each thing stands."""
    first = mask & (jnp.cumsum(mask) == 1)
    last = mask & (jnp.cumsum(mask[::-1])[::-1] == 1)
    return jnp.where(first, _FIRST, jnp.where(last, _LAST, jnp.where(mask, _MIDDLE, 0)))


def _plainly(mask: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`i32[n]` and `i32[1]`: the same of a list without an end, and whether it is empty."""
    return jnp.minimum(_listed(mask), _MIDDLE), (~jnp.any(mask))[None]


def num_features(kit: Kit) -> int:
    """Length of `features_of`."""
    r, o, lamp = kit.num_receptacles, kit.num_objects, kit.has_lamp
    place = (r + 1) + o * (r + 1) + lamp * (r + 1)
    flags = 3 * r + 3 * o + 1
    return place + flags + len(TASKS) + len(kit.object_types) + len(kit.place_types)


def features_of(kit: Kit, room: Rooms, state: EnvState) -> jax.Array:
    """`f32[num_features]`, each 0 or 1.

    One-hots of where the agent is and of where each known object is, a receptacle or the hand (all
    0 while unknown); with a lamp, of where it is known to stand, and whether it is lit; open, seen
    and present receptacles; clean, hot and cold objects; whether what is here is closed; one-hots
    of the task and of the goal's types.
    """
    one_hot = functools.partial(jax.nn.one_hot, dtype=jnp.float32)
    known = known_objects(kit, state)[:, None]
    where = one_hot(state.where, kit.num_receptacles + 1) * known
    stands = jnp.where(lamp_is_known(room, state), room.lamp, -1)
    lamp = [one_hot(stands, kit.num_receptacles), state.lit[None]] if kit.has_lamp else []
    parts = [
        one_hot(state.at, kit.num_receptacles + 1),
        where.ravel(),
        *lamp,
        state.open,
        state.seen,
        room.present,
        state.clean,
        state.temperature == 1,
        state.temperature == 2,
        is_closed_here(room, state)[None],
        one_hot(room.task, len(TASKS)),
        one_hot(room.goal_object, len(kit.object_types)),
        one_hot(room.goal_place, len(kit.place_types)),
    ]
    return jnp.concatenate(parts, dtype=jnp.float32)
