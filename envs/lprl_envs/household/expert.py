"""What to do next for whoever knows only what was seen: the demonstrator of the embedded model.

With a plan at hand, it is followed: a shortest one, in the room as it is known. There what was not
seen is not, and what neither stands open nor is here is closed if its kind can be: the text tells
of no other whether it opens. Of two objects that are asked for, one that is known is brought before
the other is looked for.

Without one, what lacks is searched for, an object of the goal's type or the lamp, where it can be
and was not yet looked for. In a room as they are drawn each such place is as likely, but for the
goal's own places and the station, where the goal's type never lies. So what costs fewest actions
comes first: what cannot be closed, one; a cabinet or drawer, which may be, between one and two;
what is always closed, two. Where the type never lies comes last.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.household.instances import ALWAYS_OPEN
from lprl_envs.household.kits import KINDS, LIGHT, PICK, TWO, Actions, Kit, type_of
from lprl_envs.household.law import act, legal_mask
from lprl_envs.household.plans import NO_PLAN, steps_left
from lprl_envs.household.states import EnvState, Rooms
from lprl_envs.household.text import known_objects, lamp_is_known

NEVER = 4
"""Ranks of places where the goal's type never lies are higher by it: above all costs."""


def known_world(kit: Kit, room: Rooms, state: EnvState) -> tuple[Rooms, EnvState]:
    """Room and state as the agent knows them; of two that are asked for it may know of one alone.

    It sees whether something opens where it stands, and knows it of what stands open.
    """
    here = state.at == jnp.arange(1, kit.num_receptacles + 1, dtype=jnp.int32)
    openable = jnp.where(state.open | here, room.openable, room.present & kit.may_open)
    lamp = jnp.where(lamp_is_known(room, state), room.lamp, -1)
    where = jnp.where(known_objects(kit, state), state.where, kit.absent)
    known = dataclasses.replace(room, openable=openable, lamp=lamp)
    own = dataclasses.replace(state, where=where)
    alone = dataclasses.replace(known, task=jnp.full_like(room.task, PICK))
    brings_one = (room.task == TWO) & (steps_left(kit, known, own) == NO_PLAN)
    brings_one &= steps_left(kit, alone, own) > 0
    task = jnp.where(brings_one, PICK, room.task)
    return dataclasses.replace(known, task=task), own


def right_actions(kit: Kit, actions: Actions, room: Rooms, state: EnvState) -> jax.Array:
    """`bool[A]`: what is best next, by what was seen; nothing where the goal holds."""
    known, own = known_world(kit, room, state)
    legal = legal_mask(kit, actions, known, own)
    steps = steps_left(kit, known, own)

    def after(action: jax.Array) -> jax.Array:
        return steps_left(kit, known, act(kit, actions, known, own, action)[0])

    # Of the legal actions alone, which are few: a bound is one place that holds everything.
    (some,) = jnp.nonzero(legal, size=min(kit.num_receptacles + kit.num_objects + 6, legal.size))
    leads = jax.lax.map(after, some.astype(jnp.int32)) == steps - 1
    follows = jnp.zeros_like(legal).at[some].max(leads) & legal
    return jnp.where(steps == NO_PLAN, _searches(kit, actions, room, state), follows) & (steps > 0)


def _never_lies(kit: Kit, room: Rooms) -> jax.Array:
    """`bool[R]`: where a room as it is drawn holds no object of the goal's type at the start."""
    is_place = jnp.asarray(kit.place_of) == room.goal_place
    is_station = jnp.asarray(kit.station)[room.task]
    return jnp.where((room.task == PICK) | (room.task == TWO), is_place, is_station)


def _searches(kit: Kit, actions: Actions, room: Rooms, state: EnvState) -> jax.Array:
    """`bool[A]`: to open what is here, or to go where what lacks may be and is found soonest."""
    of_type = jnp.asarray(kit.type_of) == room.goal_object
    for_object = jnp.any(jnp.asarray(kit.contains) & of_type[:, None], axis=0)
    has_object = jnp.any(of_type & known_objects(kit, state))
    for_lamp = (room.task == LIGHT) & has_object
    can = jnp.where(for_lamp, jnp.asarray(kit.lamp_places), for_object)
    left = room.present & can & ~state.seen
    always = np.array([type_of(name) in ALWAYS_OPEN for name in kit.receptacles])
    cost = kit.may_open + always.astype(np.int32)  # in the order of what it takes to look
    rank = cost + NEVER * (_never_lies(kit, room) & ~for_lamp)
    best = left & (rank == jnp.min(jnp.where(left, rank, 2 * NEVER)))
    worth = best | (left & (rank < NEVER))  # of what is here, to be opened
    kind, place = jnp.asarray(actions.kind), jnp.asarray(actions.place)
    opens = (kind == KINDS.index("open")) & (place == state.at - 1) & worth[place]
    goes = (kind == KINDS.index("go")) & best[place]
    return jnp.where(jnp.any(opens), opens, goes)
