"""Sub-goals of Blocks World in plain Python: pairs of the twin's actions, executed one by one.

A sub-goal is a block and the one it shall lie on, or the table. It knows nothing of the library.
"""

from __future__ import annotations

import collections

import envs.blocks_world.twin as twin
from envs.blocks_world.slinvit_twin import Child

TABLE = ""
Subgoal = tuple[str, str]


def subgoals(blocks: str) -> list[Subgoal]:
    """Every sub-goal, legal or not."""
    pairs = [(x, y) for x in blocks for y in blocks if x != y]
    return [*((x, TABLE) for x in blocks), *pairs]


def actions(state: twin.State, subgoal: Subgoal) -> tuple[twin.Fact, twin.Fact]:
    """Take the block up from where it lies, and lay it down."""
    block, _ = subgoal
    lies_on = [fact[2] for fact in state if fact[:2] == ("on", block)]
    return ("unstack", block, *lies_on) if lies_on else ("pick-up", block), lay(subgoal)


def lay(subgoal: Subgoal) -> twin.Fact:
    block, below = subgoal
    return ("put-down", block) if below == TABLE else ("stack", block, below)


def apply(state: twin.State, subgoal: Subgoal) -> twin.State | None:
    """The state after both actions; None if one is not legal, or all is as before."""
    after = state
    for action in actions(state, subgoal):
        if not twin.is_legal(after, action):
            return None
        after = twin.apply(after, action)
    return None if after == state else after


def text(lay: twin.Fact) -> str:
    """Of the sub-goal that an action reaches."""
    _, block, *below = [lay[0], *(f"the {twin.COLOUR[letter]} block" for letter in lay[1:])]
    return f" put {block} on top of {below[0]}" if below else f" put {block} on the table"


def in_order(state: twin.State, blocks: str) -> list[Child]:
    """All children, by the colour of the block, then of the one below it; the table is last."""

    def order(subgoal: Subgoal) -> tuple[str, bool, str]:
        block, below = subgoal
        return twin.COLOUR[block], below == TABLE, twin.COLOUR.get(below, "")

    found = []
    for subgoal in sorted(subgoals(blocks), key=order):
        after = apply(state, subgoal)
        if after is not None:
            found.append(Child(actions(state, subgoal), after))
    return found


def distances(state: twin.State, blocks: str) -> dict[twin.State, int]:
    """Sub-goals from a state to every other, by breadth-first search."""
    found, queue = {state: 0}, collections.deque([state])
    while queue:
        now = queue.popleft()
        for child in in_order(now, blocks):
            if child.state not in found:
                found[child.state] = found[now] + 1
                queue.append(child.state)
    return found
