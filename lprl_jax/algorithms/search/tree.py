"""Trees of states for B searches at once, level by level, and the best path in each.

Children of the node at place w stand at places k w, ..., k w + k - 1 of the next level, which has k
times as many places; a place may be empty. A node at which the search ends (solved or dead) is
carried along as its own first child, so that the last level holds all paths, in the order in which
a depth-first search would meet them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.asking import Asker
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.search.levels import (
    Nodes,
    follow,
    if_any,
    levels_of,
    over_nodes,
    pick,
    rows_of,
)
from lprl_jax.algorithms.search.proposals import Propose
from lprl_jax.priors.base import Counters


class Cost(NamedTuple):
    """What B searches took."""

    nodes: jax.Array
    """i32[B]: children made."""
    expanded: jax.Array
    """i32[B]: nodes that have children; about each a prior is asked once."""
    valuations: jax.Array
    """i32[B]: states of which the heuristic was computed, or from which roll-outs were made."""

    @staticmethod
    def zero(num_trees: int) -> Cost:
        """Nothing yet."""
        none = jnp.zeros(num_trees, jnp.int32)
        return Cost(none, none, none)


def roots(states: Any, is_there: jax.Array) -> Nodes:
    """A root a search, from states `[..., B]`; `is_there bool[B]`: the searches that are made."""
    place = is_there[None]
    none, nothing = jnp.zeros(place.shape, jnp.int32), jnp.zeros(place.shape, jnp.float32)
    state = jax.tree.map(lambda x: x[..., None, :], states)
    return Nodes(state, place, ~place, none, nothing, nothing, nothing, none)


Grow = Callable[[chex.PRNGKey, Nodes, Data, Counters], tuple[Nodes, Cost, Counters]]
"""`(key, nodes [W, B], data, carry) -> (children [W k, B], cost, carry)`"""


def growth(env: Env, asker: Asker, propose: Propose, gamma: float) -> Grow:
    """How a level grows out of the one above.

    The prior, if there is one, is asked about every node that gets children. A child that is solved
    is the only one.
    """

    def grow(
        key: chex.PRNGKey, nodes: Nodes, data: Data, carry: Counters
    ) -> tuple[Nodes, Cost, Counters]:
        expands = nodes.is_there & ~nodes.is_over
        told, carry = asker.ask(data, carry, rows_of(nodes.state), rows_of(expands))
        log_probs = _of_legal(env, nodes, told.log_probs, data.env_params)
        found = propose(key, nodes, expands, log_probs, data.env_params)
        move = functools.partial(follow, env)
        after = if_any(expands, move, nodes.state, found.place, data.env_params)
        solved = after.is_solved if isinstance(found.is_solved, tuple) else found.is_solved
        is_there = _only_solved(found.is_there & expands[:, None], solved)
        length, returns, support = (
            x[:, None] for x in (nodes.length, nodes.returns, nodes.support)
        )
        children = Nodes(
            state=after.state,
            is_there=is_there,
            is_over=after.is_over,
            length=jnp.broadcast_to(length + 1, is_there.shape),
            returns=returns + gamma**length * after.reward,
            support=support + _probs(log_probs, found.place),
            value=found.value,
            action=after.action,
        )
        cost = Cost(
            nodes=jnp.sum(is_there, axis=(0, 1), dtype=jnp.int32),
            expanded=jnp.sum(expands, axis=0, dtype=jnp.int32),
            valuations=jnp.sum(found.valuations, axis=0, where=expands, dtype=jnp.int32),
        )
        return _carry_along(nodes, children), cost, carry

    return grow


def _of_legal(env: Env, nodes: Nodes, log_probs: Any, env_params: Any) -> Any:
    """`f32[L, W, B]`: the prior's log-probabilities of the legal actions; () without a prior."""
    if not isinstance(log_probs, jax.Array):
        return ()
    actions, is_any = over_nodes(env.legal_actions)(nodes.state, env_params)
    own = jnp.take_along_axis(log_probs, rows_of(actions), axis=1)
    return jnp.where(is_any, levels_of(own, actions.shape[-1]), -jnp.inf)


def _probs(log_probs: Any, place: jax.Array) -> jax.Array:
    """`f32[W, k, B]`: the prior's probabilities; 0 without a prior."""
    is_told = isinstance(log_probs, jax.Array)
    return pick(jnp.exp(log_probs), place) if is_told else jnp.zeros(place.shape, jnp.float32)


def _only_solved(is_there: jax.Array, solved: jax.Array) -> jax.Array:
    """`bool[W, k, B]`: of the children there the first solved one alone, if there is any."""
    k = solved.shape[1]
    number = jnp.arange(k, dtype=jnp.int32)[None, :, None]
    first = jnp.min(jnp.where(solved & is_there, number, k), axis=1, keepdims=True)
    return is_there & ((number == first) | (first == k))


def _carry_along(nodes: Nodes, children: Nodes) -> Nodes:
    """Children `[W k, B]`, or in their place the node itself where its search is over."""
    stays = (nodes.is_there & nodes.is_over)[:, None]
    is_first = jnp.arange(children.action.shape[1], dtype=jnp.int32)[None, :, None] == 0
    kept = jax.tree.map(lambda x: x[..., None, :], nodes)._replace(is_there=stays & is_first)

    def choose(own: jax.Array, child: jax.Array) -> jax.Array:
        choice = stays.reshape(*[1] * (own.ndim - 3), *stays.shape)
        chosen = jnp.where(choice, own, child)
        return chosen.reshape(*chosen.shape[:-3], -1, chosen.shape[-1])

    level = jax.tree.map(choose, kept, children)
    # All are of one instance. Said so, what is of the instance is looked up once for a tree.
    instance = jnp.broadcast_to(nodes.state.instance[:1], level.is_there.shape)
    return level._replace(state=dataclasses.replace(level.state, instance=instance))


class Path(NamedTuple):
    """The best path of each of B trees."""

    action: jax.Array
    """i32[B, N]"""
    length: jax.Array
    """i32[B]: its actions; those behind mean nothing, nor does a path of a search not made."""
    score: jax.Array
    """f32[B]"""


def best_path(levels: Sequence[Nodes], score: jax.Array) -> Path:
    """The path of highest score: among equals the shortest, among these the first.

    Args:
        levels: Those below the root, N of them.
        score: `f32[W, B]` of the last one's places.
    """
    last = levels[-1]
    score = jnp.where(last.is_there, score, -jnp.inf)
    top = jnp.max(score, axis=0)
    length = jnp.where(score == top[None], last.length, len(levels) + 1)
    shortest = jnp.min(length, axis=0)
    place = jnp.arange(len(score), dtype=jnp.int32)[:, None]
    leaf = jnp.min(jnp.where(length == shortest[None], place, len(score)), axis=0)
    actions = []
    for level in levels:
        places = len(level.action)
        is_on_path = place[:places] == leaf[None] // (len(score) // places)
        actions.append(jnp.sum(level.action, axis=0, where=is_on_path, dtype=jnp.int32))
    return Path(jnp.stack(actions, axis=1), shortest, top)
