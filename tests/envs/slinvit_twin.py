"""SLINVIT's search in plain Python, on Blocks World's twin. It knows nothing of the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import envs.blocks_twin as twin


class Child(NamedTuple):
    action: twin.Fact
    state: twin.State
    prob: float = 0.0


class Path(NamedTuple):
    score: float
    length: int
    actions: tuple[twin.Fact, ...]
    nodes: int
    """Of the whole tree."""


class Found(NamedTuple):
    solved: bool
    first: twin.Fact
    """The first action of all."""
    nodes: int


Propose = Callable[[twin.State], list[Child]]


def in_order(state: twin.State, blocks: str) -> list[Child]:
    """All children, by the colour of the block that is taken or laid upon; put-down is last."""

    def order(child: Child) -> Any:
        name, *chosen = child.action
        return name == "put-down", twin.COLOUR[chosen[1] if name == "stack" else chosen[0]]

    return sorted((Child(*found) for found in twin.successors(state, blocks)), key=order)


def by_heuristic(goal: twin.State, blocks: str, k: int) -> Propose:
    """The k children of highest heuristic value; one that solves the goal alone."""

    def propose(state: twin.State) -> list[Child]:
        found = in_order(state, blocks)
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
        paths.append(Path(score, end.length + 1, (child.action, *end.actions), end.nodes + 1))
    best = max(paths, key=lambda path: (path.score, -path.length))  # the first of equal ones
    return best._replace(nodes=sum(path.nodes for path in paths))


def solve(row: Any, propose: Propose, depth: int, alpha: float = 0.0) -> Found:
    """Execute the first action of the best path, again and again, within L + 1 steps."""
    state, goal = twin.start(row["init"]), twin.goal_facts(row["goal"])
    nodes, actions = 0, []
    while len(actions) < row["optimal_length"] + 1 and not goal <= state:
        path = search(state, goal, propose, depth, alpha)
        nodes += path.nodes
        actions.append(path.actions[0])
        state = twin.apply(state, actions[-1])
    return Found(goal <= state, actions[0], nodes)


def letters(row: Any) -> str:
    return "".join(sorted("".join(row["init"])))
