"""How promising a state is: SLINVIT's count of sub-goals that are met (arXiv 2402.16181)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lprl_envs.household.kits import CLEAN, LIGHT, TWO, Kit
from lprl_envs.household.law import has_property, is_reached
from lprl_envs.household.states import EnvState, Rooms
from lprl_envs.household.text import known_objects, lamp_is_known


def heuristic(kit: Kit, room: Rooms, state: EnvState) -> jax.Array:
    """`f32[]` in [0, 1]: how many of the task's sub-goals are met, one behind the other, over all.

    Of `pick` four: an object of the type is found, taken, brought to a place of the type, put. Of
    `clean`, `heat` and `cool` six: found, taken, brought to the station, made so, brought to the
    place, put. Of `two` twice the four; the second time an object counts that lies not yet in a
    place of the type, and a place where one does. Of `light` four: found, taken, the lamp found,
    used. What is brought somewhere counts while it is held there. 1 in solved states alone.
    """
    of_type = jnp.asarray(kit.type_of) == room.goal_object
    is_place = jnp.asarray(kit.place_of) == room.goal_place
    places = jnp.arange(kit.num_receptacles, dtype=jnp.int32)
    here = state.at == places + 1
    inside = state.where[:, None] == places[None]
    placed = of_type & jnp.any(inside & is_place[None], axis=1)
    has_one = jnp.any(inside & placed[:, None], axis=0)

    is_second = (room.task == TWO) & jnp.any(placed)
    wanted = of_type & ~(is_second & placed)
    found = jnp.any(wanted & known_objects(kit, state))
    held = wanted & (state.where == kit.hand)
    taken = jnp.any(held)
    at_place = taken & jnp.any(here & is_place & (has_one | ~is_second))
    at_station = taken & jnp.any(here & jnp.asarray(kit.station)[room.task])
    done = jnp.any(held & has_property(room.task, state))

    short = jnp.where(taken, jnp.where(at_place, 3, 2), found)
    worked = jnp.where(
        done, jnp.where(at_place, 5, 4), jnp.where(at_station, 3, jnp.where(taken, 2, found))
    )
    lamp = jnp.where(taken, 2 + lamp_is_known(room, state), found)
    met, total = jnp.where(is_second, 4, 0) + short, jnp.where(room.task == TWO, 8, 4)
    works = (room.task >= CLEAN) & (room.task < TWO)
    met = jnp.where(works, worked, jnp.where(room.task == LIGHT, lamp, met))
    total = jnp.where(works, 6, total)
    solved = is_reached(kit, room, state)
    return jnp.where(solved, 1.0, met / total).astype(jnp.float32)
