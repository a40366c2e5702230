"""SLINVIT's search in plain Python, on Blocks World's twin. It knows nothing of the library.

A step is one action of the twin, or several, where children are sub-goals; whatever is executed is
executed action by action.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import envs.blocks_world.twin as twin

Step = tuple[twin.Fact, ...]


class Child(NamedTuple):
    step: Step
    state: twin.State
    prob: float = 0.0


class Path(NamedTuple):
    score: float
    length: int
    steps: tuple[Step, ...]
    nodes: int
    """Of the whole tree."""


class Found(NamedTuple):
    solved: bool
    first: Step
    """The first step of all."""
    nodes: int


Propose = Callable[[twin.State], list[Child]]
InOrder = Callable[[twin.State, str], list[Child]]
"""All children of a state of these blocks."""


def in_order(state: twin.State, blocks: str) -> list[Child]:
    """All children, by the colour of the block that is taken or laid upon; put-down is last."""

    def order(child: Child) -> Any:
        name, *chosen = child.step[0]
        return name == "put-down", twin.COLOUR[chosen[1] if name == "stack" else chosen[0]]

    found = twin.successors(state, blocks)
    return sorted((Child((action,), after) for action, after in found), key=order)


def by_heuristic(goal: twin.State, blocks: str, k: int, children: InOrder = in_order) -> Propose:
    """The k children of highest heuristic value; one that solves the goal alone."""

    def propose(state: twin.State) -> list[Child]:
        found = children(state, blocks)
        return sorted(found, key=lambda child: -twin.value(child.state, goal))[:k]

    return propose


def search(
    state: twin.State, goal: twin.State, propose: Propose, depth: int, alpha: float = 0.0
) -> Path:
    """The best path, by recursion: of equal scores the shorter, of these the first."""
    children, paths = propose(state), []
    solving = [child for child in children if goal <= child.state]
    for child in solving[:1] or children:
        end = Path(twin.value(child.state, goal), 0, (), 0)
        if depth > 1 and not goal <= child.state:
            end = search(child.state, goal, propose, depth - 1, alpha)
        score = end.score + alpha * child.prob
        paths.append(Path(score, end.length + 1, (child.step, *end.steps), end.nodes + 1))
    best = max(paths, key=lambda path: (path.score, -path.length))  # the first of equal ones
    return best._replace(nodes=sum(path.nodes for path in paths))


def solve(row: Any, propose: Propose, depth: int, alpha: float = 0.0, size: int = 1) -> Found:
    """Execute the first step of the best path, again and again, within L + 1 actions.

    Each step has `size` actions.
    """
    state, goal = twin.start(row["init"]), twin.goal_facts(row["goal"])
    nodes, steps = 0, []
    while size * (len(steps) + 1) <= row["optimal_length"] + 1 and not goal <= state:
        path = search(state, goal, propose, depth, alpha)
        nodes += path.nodes
        steps.append(path.steps[0])
        for action in steps[-1]:
            assert twin.is_legal(state, action)
            state = twin.apply(state, action)
    return Found(goal <= state, steps[0], nodes)


def letters(row: Any) -> str:
    return "".join(sorted("".join(row["init"])))
