"""Instances as one writes them, and what is wrong with one that is not well-formed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs import values
from lprl_envs.errors import InvalidInput, require_one_of, shown
from lprl_envs.household.instances import is_fit
from lprl_envs.household.kits import LAMP_TYPE, LIGHT, TASKS, TWO, Kit, kit_of, type_of
from lprl_envs.household.states import Rooms

FIELDS = ("objects", "task", "goal", "receptacles", "openable", "lamp_on", "phrasing")
"""Of an instance; the first three must be given."""
_NEEDED = FIELDS[:3]
_FORM = (
    "an instance is {'objects': {'egg 1': 'fridge 1'}, 'task': 'heat', 'goal': ['egg', "
    f"'countertop']}}, and maybe {', '.join(FIELDS[3:-1])} and {FIELDS[-1]}"
)
_STATION = {"clean": "sinkbasin", "heat": "microwave", "cool": "fridge"}
PRESETS = {
    "kitchen-small": ("heat", ["egg", "countertop"]),
    "kitchen": ("cool", ["mug", "coffeemachine"]),
    "bathroom": ("clean", ["cloth", "toilet"]),
    "bedroom": ("light", ["book", LAMP_TYPE]),
    "livingroom": ("two", ["creditcard", "armchair"]),
}
"""Task and goal of each room's default instance."""


def preset(room: str) -> dict[str, Any]:
    """A room with all that its kit has; object by object in the next receptacle that takes it."""
    kit = kit_of(room)
    task, goal = PRESETS[room]
    banned = {goal[1], _STATION.get(task)}
    objects = {}
    for o, name in enumerate(kit.objects):
        fits = [r for r, takes in zip(kit.receptacles, kit.contains[o], strict=True) if takes]
        fits = [r for r in fits if type_of(name) != goal[0] or type_of(r) not in banned]
        objects[name] = fits[o % len(fits)]
    stands = [r for r, takes in zip(kit.receptacles, kit.lamp_places, strict=True) if takes]
    lamp = stands[0] if kit.has_lamp else None
    return {"objects": objects, "task": task, "goal": goal, "lamp_on": lamp}


def bank_of(instances: Sequence[Any], kit: Kit) -> Rooms:
    """A bank of instances as one writes them by hand.

    An instance is a mapping of `objects`, by name the receptacle of each; `task`, one of the kit's;
    `goal`, a type of objects and a type of receptacles, or the lamp. Maybe also `receptacles`, the
    names of those there are (all); `openable`, of those that open (all of a type that does);
    `lamp_on`, where the desk lamp stands (None, nowhere); `phrasing`, 0 or 1 (0).

    Raises:
        InvalidInput: if there are none, or one is not well-formed, cannot be or holds already.
    """
    given = values.instances(instances)
    if not given:
        raise InvalidInput(f"instances are none; right: one or more, where {_FORM}")
    rows = [_parse(one, kit) for one in given]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


_is_fit = jax.jit(is_fit, static_argnums=0)  # op by op it takes long


def _parse(instance: Any, kit: Kit) -> Rooms:
    """One, as a row of a bank."""
    if not isinstance(instance, dict) or not set(_NEEDED) <= set(instance) <= set(FIELDS):
        raise InvalidInput(f"found {shown(instance)}; {_FORM}")
    given = {"receptacles": list(kit.receptacles), "lamp_on": None, "phrasing": 0, **instance}
    present = _names("receptacles", given["receptacles"], kit.receptacles)
    opens = [r for r, may in zip(kit.receptacles, kit.may_open, strict=True) if may]
    usual = [r for r in opens if r in present]
    openable = _names("openable", given.get("openable", usual), opens)
    for name in openable:
        _require_there("openable", name, present)
    phrasing = values.whole("phrasing", given["phrasing"])
    if phrasing not in (0, 1):
        values.refuse("phrasing", phrasing, "it must be 0 or 1")
    require_one_of("task", given["task"], kit.tasks)
    goal_object, goal_place = _goal(given["goal"], given["task"], kit)
    room = Rooms(
        present=jnp.asarray(np.isin(kit.receptacles, present)),
        openable=jnp.asarray(np.isin(kit.receptacles, openable)),
        where=jnp.asarray(_where(given["objects"], present, kit)),
        lamp=jnp.int32(_lamp(given["lamp_on"], present, kit)),
        task=jnp.int32(TASKS.index(given["task"])),
        goal_object=jnp.int32(kit.object_types.index(goal_object)),
        goal_place=jnp.int32(kit.place_types.index(goal_place)),
        phrasing=jnp.int32(phrasing),
    )
    if not _is_fit(kit, room):
        raise InvalidInput(_why_not(goal_object, goal_place, room, kit))
    return room


def _names(what: str, found: Any, valid: Collection[str]) -> list[str]:
    """Names of a kit's things, each once."""
    names = list(values.sequence(what, found, lambda _, name: name))
    for name in names:
        if not isinstance(name, str) or name not in valid:
            raise InvalidInput(f"{what}: there is no {shown(name)}; valid: {', '.join(valid)}")
        if names.count(name) > 1:
            raise InvalidInput(f"{what} has {name!r} {names.count(name)} times; once is right")
    return names


def _require_there(what: str, name: str, present: Sequence[str]) -> None:
    if name not in present:
        raise InvalidInput(f"{what}: {name!r} is not in the room; valid: {', '.join(present)}")


def _where(found: Any, present: Sequence[str], kit: Kit) -> np.ndarray:
    """i32[O]: the receptacle of each object, or that it is absent."""
    objects = values.mapping("objects", found)
    if len(objects) > kit.num_objects:
        raise InvalidInput(
            f"objects are {len(objects)}; the kit of room {kit.room!r} has {kit.num_objects}: "
            f"{', '.join(kit.objects)}"
        )
    where = np.full(kit.num_objects, kit.absent, np.int32)
    for name, place in objects.items():
        (name,) = _names("objects", [name], kit.objects)
        (place,) = _names(f"objects[{name!r}]", [place], kit.receptacles)
        _require_there(f"objects[{name!r}]", place, present)
        o, r = kit.objects.index(name), kit.receptacles.index(place)
        if not kit.contains[o, r]:
            fits = [x for x, takes in zip(kit.receptacles, kit.contains[o], strict=True) if takes]
            right = ", ".join(x for x in fits if x in present)
            raise InvalidInput(f"{place} cannot contain {name}; valid: {right}")
        where[o] = r
    return where


def _lamp(found: Any, present: Sequence[str], kit: Kit) -> int:
    """The receptacle with the lamp, or -1."""
    if found is None:
        return -1
    if not kit.has_lamp:
        raise InvalidInput(
            f"lamp_on is {shown(found)}; room {kit.room!r} has no lamp: leave it out"
        )
    stands = [r for r, may in zip(kit.receptacles, kit.lamp_places, strict=True) if may]
    (name,) = _names("lamp_on", [found], stands)
    _require_there("lamp_on", name, [r for r in stands if r in present])
    return kit.receptacles.index(name)


def _goal(found: Any, task: str, kit: Kit) -> tuple[str, str]:
    """Its types."""
    goal = values.sequence("goal", found, values.text)
    if len(goal) != 2:
        values.refuse("goal", found, "it must be a type of objects and one of places")
    require_one_of("goal[0]", goal[0], kit.object_types)
    is_light = task == TASKS[LIGHT]
    places = [x for x in kit.place_types if (x == LAMP_TYPE) == is_light]
    require_one_of("goal[1]", goal[1], places)
    return goal[0], goal[1]


def _why_not(goal_object: str, goal_place: str, row: Rooms, kit: Kit) -> str:
    """Why no object can meet a goal, or why it is met already: one line."""
    task = TASKS[int(row.task)]
    kinds = np.array(kit.object_types)[kit.type_of]
    there = np.asarray(row.where) < kit.num_receptacles
    counts = {name: int((there & (kinds == name)).sum()) for name in kit.object_types}
    least = 2 if task == TASKS[TWO] else 1
    goal = f"the goal {task} {goal_object}, {goal_place}"
    if counts[goal_object] < least:
        enough = [name for name, count in counts.items() if count >= least] or ["none"]
        has, needs = counts[goal_object], f"it needs {least} or more"
        return f"{goal}: the room has {has} of {goal_object}, {needs}; valid: {', '.join(enough)}"
    if task == TASKS[LIGHT]:
        return f"{goal}: the room has no lamp; set lamp_on"
    able = kit.able[int(row.task)]
    if not able[kinds == goal_object].any():
        valid = sorted(set(kinds[able & there])) or ["none"]
        return f"{goal}: one cannot {task} a {goal_object}; valid: {', '.join(valid)}"
    takes = kit.contains[kinds == goal_object].any(axis=0) & np.asarray(row.present)
    station = kit.station[int(row.task)]
    names = {kit.place_types[p] for p in kit.place_of[takes & ~station]}
    if goal_place not in names:
        what = f"{goal_place} is not there or cannot contain {goal_object}"
        if goal_place == _STATION.get(task):
            what = f"{goal_place} is where one can {task} things"
        return f"{goal}: {what}; valid: {', '.join(sorted(names)) or 'none'}"
    if station.any() and not (station & np.asarray(row.present)).any():
        return f"{goal}: the room has no {_STATION[task]}; add one to receptacles"
    banned = _STATION.get(task, goal_place)
    return f"{goal}: a {goal_object} is in a {banned} at the start; put it elsewhere"
