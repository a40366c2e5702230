"""Kits: the names of a room's things, what may be done with each, and the actions that follow.

A kit fixes R receptacles, O objects that can be carried, and a desk lamp or none; an instance says
which of them are there, and where. So the actions, and their texts, are constants of a kit. Names
are a type in lower case, a blank, and a number from 1.

`kits.json` is our own; `affordances.json` is derived from ALFWorld: see NOTICE beside them.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lprl_envs.errors import require_one_of

TASKS = ("pick", "clean", "heat", "cool", "two", "light")
PICK, CLEAN, HEAT, COOL, TWO, LIGHT = range(len(TASKS))
LAMP, LAMP_TYPE = "desklamp 1", "desklamp"
KINDS = (
    "go", "open", "close", "take", "move", "clean", "heat", "cool", "use",
    "look", "inventory", "help", "examine_place", "examine_object",
)  # fmt: skip
"""What an action does, in the order of the actions; those from `look` on change nothing."""
COMMANDS = {"physical": KINDS[:9], "all": KINDS}
_STATIONS = {"clean": CLEAN, "heat": HEAT, "cool": COOL}


def type_of(name: str) -> str:
    """`"egg 2"` is an egg."""
    return name.split(" ")[0]


@functools.cache
def _data(file: str) -> dict[str, Any]:
    folder = importlib.resources.files("lprl_envs.household")
    return json.loads((folder / f"{file}.json").read_text("utf-8"))


def can_contain(place: str, object_type: str) -> bool:
    """Whether receptacles of a type take objects of a type."""
    return object_type in _data("affordances")["can_contain"][place]


ROOMS = tuple(_data("kits")["kits"])
ALL_PLACES = (*sorted(_data("affordances")["can_contain"]), LAMP_TYPE)
"""Types of receptacles of every kit and of none, and the lamp: what a goal can name as a place."""
ALL_OBJECTS = tuple(sorted({x for v in _data("affordances")["can_contain"].values() for x in v}))
"""Types of objects, likewise."""


@dataclasses.dataclass(frozen=True, eq=False)
class Kit:
    """The constants of a room. Arrays are NumPy's; types are numbered within the kit."""

    room: str
    """Its name."""
    receptacles: tuple[str, ...]
    """`[R]`, alphabetical."""
    objects: tuple[str, ...]
    """`[O]`, alphabetical, without the lamp."""
    has_lamp: bool
    tasks: tuple[str, ...]
    """Those of TASKS that it has goals for."""
    place_types: tuple[str, ...]
    """`[P]`: of receptacles, alphabetical, then the lamp if there is one."""
    object_types: tuple[str, ...]
    """`[T]`: of objects, alphabetical."""
    place_of: np.ndarray
    """i32[R]: the type of each receptacle."""
    type_of: np.ndarray
    """i32[O]: the type of each object."""
    contains: np.ndarray
    """bool[O, R]: whether the object can be in the receptacle."""
    may_open: np.ndarray
    """bool[R]: whether there are receptacles of the type that open."""
    able: np.ndarray
    """bool[6, O]: whether the object can be what the task asks: clean, hot, cool; else True."""
    station: np.ndarray
    """bool[6, R]: where the task's object is made so; False of tasks that ask for nothing."""
    lamp_places: np.ndarray
    """bool[R]: where the lamp may stand."""

    @property
    def num_receptacles(self) -> int:
        """R; also how `where` says that an object is in the hand."""
        return len(self.receptacles)

    @property
    def num_objects(self) -> int:
        """O."""
        return len(self.objects)

    @property
    def hand(self) -> int:
        """Of `where`."""
        return self.num_receptacles

    @property
    def absent(self) -> int:
        """Of `where`."""
        return self.num_receptacles + 1


@functools.cache
def kit_of(room: str) -> Kit:
    """The kit of a room.

    Raises:
        InvalidInput: if there is none of that name.
    """
    require_one_of("room", room, ROOMS)
    found, known = _data("kits")["kits"][room], _data("affordances")
    receptacles = tuple(sorted(found["receptacles"]))
    objects = tuple(sorted(name for name in found["objects"] if name != LAMP))
    has_lamp = LAMP in found["objects"]
    places = sorted({type_of(name) for name in receptacles})
    kinds = sorted({type_of(name) for name in objects})

    def each(names: Sequence[str], holds: Callable[[str], bool]) -> np.ndarray:
        return np.array([holds(type_of(name)) for name in names])

    able = np.ones((len(TASKS), len(objects)), bool)
    station = np.zeros((len(TASKS), len(receptacles)), bool)
    for verb, task in _STATIONS.items():
        able[task] = each(objects, known[f"{verb}able"].__contains__)
        station[task] = each(receptacles, known["station"][verb].__eq__)
    return Kit(
        room=room,
        receptacles=receptacles,
        objects=objects,
        has_lamp=has_lamp,
        tasks=tuple(found["tasks"]),
        place_types=(*places, *[LAMP_TYPE] * has_lamp),
        object_types=tuple(kinds),
        place_of=np.array([places.index(type_of(name)) for name in receptacles], np.int32),
        type_of=np.array([kinds.index(type_of(name)) for name in objects], np.int32),
        contains=np.array(
            [[can_contain(type_of(r), type_of(o)) for r in receptacles] for o in objects]
        ),
        may_open=each(receptacles, known["openable"].__contains__),
        able=able,
        station=station,
        lamp_places=each(receptacles, _data("kits")["lamp_receptacles"].__contains__),
    )


# -- actions -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Actions:
    """The actions of a kit, kind by kind."""

    kind: np.ndarray
    """i32[A]: of KINDS."""
    thing: np.ndarray
    """i32[A]: the object, 0 where there is none."""
    place: np.ndarray
    """i32[A]: the receptacle, 0 where there is none."""
    texts: tuple[str, ...]
    """`[A]`, each with a leading blank."""

    def of_kind(self, kind: int) -> slice:
        """Which actions they are: neighbours."""
        (found,) = np.nonzero(self.kind == kind)
        return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)


@functools.cache
def actions_of(room: str, commands: str) -> Actions:
    """All that can be done in a room, legal or not: kind by kind, by object, then receptacle."""
    kit = kit_of(room)
    rows = [
        (KINDS.index(name), *row) for name in COMMANDS[commands] for row in _grounded(kit, name)
    ]
    return Actions(
        kind=np.array([row[0] for row in rows], np.int32),
        thing=np.array([row[1] for row in rows], np.int32),
        place=np.array([row[2] for row in rows], np.int32),
        texts=tuple(row[3] for row in rows),
    )


def _grounded(kit: Kit, kind: str) -> list[tuple[int, int, str]]:
    """Object, receptacle and text of each action of a kind."""
    receptacles, objects = list(enumerate(kit.receptacles)), list(enumerate(kit.objects))
    if kind == "go":
        return [(0, r, f" go to {place}") for r, place in receptacles]
    if kind in ("open", "close"):
        return [(0, r, f" {kind} {place}") for r, place in receptacles if kit.may_open[r]]
    if kind in ("take", "move"):
        word = "from" if kind == "take" else "to"
        return [
            (o, r, f" {kind} {thing} {word} {place}")
            for o, thing in objects
            for r, place in receptacles
            if kit.contains[o, r]
        ]
    if kind in _STATIONS:
        able, station = kit.able[_STATIONS[kind]], kit.station[_STATIONS[kind]]
        return [
            (o, r, f" {kind} {thing} with {place}")
            for o, thing in objects
            for r, place in receptacles
            if able[o] and station[r]
        ]
    if kind == "use":
        return [(0, 0, f" use {LAMP}")] * kit.has_lamp
    if kind == "examine_place":
        return [(0, r, f" examine {place}") for r, place in receptacles]
    if kind == "examine_object":
        return [(o, 0, f" examine {thing}") for o, thing in objects]
    return [(0, 0, f" {kind}")]
