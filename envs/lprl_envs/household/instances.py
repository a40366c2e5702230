"""Random instances: which things there are, where, and a goal that can be reached.

By ALFRED's own filters a goal does not hold from the start: what is to be cleaned is in no sink
basin, what is to be heated in no microwave, what is to be cooled in no fridge, and of two none is
where they shall be. That nothing of the type is there for `pick` either is ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.banks import content_hash
from lprl_envs.household.kits import (
    ALL_OBJECTS,
    ALL_PLACES,
    CLEAN,
    COOL,
    HEAT,
    LAMP_TYPE,
    LIGHT,
    PICK,
    TASKS,
    TWO,
    Kit,
    type_of,
)
from lprl_envs.household.states import Rooms

ALWAYS = ("fridge 1", "microwave 1", "sinkbasin 1")
"""Receptacles that no random room of a kit that has them is without."""
ALWAYS_OPEN = ("fridge", "microwave", "safe")
"""Types whose receptacles all open in random rooms; of the other types that do, some."""
RECEPTACLES, OBJECTS, OPENABLE = 0.9, 0.8, 0.75
"""How likely a receptacle is there, an object is, and a cabinet or drawer opens."""
_SALT = 1084
"""Hashed with a goal. A kit has few goals of a task, from 8 to 140, and chance may hold out too
many of them or too few: of 0 to 2,999 this is the first with which every kit and task come nearest
to a fifth, from .15 to .25."""


def goal_hash(kit: Kit, room: Rooms) -> jax.Array:
    """`uint32[]`: of task, type of object and type of place; the same in all kits."""
    objects = jnp.array([ALL_OBJECTS.index(name) for name in kit.object_types], jnp.int32)
    places = jnp.array([ALL_PLACES.index(name) for name in kit.place_types], jnp.int32)
    goal = room.task, objects[room.goal_object], places[room.goal_place], jnp.int32(_SALT)
    return content_hash(jnp.stack(goal))


def feasible_goals(kit: Kit, room: Rooms) -> jax.Array:
    """`bool[6, T, P]`: by task, type of object and type of place, what may be asked for in a room.

    Of the room only `present`, `where` and `lamp` are looked at.
    """
    num_types, num_places = len(kit.object_types), len(kit.place_types)
    is_type = jnp.asarray(np.arange(num_types)[:, None] == kit.type_of[None])
    is_place = jnp.asarray(np.arange(num_places)[:, None] == kit.place_of[None])
    places = jnp.arange(kit.num_receptacles, dtype=jnp.int32)
    inside = room.where[:, None] == places[None]
    there = jnp.any(inside, axis=1)

    counts = jnp.sum(is_type & there[None], axis=1)
    in_place = jnp.any(inside[:, None] & is_place[None], axis=2)
    in_type = jnp.any(is_type[:, :, None] & in_place[None], axis=1)
    has_place = jnp.any(is_place & room.present[None], axis=1)
    fits = np.zeros((num_types, num_places), bool)
    fits[kit.type_of[:, None], kit.place_of[None]] = kit.contains
    can = jnp.asarray(fits) & has_place[None] & (counts >= 1)[:, None]

    def worked(task: int) -> jax.Array:
        able, stations = np.zeros(num_types, bool), np.zeros(num_places, bool)
        able[kit.type_of] = kit.able[task]
        stations[kit.place_of] = kit.station[task]
        done = jnp.any(in_type & jnp.asarray(stations)[None], axis=1)
        is_any = jnp.any(jnp.asarray(kit.station[task]) & room.present)
        return can & (jnp.asarray(able) & ~done & is_any)[:, None] & jnp.asarray(~stations)[None]

    is_lamp = jnp.array([name == LAMP_TYPE for name in kit.place_types])
    found = {
        PICK: can & ~in_type,
        CLEAN: worked(CLEAN),
        HEAT: worked(HEAT),
        COOL: worked(COOL),
        TWO: can & ~in_type & (counts >= 2)[:, None],
        LIGHT: (counts >= 1)[:, None] & is_lamp[None] & (room.lamp >= 0),
    }
    return jnp.stack([found[task] for task in range(len(TASKS))])


def is_fit(kit: Kit, room: Rooms) -> jax.Array:
    """`bool[]`: whether the goal may be asked for in the room."""
    return feasible_goals(kit, room)[room.task, room.goal_object, room.goal_place]


def random_room(kit: Kit, tasks: Sequence[int]) -> Callable[[chex.PRNGKey], Rooms]:
    """A function from a key to a random instance of one of the tasks.

    Each object is uniform over the receptacles that can contain it, the lamp over those that carry
    it, the task over those given, the goal over the feasible ones. Where none is feasible the
    instance is not fit.
    """
    likely = jnp.array([1.0 if r in ALWAYS else RECEPTACLES for r in kit.receptacles], jnp.float32)
    opens = [1.0 if type_of(r) in ALWAYS_OPEN else OPENABLE for r in kit.receptacles]
    opens = jnp.where(jnp.asarray(kit.may_open), jnp.array(opens, jnp.float32), 0.0)

    num_goals = len(kit.object_types) * len(kit.place_types)
    sizes = (*[kit.num_receptacles] * 3, kit.num_objects, kit.contains.size, num_goals, 2)

    def draw(key: chex.PRNGKey) -> Rooms:
        # All at once: each call to a generator takes long to compile.
        noise = jax.random.uniform(key, (sum(sizes),), jnp.float32)
        parts = jnp.split(noise, np.cumsum(sizes)[:-1].tolist())
        for_present, for_openable, for_lamp, for_objects, for_where, for_goal, last = parts
        present = for_present < likely
        openable = present & (for_openable < opens)
        can = jnp.asarray(kit.contains) & present[None]
        there = (for_objects < OBJECTS) & jnp.any(can, axis=1)
        where = _largest(for_where.reshape(can.shape), can)
        stands = jnp.asarray(kit.lamp_places) & present & kit.has_lamp
        which = jnp.minimum((last[0] * len(tasks)).astype(jnp.int32), len(tasks) - 1)
        room = Rooms(
            present=present,
            openable=openable,
            where=jnp.where(there, where, kit.absent),
            lamp=jnp.where(jnp.any(stands), _largest(for_lamp, stands), -1),
            task=jnp.array(tasks, jnp.int32)[which],
            goal_object=jnp.int32(0),
            goal_place=jnp.int32(0),
            phrasing=(last[1] < 0.5).astype(jnp.int32),
        )
        goals = feasible_goals(kit, room)[room.task]
        goal = _largest(for_goal, goals.ravel())
        kind, place = jnp.divmod(goal, goals.shape[1])
        return dataclasses.replace(room, goal_object=kind, goal_place=place)

    return draw


def _largest(noise: jax.Array, mask: jax.Array) -> jax.Array:
    """`i32[...]`: along the last axis, which of those in the mask is uniform, by their noise."""
    return jnp.argmax(jnp.where(mask, noise, -1.0), axis=-1).astype(jnp.int32)
