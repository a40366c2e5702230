"""Household in plain Python, by names: a room is a mapping, a state a few sets, an action its text.

Nothing of the package is used but its data files. `seen` is left out: no rule of the law asks it.
"""

import collections
import dataclasses
import importlib.resources
import json
from typing import Any

FOLDER = importlib.resources.files("lprl_envs") / "household"
KNOWN = json.loads((FOLDER / "affordances.json").read_text("utf-8"))
KITS = json.loads((FOLDER / "kits.json").read_text("utf-8"))["kits"]
STATIONS = {"clean": "sinkbasin", "heat": "microwave", "cool": "fridge"}
LAMP_PLACES = json.loads((FOLDER / "kits.json").read_text("utf-8"))["lamp_receptacles"]
HAND = "hand"


def kind(name):
    return name.split()[0]


@dataclasses.dataclass(frozen=True)
class State:
    at: str | None
    where: tuple
    """Of pairs of name and place, sorted."""
    open: frozenset = frozenset()
    clean: frozenset = frozenset()
    hot: frozenset = frozenset()
    cold: frozenset = frozenset()
    lit: bool = False


def start(room):
    return State(None, tuple(sorted(room["objects"].items())))


def legal(room, s):
    """The texts of the physical commands that are legal, written down case by case."""
    where, found = dict(s.where), []
    found += [f"go to {r}" for r in room["receptacles"] if r != s.at]
    if s.at is None:
        return found
    held = [o for o, place in where.items() if place == HAND]
    shows = s.at not in room["openable"] or s.at in s.open
    if s.at in room["openable"]:
        found.append(f"close {s.at}" if s.at in s.open else f"open {s.at}")
    if shows and not held:
        found += [f"take {o} from {s.at}" for o, place in where.items() if place == s.at]
    for o in held:
        if shows and kind(o) in KNOWN["can_contain"][kind(s.at)]:
            found.append(f"move {o} to {s.at}")
        for verb, station in STATIONS.items():
            if kind(s.at) == station and kind(o) in KNOWN[f"{verb}able"]:
                found.append(f"{verb} {o} with {s.at}")
    if room.get("lamp_on") == s.at:
        found.append("use desklamp 1")
    return found


def looks(room, s):
    """The legal commands that change nothing."""
    held = [o for o, place in s.where if place == HAND]
    names = [*([s.at] if s.at else []), *held]
    return ["look", "inventory", "help", *(f"examine {name}" for name in names)]


def apply(s, text):
    """The state after a legal command."""
    verb, *words = text.split()
    name, other = " ".join(words[:2]), " ".join(words[3:])
    where = dict(s.where)
    if verb == "go":
        return dataclasses.replace(s, at=" ".join(words[1:]))
    if verb == "open":
        return dataclasses.replace(s, open=s.open | {name})
    if verb == "close":
        return dataclasses.replace(s, open=s.open - {name})
    if verb == "take":
        return dataclasses.replace(s, where=tuple(sorted({**where, name: HAND}.items())))
    if verb == "move":
        return dataclasses.replace(s, where=tuple(sorted({**where, name: other}.items())))
    if verb == "clean":
        return dataclasses.replace(s, clean=s.clean | {name})
    if verb == "heat":
        return dataclasses.replace(s, hot=s.hot | {name}, cold=s.cold - {name})
    if verb == "cool":
        return dataclasses.replace(s, cold=s.cold | {name}, hot=s.hot - {name})
    return dataclasses.replace(s, lit=True) if verb == "use" else s


def is_won(room, s):
    what, place = room["goal"]
    things = [(o, r) for o, r in s.where if kind(o) == what]
    if room["task"] == "light":
        return s.lit and s.at == room["lamp_on"] and any(r == HAND for _, r in things)
    inside = [(o, r) for o, r in things if r != HAND and kind(r) == place]
    if room["task"] == "two":
        return max(collections.Counter(r for _, r in inside).values(), default=0) >= 2
    marks = {"pick": {o for o, _ in things}, "clean": s.clean, "heat": s.hot, "cool": s.cold}
    return any(o in marks[room["task"]] for o, _ in inside)


def distances(room, most=400_000):
    """Shortest plans from every state that can be reached from the start: `{state: steps}`.

    All states are listed breadth first, then the steps are counted backwards from the won ones.
    """
    before, todo, known = collections.defaultdict(list), [start(room)], {start(room)}
    for s in todo:
        for text in () if is_won(room, s) else legal(room, s):
            after = apply(s, text)
            before[after].append(s)
            if after not in known:
                known.add(after)
                todo.append(after)
        assert len(todo) < most
    steps = {s: 0 for s in todo if is_won(room, s)}
    queue = collections.deque(steps)
    while queue:
        s = queue.popleft()
        for earlier in before[s]:
            if earlier not in steps:
                steps[earlier] = steps[s] + 1
                queue.append(earlier)
    return steps


def plan_length(room, s, most=11):
    """Steps of a shortest plan from one state, breadth first."""
    layer, known = {s}, {s}
    for steps in range(most + 1):
        if any(is_won(room, x) for x in layer):
            return steps
        layer = {apply(x, text) for x in layer for text in legal(room, x)} - known
        known |= layer
    return None


# -- between the twin and the package ------------------------------------------------------------


def room_of(kit: Any, row: Any) -> dict[str, Any]:
    """A row of a bank, by names."""
    names = kit.receptacles
    there = [r for r, is_there in zip(names, row.present.tolist(), strict=True) if is_there]
    opens = [r for r, does in zip(names, row.openable.tolist(), strict=True) if does]
    where = zip(kit.objects, row.where.tolist(), strict=True)
    lamp = int(row.lamp)
    return {
        "receptacles": there,
        "openable": opens,
        "objects": {o: names[r] for o, r in where if r < len(names)},
        "lamp_on": None if lamp < 0 else names[lamp],
        "task": ("pick", "clean", "heat", "cool", "two", "light")[int(row.task)],
        "goal": [kit.object_types[int(row.goal_object)], kit.place_types[int(row.goal_place)]],
        "phrasing": int(row.phrasing),
    }


def state_of(kit: Any, state: Any) -> State:
    """A state on the host, without batch axes, by names."""
    names = [*kit.receptacles, HAND]
    where = {o: names[r] for o, r in zip(kit.objects, state.where, strict=True) if r < len(names)}

    def chosen(items, flags):
        return frozenset(x for x, flag in zip(items, flags, strict=True) if flag)

    at = int(state.at)
    return State(
        at=kit.receptacles[at - 1] if at else None,
        where=tuple(sorted(where.items())),
        open=chosen(kit.receptacles, state.open),
        clean=chosen(kit.objects, state.clean),
        hot=chosen(kit.objects, state.temperature == 1),
        cold=chosen(kit.objects, state.temperature == 2),
        lit=bool(state.lit),
    )
