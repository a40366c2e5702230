"""Trees of states for B searches at once, level by level, and the best path in each.

Children of the node at place w stand at places k w, ..., k w + k - 1 of the next level, which has k
times as many places; a place may be empty. A node at which the search ends (solved or dead) is
carried along as its own first child, so that the last level holds all paths, in the order in which
a depth-first search would meet them.

The trees are the last axis of all arrays, and what is picked is picked by comparison, not by
gathers: all of it is then arithmetic on long vectors, and several times as fast.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs.text_env import Successor

from lprl_jax.algorithms.asking import Asker
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.priors.base import Counters, sample_proposals


class Nodes(NamedTuple):
    """A level: W places in each of B trees."""

    state: Any
    """Leaves [..., W, B]; a tree's nodes are all of one instance."""
    is_there: jax.Array
    """bool[W, B]: whether a node stands in the place."""
    is_over: jax.Array
    """bool[W, B]: whether the search ends at it."""
    length: jax.Array
    """i32[W, B]: actions from the root."""
    returns: jax.Array
    """f32[W, B]: discounted rewards from the root."""
    support: jax.Array
    """f32[W, B]: sum of the prior's probabilities of these actions; 0 without a prior."""
    value: jax.Array
    """f32[W, B]: the heuristic, where it proposed; else 0."""
    action: jax.Array
    """i32[W, B]: the one that led here."""


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


class Proposed(NamedTuple):
    """Children of a level's nodes."""

    place: jax.Array
    """i32[W, k, B]: each by its place among the legal actions."""
    is_there: jax.Array
    """bool[W, k, B]"""
    value: jax.Array
    """f32[W, k, B]: the heuristic there; 0 where it was not computed."""
    is_solved: Any
    """bool[W, k, B]; () where that is not known yet."""
    valuations: jax.Array
    """i32[W, B]: states of which the heuristic was computed."""


Propose = Callable[[chex.PRNGKey, Nodes, jax.Array, Any, Any], Proposed]
"""`(key, nodes [W, B], needed bool[W, B], log_probs f32[L, W, B] or (), env_params) -> proposed`;
the prior's of the legal actions, -inf of none."""


def draws(env: Env, k: int) -> Propose:
    """K draws from the prior, with replacement: duplicates carry its weight, and are searched."""

    def propose(
        key: chex.PRNGKey, nodes: Nodes, needed: jax.Array, log_probs: Any, env_params: Any
    ) -> Proposed:
        num_places, num_trees = nodes.is_there.shape
        place = sample_proposals(key, rows_of(log_probs), k).reshape(num_trees, num_places, k)
        return _unvalued(jnp.moveaxis(place, 0, -1), jnp.ones((num_places, k, num_trees), bool))

    return propose


def best(env: Env, k: int) -> Propose:
    """The prior's k most likely actions, or as many as there are."""

    def propose(
        key: chex.PRNGKey, nodes: Nodes, needed: jax.Array, log_probs: Any, env_params: Any
    ) -> Proposed:
        return _unvalued(*highest(log_probs, k))

    return propose


def by_heuristic(env: Env, k: int) -> Propose:
    """The k actions that lead where the heuristic is highest; among equals, those listed first."""

    def propose(
        key: chex.PRNGKey, nodes: Nodes, needed: jax.Array, log_probs: Any, env_params: Any
    ) -> Proposed:
        look = over_nodes(env.look_ahead)
        values, solved = if_any(needed, look, nodes.state, env_params)
        place, is_there = if_any(needed, functools.partial(highest, k=k), values)
        return Proposed(
            place=place,
            is_there=is_there,
            value=jnp.where(is_there, pick(values, place), 0.0),
            is_solved=pick(solved, place),
            valuations=sum((x > -jnp.inf).astype(jnp.int32) for x in values),
        )

    return propose


def _unvalued(place: jax.Array, is_there: jax.Array) -> Proposed:
    none = jnp.zeros((place.shape[0], place.shape[2]), jnp.int32)
    return Proposed(place, is_there, jnp.zeros(place.shape), (), none)


def highest(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """Places `i32[W, k, B]` of the k highest of `scores [L, W, B]`, the first of equals first.

    And which of them there are, `bool[W, k, B]`: there are fewer where L < k or scores are -inf.
    """
    many = len(scores)
    place = jnp.full((1, 1, 1), many)
    for i, mine in enumerate(scores):
        ahead = [scores[j] >= mine if j < i else scores[j] > mine for j in range(many) if j != i]
        rank = sum((x.astype(jnp.int32) for x in ahead), jnp.int32(0))
        is_at = (rank[:, None] == jnp.arange(k)[None, :, None]) & (mine > -jnp.inf)[:, None]
        place = jnp.where(is_at, i, place)
    return place, place < many


def if_any(needed: jax.Array, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`; zeros of that shape if nothing is needed, `bool[...]`.

    Compilers also keep the inside of a condition apart from what reads its results. Otherwise they
    fuse the two and compute the same anew for every reader, which takes several times as long.
    """
    shapes = jax.eval_shape(function, *arguments)

    def nothing(*_: Any) -> Any:
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    return jax.lax.cond(jnp.any(needed), function, nothing, *arguments)


# -- functions of one state, over levels of them -------------------------------------------------


def over_nodes(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of `(state, env_params)` as one of levels: states `[..., W, B]`."""

    def of_tree(states: Any, env_params: Any) -> Any:
        states, axes = _of_one_instance(states, -1)
        return jax.vmap(function, in_axes=(axes, None), out_axes=-1)(states, env_params)

    return jax.vmap(of_tree, in_axes=(-1, None), out_axes=-1)


def follow(env: Env, states: Any, place: jax.Array, env_params: Any) -> Successor:
    """Leaves `[..., W, k, B]`: where the actions at `place [W, k, B]` lead from `[..., W, B]`."""

    def of_tree(states: Any, place: jax.Array) -> Successor:
        states, axes = _of_one_instance(states, -1)
        from_all = jax.vmap(env.successor, in_axes=(axes, -1, None), out_axes=-1)
        return jax.vmap(lambda p: from_all(states, p, env_params), in_axes=-1, out_axes=-1)(place)

    return jax.vmap(of_tree, in_axes=-1, out_axes=-1)(states, place)


def _of_one_instance(states: Any, axis: int) -> tuple[Any, Any]:
    """The same, and how to map them, so that their instance is looked up once for all of them."""
    axes = dataclasses.replace(jax.tree.map(lambda _: axis, states), instance=None)
    return dataclasses.replace(states, instance=states.instance[0]), axes


def rows_of(tree: Any) -> Any:
    """`[..., W, B]` leaves to `[B W, ...]`: a row a node, as priors take them."""

    def flat(x: jax.Array) -> jax.Array:
        return jnp.moveaxis(x, (-1, -2), (0, 1)).reshape(-1, *x.shape[:-2])

    return jax.tree.map(flat, tree)


def levels_of(tree: Any, num_trees: int) -> Any:
    """`[B W, ...]` leaves to `[..., W, B]`: the inverse of `rows_of`."""

    def unflat(x: jax.Array) -> jax.Array:
        return jnp.moveaxis(x.reshape(num_trees, -1, *x.shape[1:]), (0, 1), (-1, -2))

    return jax.tree.map(unflat, tree)


def pick(x: jax.Array, place: jax.Array) -> jax.Array:
    """`[..., W, k, B]`: of `x [L, ..., W, B]` what stands at `place [W, k, B]`."""
    options = [option[..., None, :] for option in x]
    found = jnp.broadcast_to(options[0], (*x.shape[1:-1], *place.shape[-2:]))
    for i, option in enumerate(options[1:], 1):
        found = jnp.where(place.reshape(*[1] * (found.ndim - 3), *place.shape) == i, option, found)
    return found


# -- growth --------------------------------------------------------------------------------------


def roots(states: Any, is_there: jax.Array) -> Nodes:
    """A root a search, from states `[..., B]`; `is_there bool[B]`: the searches that are made."""
    place = is_there[None]
    none, nothing = jnp.zeros(place.shape, jnp.int32), jnp.zeros(place.shape)
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
            valuations=jnp.sum(jnp.where(expands, found.valuations, 0), axis=0),
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
    return pick(jnp.exp(log_probs), place) if is_told else jnp.zeros(place.shape)


def _only_solved(is_there: jax.Array, solved: jax.Array) -> jax.Array:
    """`bool[W, k, B]`: of the children there the first solved one alone, if there is any."""
    k = solved.shape[1]
    number = jnp.arange(k)[None, :, None]
    first = jnp.min(jnp.where(solved & is_there, number, k), axis=1, keepdims=True)
    return is_there & ((number == first) | (first == k))


def _carry_along(nodes: Nodes, children: Nodes) -> Nodes:
    """Children `[W, k, B]` in a line, or in their place the node itself where its search is over."""
    stays = (nodes.is_there & nodes.is_over)[:, None]
    is_first = jnp.arange(children.action.shape[1])[None, :, None] == 0
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
    """i32[B]: its actions; those behind mean nothing."""
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
        is_on_path = place[: len(level.action)] == leaf[None] * len(level.action) // len(score)
        actions.append(jnp.sum(jnp.where(is_on_path, level.action, 0), axis=0))
    return Path(jnp.stack(actions, axis=1), shortest, top)
