"""Shortest plans, for whoever knows where everything is: their lengths, by cases, exactly.

A plan fetches an object and delivers it. To fetch with a full hand, what is held is put down first,
somewhere that takes it. What is opened on the way stays open. Arrays have an axis for each of
o, the object; p, where what is held is put down, the last of which means nowhere; t, the target.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lprl_envs.household.kits import LIGHT, TWO, Kit
from lprl_envs.household.law import has_property, is_reached
from lprl_envs.household.states import EnvState, Rooms

NO_PLAN = 1 << 20


def steps_left(kit: Kit, room: Rooms, state: EnvState) -> jax.Array:
    """`i32[]`: actions of a shortest plan from a state; 0 if the goal holds, `NO_PLAN` if none can.

    No more than 11 in rooms as they are drawn, from their start.
    """
    size = kit.num_receptacles
    places = jnp.arange(size, dtype=jnp.int32)
    where, at = state.where, state.at - 1  # both receptacles, or -1 in the middle of the room
    is_closed = room.openable & ~state.open
    is_held = where == kit.hand
    there, is_empty = where < size, ~jnp.any(is_held)
    home = jnp.minimum(where, size - 1)  # of those there
    held = jnp.argmax(is_held)
    of_type = (jnp.asarray(kit.type_of) == room.goal_object) & (there | is_held)

    # To fetch o by way of p: [O, R + 1] steps, and where that ends, [O].
    puts = room.present & jnp.asarray(kit.contains)[held]
    aside = (at != places).astype(jnp.int32) + is_closed + 1
    then = (places[None] != home[:, None]) * (1 + is_closed[home][:, None]) + 1
    by_way = jnp.where(puts & ~is_empty, aside, NO_PLAN)[None] + then
    by_way = jnp.where(there[:, None], by_way, NO_PLAN)
    direct = (at != home).astype(jnp.int32) + is_closed[home] + 1
    direct = jnp.where(is_held, 0, jnp.where(is_empty & there, direct, NO_PLAN))
    fetch = jnp.concatenate([by_way, direct[:, None]], axis=1)
    end = jnp.where(is_held, at, home)

    def opens(r: jax.Array, o_home: jax.Array, ways: jax.Array) -> jax.Array:
        """Whether r has to be opened after fetching what was at o_home by way of p."""
        return is_closed[r] & (r != o_home) & (r != ways)

    ways = jnp.append(places, -1)
    fetched = jnp.where(is_held, -1, where)  # what taking o opened, if anything
    opening = opens(places[None, None], fetched[:, None, None], ways[None, :, None])

    # To deliver o at t: [O, R], but for opening t.
    go = (end[:, None] != places[None]).astype(jnp.int32)
    station = jnp.asarray(kit.station)[room.task] & room.present
    far = (places[:, None] != places[None]).astype(jnp.int32)
    by_station = jnp.min(
        jnp.where(station[None, :, None], go[:, :, None] + 1 + far[None], NO_PLAN), axis=1
    )
    deliver = jnp.where(has_property(room.task, state)[:, None], go, by_station) + 1
    is_target = (jnp.asarray(kit.place_of) == room.goal_place) & room.present
    target = jnp.asarray(kit.contains) & of_type[:, None] & is_target[None]
    inside = of_type[:, None] & (where[:, None] == places[None])
    has_one = jnp.any(inside, axis=0)
    plan = fetch[:, :, None] + deliver[:, None] + opening
    plan = jnp.where(target[:, None], plan, NO_PLAN)

    # The second of two: of what is elsewhere, to where one lies; else both, one after the other.
    others = has_one[None] & (jnp.sum(inside, axis=0)[None] > inside.astype(jnp.int32))
    others = others[:, None] & jnp.ones((1, size + 1, 1), bool)  # [O, R + 1, R]: another lies there
    is_opened = ~opens(places[None, None], fetched[:, None, None], ways[None, :, None])
    any_other = jnp.any(others, axis=2)
    second = jnp.where(jnp.any(others & is_opened, axis=2), 4, jnp.where(any_other, 5, NO_PLAN))
    pair = jnp.where(has_one[None, None] & ~inside[:, None], plan, NO_PLAN)
    both = jnp.where(has_one[None, None], NO_PLAN, plan + second[:, :, None])
    two = jnp.minimum(jnp.min(pair), jnp.min(both))

    under_lamp = jnp.min(fetch, axis=1) + (end != room.lamp) + ~state.lit
    light = jnp.min(jnp.where(of_type & (room.lamp >= 0), under_lamp, NO_PLAN))
    steps = jnp.where(room.task == LIGHT, light, jnp.where(room.task == TWO, two, jnp.min(plan)))
    steps = jnp.where(is_reached(kit, room, state), 0, steps)
    return jnp.minimum(steps, NO_PLAN).astype(jnp.int32)
