"""Blocks World in plain Python, from STRIPS as written: a state is a set of facts in words.

It knows nothing of the library. Facts are tuples such as ("on", "a", "b"); names of actions begin
with one of the four operators.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Iterable, Iterator

COLOUR = {
    "a": "red", "b": "blue", "c": "orange", "d": "yellow", "e": "white", "f": "magenta",
    "g": "black", "h": "cyan", "i": "green", "j": "violet", "k": "silver", "l": "gold",
}  # fmt: skip
Fact = tuple[str, ...]
State = frozenset[Fact]
EMPTY = ("empty",)


def start(stacks: Iterable[str]) -> State:
    """The facts of stacks, bottom to top, and the hand empty."""
    facts: set[Fact] = {EMPTY}
    for stack in stacks:
        facts |= {("table", stack[0]), ("clear", stack[-1])}
        facts |= {("on", upper, lower) for lower, upper in itertools.pairwise(stack)}
    return frozenset(facts)


def actions(blocks: str) -> list[Fact]:
    """Every grounded action, legal or not."""
    pairs = [(x, y) for x in blocks for y in blocks if x != y]
    return [
        *(("pick-up", x) for x in blocks),
        *(("put-down", x) for x in blocks),
        *(("stack", x, y) for x, y in pairs),
        *(("unstack", x, y) for x, y in pairs),
    ]


@functools.cache
def operator(name: str, x: str, y: str = "") -> tuple[set[Fact], set[Fact], set[Fact]]:
    """Preconditions, what is added, what is deleted."""
    table, clear, holding, on = ("table", x), ("clear", x), ("holding", x), ("on", x, y)
    if name == "pick-up":
        return {table, clear, EMPTY}, {holding}, {table, clear, EMPTY}
    if name == "put-down":
        return {holding}, {table, clear, EMPTY}, {holding}
    if name == "stack":
        return {holding, ("clear", y)}, {on, clear, EMPTY}, {holding, ("clear", y)}
    return {on, clear, EMPTY}, {holding, ("clear", y)}, {on, clear, EMPTY}


def is_legal(state: State, action: Fact) -> bool:
    return operator(*action)[0] <= state


def apply(state: State, action: Fact) -> State:
    _, added, deleted = operator(*action)
    return frozenset((state - deleted) | added)


def goal_facts(pairs: Iterable[str]) -> State:
    return frozenset(("on", upper, lower) for upper, lower in pairs)


# -- text ----------------------------------------------------------------------------------------


def words(fact: Fact) -> str:
    block = [f"the {COLOUR[letter]} block" for letter in fact[1:]]
    if fact[0] == "on":
        return f"{block[0]} is on top of {block[1]}"
    return {
        "clear": lambda: f"{block[0]} is clear",
        "empty": lambda: "the hand is empty",
        "holding": lambda: f"the hand is currently holding {block[0]}",
        "table": lambda: f"{block[0]} is on the table",
    }[fact[0]]()


def listed(facts: Iterable[Fact]) -> str:
    order = ["clear", "empty", "holding", "on", "table"]
    read = [words(f) for f in sorted(facts, key=lambda f: (order.index(f[0]), f[1:]))]
    return " and ".join([", ".join(read[:-1]), read[-1]]) if len(read) > 1 else read[0]


def text(state: State, goal: State) -> str:
    """From the goal on: the instructions before it are the library's own."""
    return (
        f"My goal is to have that {listed(goal)}.\n"
        f"As initial conditions I have that, {listed(state)}.\n"
        "My next action is to"
    )


def action_text(action: Fact) -> str:
    x, *y = [f"the {COLOUR[letter]} block" for letter in action[1:]]
    return {
        "pick-up": f" pick up {x}",
        "put-down": f" put down {x}",
        "stack": f" stack {x} on top of {' '.join(y)}",
        "unstack": f" unstack {x} from on top of {' '.join(y)}",
    }[action[0]]


# -- search --------------------------------------------------------------------------------------


def successors(state: State, blocks: str) -> Iterator[tuple[Fact, State]]:
    """Legal actions and where they lead."""
    for action in actions(blocks):
        if is_legal(state, action):
            yield action, apply(state, action)


def distances(state: State, blocks: str) -> dict[State, int]:
    """Steps from a state to every other, by breadth-first search."""
    found, queue = {state: 0}, collections.deque([state])
    while queue:
        now = queue.popleft()
        for _, after in successors(now, blocks):
            if after not in found:
                found[after] = found[now] + 1
                queue.append(after)
    return found


def value(state: State, goal: State) -> float:
    """SLINVIT's rule-based estimate of a state."""
    if goal <= state:
        return 1000.0
    upper = {fact[2]: fact[1] for fact in state if fact[0] == "on"}

    def above(block: str) -> int:
        return 1 + above(upper[block]) if block in upper else 0

    total = 0.0
    for _, x, y in goal:
        if ("on", x, y) in state:
            total += 1
        elif {("holding", x), ("clear", y)} <= state:
            total += 0.5
        else:
            total -= above(x) + above(y)
    return total
