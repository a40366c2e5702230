"""The library's rows of integers as the facts of the twin in plain Python."""

import envs.blocks_world.twin as twin
from lprl_envs.blocks_world.rules import HAND, TABLE

LETTERS = "abcdefghijkl"


def facts(on) -> twin.State:
    """The twin's facts of a row of the library."""
    found: set[twin.Fact] = set()
    there = [b for b in range(len(on)) if on[b] >= HAND]
    for b in there:
        if on[b] == HAND:
            found.add(("holding", LETTERS[b]))
        elif on[b] == TABLE:
            found.add(("table", LETTERS[b]))
        else:
            found.add(("on", LETTERS[b], LETTERS[on[b]]))
        if on[b] != HAND and b not in on:
            found.add(("clear", LETTERS[b]))
    return frozenset(found | (set() if HAND in on else {twin.EMPTY}))


def goal_of(row) -> twin.State:
    return frozenset(("on", LETTERS[x], LETTERS[y]) for x, y in enumerate(row) if y >= 0)
