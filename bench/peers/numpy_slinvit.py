"""SLINVIT's search without a language model, as one writes it in NumPy: vectorised over instances.

The heuristic proposes and judges. All nodes of a level, of all instances, are one array; nodes that
are not expanded and instances that are done are dropped from it. A state is the block below each
block, or TABLE or HAND; where nothing lies, a block is clear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TABLE, HAND, ABSENT = -1, -2, -3
NO_GOAL = -1
SOLVED = 1000.0


class Found(NamedTuple):
    """Of M instances."""

    solved: np.ndarray
    """bool[M]"""
    length: np.ndarray
    """i64[M]: actions executed."""
    nodes: np.ndarray
    """i64[M]: children made."""


class Level(NamedTuple):
    """X nodes of one depth, those of a tree together and in depth-first order."""

    tree: np.ndarray
    """i64[X]"""
    on: np.ndarray
    """i64[X, n]"""
    value: np.ndarray
    """f64[X]"""
    length: np.ndarray
    """i64[X]: actions from the root."""
    block: np.ndarray
    """i64[X]: what the path's first action moves, and to where."""
    target: np.ndarray
    """i64[X]"""


def solve(
    on: np.ndarray, goal: np.ndarray, budget: np.ndarray, order: np.ndarray, depth: int, k: int
) -> Found:
    """Search and execute the best path's first action, by turns.

    Args:
        on: i64[M, n], initial states.
        goal: i64[M, n], the block below each, or NO_GOAL.
        budget: i64[M], actions.
        order: i64[n], the blocks as a search tries them.
        depth: Of a search.
        k: Children of a node.
    """
    on = on.copy()
    length, nodes = np.zeros((2, len(on)), np.int64)
    playing = np.flatnonzero(~is_reached(on, goal) & (budget > 0))
    while playing.size:
        level, made = search(on[playing], goal[playing], order, depth, k)
        best = best_of(level)
        on[playing, level.block[best]] = level.target[best]
        nodes[playing] += made
        length[playing] += 1
        goes_on = ~is_reached(on[playing], goal[playing]) & (length[playing] < budget[playing])
        playing = playing[goes_on]
    return Found(is_reached(on, goal), length, nodes)


def search(
    on: np.ndarray, goal: np.ndarray, order: np.ndarray, depth: int, k: int
) -> tuple[Level, np.ndarray]:
    """The leaves of a tree in each state, and the nodes of each tree."""
    count = len(on)
    none = np.zeros(count, np.int64)
    level = Level(np.arange(count), on, np.zeros(count), none, none, none)
    nodes = none.copy()
    for _ in range(depth):
        level, made = grow(level, goal, order, k)
        nodes += np.bincount(level.tree[made], minlength=count)
    return level, nodes


def grow(level: Level, goal: np.ndarray, order: np.ndarray, k: int) -> tuple[Level, np.ndarray]:
    """The next level, and which of its nodes are new: a solved node stays as it is."""
    size, n = level.on.shape
    is_over = level.value == SOLVED
    (open_,) = np.nonzero(~is_over)
    on, tree = level.on[open_], level.tree[open_]
    block, target, legal = moves(on, order)
    after = np.repeat(on[:, None], n, axis=1)
    np.put_along_axis(after, block[..., None], target[..., None], axis=2)
    values = np.full(legal.shape, -np.inf)
    values[legal] = heuristic(after[legal], goal[np.repeat(tree, legal.sum(1))])
    chosen = np.argsort(-values, axis=1, kind="stable")[:, :k]
    value = np.take_along_axis(values, chosen, axis=1)
    is_there = value > -np.inf
    is_there[:, 1:] &= value[:, :1] != SOLVED  # a solved child is the only one
    rows = np.arange(len(open_))[:, None]

    # Places for k children a node; a solved node takes the first of its own.
    there, new = np.zeros((2, size, k), bool)
    there[is_over, 0] = True
    there[open_, : is_there.shape[1]] = new[open_, : is_there.shape[1]] = is_there
    parent, place = np.nonzero(there)
    made = new[parent, place]
    children = Level(*(x[parent] for x in level))
    children.on[made] = after[rows, chosen][is_there]
    children.value[made] = value[is_there]
    is_first = made & (children.length == 0)
    children.block[is_first] = block[rows, chosen][is_there][is_first[made]]
    children.target[is_first] = target[rows, chosen][is_there][is_first[made]]
    children.length[made] += 1
    return children, made


def best_of(level: Level) -> np.ndarray:
    """The leaf of each tree: of highest value, of these the shortest path, of these the first."""
    ranked = np.lexsort((np.arange(len(level.tree)), level.length, -level.value, level.tree))
    return ranked[np.unique(level.tree[ranked], return_index=True)[1]]


def moves(on: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Block, target and legality, `[X, n]`, in the order in which a search tries them.

    With an empty hand a move for each block, otherwise one onto each other block, then the table.
    """
    n = on.shape[1]
    is_held = on == HAND
    holds, held = is_held.any(1)[:, None], is_held.argmax(1)[:, None]
    clear = ~is_covered(on) & (on > HAND)
    rank = np.argsort(order)[held]
    slot = np.arange(n)
    other = order[np.minimum(slot + (slot >= rank), n - 1)]
    last = slot == n - 1
    block = np.where(holds, held, order)
    target = np.where(holds, np.where(last, TABLE, other), HAND)
    legal_target = last | np.take_along_axis(clear, other, axis=1)
    return block, target, np.where(holds, legal_target, clear[:, order])


def is_covered(on: np.ndarray) -> np.ndarray:
    """`bool[X, n]`: whether a block lies on it."""
    return (on[:, :, None] == np.arange(on.shape[1])).any(1)


def is_reached(on: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """`bool[X]`: whether all facts of the goal hold."""
    return ((goal == NO_GOAL) | (on == goal)).all(1)


def heuristic(on: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """`f64[X]`: SLINVIT's rule-based value."""
    lies_on = on[:, :, None] == np.arange(on.shape[1])
    covered, upper = lies_on.any(1), lies_on.argmax(1)
    above = np.zeros_like(on)
    for _ in range(on.shape[1] - 1):
        above = np.where(covered, 1 + np.take_along_axis(above, upper, axis=1), 0)
    clear = ~covered & (on > HAND)
    lower = np.maximum(goal, 0)
    ready = (on == HAND) & np.take_along_axis(clear, lower, axis=1)
    buried = above + np.take_along_axis(above, lower, axis=1)
    value = np.where(on == goal, 1.0, np.where(ready, 0.5, -buried))
    total = np.where(goal == NO_GOAL, 0.0, value).sum(1)
    return np.where(is_reached(on, goal), SOLVED, total)
