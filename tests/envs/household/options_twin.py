"""Options of a room in plain Python, by names: the twin's commands, executed one by one.

`seen` is the set of receptacles of which somebody saw what they hold. Nothing of the package is
used but, by the twin, its data files.
"""

from envs.household import twin

WORDS = {"clean": "clean", "heat": "hot", "cool": "cool"}
FIRST = {"look": 2, "take": 1, "make": 1, "put": 3, "use": 1}
"""Where in the text the name begins, by its first word."""


def texts(names):
    """All of a kit, as `kits.json` writes it."""
    places = sorted(names["receptacles"])
    things = sorted(name for name in names["objects"] if name != "desklamp 1")
    found = [f"look into {place}" for place in places] + [f"take {thing}" for thing in things]
    for thing in things:
        for verb, station in twin.STATIONS.items():
            is_there = station in map(twin.kind, places)
            if is_there and twin.kind(thing) in twin.KNOWN[f"{verb}able"]:
                found.append(f"make {thing} {WORDS[verb]}")
    found += [f"put it into {place}" for place in places]
    return found + ["use desklamp 1"] * ("desklamp 1" in names["objects"])


def name_of(text):
    words = text.split()
    first = FIRST[words[0]]
    return " ".join(words[first : first + 2])


def is_so(room, s, text):
    """Whether what the text says is so."""
    verb, name = text.split()[0], name_of(text)
    held = [o for o, place in s.where if place == twin.HAND]
    if verb == "look":
        return s.at == name and (name not in room["openable"] or name in s.open)
    if verb == "take":
        return held == [name]
    if verb == "make":
        word = text.split()[-1]
        return name in {"clean": s.clean, "hot": s.hot, "cool": s.cold}[word]
    return s.lit and s.at == room["lamp_on"] if verb == "use" else not held


def legal(room, s, seen):
    """The texts of the options that are legal."""
    held = [o for o, place in s.where if place == twin.HAND]
    found = [f"look into {r}" for r in room["receptacles"]]
    if not held:
        found += [f"take {o}" for o, place in s.where if place in seen]
    for thing in held:
        for verb, station in twin.STATIONS.items():
            is_there = station in map(twin.kind, room["receptacles"])
            if is_there and twin.kind(thing) in twin.KNOWN[f"{verb}able"]:
                found.append(f"make {thing} {WORDS[verb]}")
        can = twin.KNOWN["can_contain"]
        fits = [r for r in room["receptacles"] if twin.kind(thing) in can[twin.kind(r)]]
        found += [f"put it into {r}" for r in fits]
    found += ["use desklamp 1"] * (room["lamp_on"] in seen)
    return [text for text in found if not is_so(room, s, text)]


def commands(room, s, text):
    """What a legal option does, as if no goal ended it."""
    verb, name = text.split()[0], name_of(text)
    held = [o for o, place in s.where if place == twin.HAND]
    if verb == "make":
        work = next(key for key, word in WORDS.items() if word == text.split()[-1])
        stations = sorted(r for r in room["receptacles"] if twin.kind(r) == twin.STATIONS[work])
        place = s.at if s.at in stations else stations[0]
        last = [f"{work} {name} with {place}"]
    elif verb == "take":
        place = dict(s.where)[name]
        last = [f"take {name} from {place}"]
    elif verb == "use":
        place, last = room["lamp_on"], ["use desklamp 1"]
    else:
        place, last = name, [f"move {held[0]} to {name}"] if verb == "put" else []
    opens = verb not in ("make", "use") and place in room["openable"] and place not in s.open
    return [f"go to {place}"] * (s.at != place) + [f"open {place}"] * opens + last


def carry_out(room, s, text):
    """`(state, commands)`: each is legal; none is behind the goal, unless that held before."""
    done, won = [], twin.is_won(room, s)
    for command in commands(room, s, text):
        if done and twin.is_won(room, s) and not won:
            break
        assert command in twin.legal(room, s)
        s = twin.apply(s, command)
        done.append(command)
    return s, done
