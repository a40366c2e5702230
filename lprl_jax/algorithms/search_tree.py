"""Trees of states for B searches at once, level by level, and the best path in each.

Children of the node at place w stand at places k w, ..., k w + k - 1 of the next level, which has k
times as many places; a place may be empty. A node at which the search ends (solved or dead) is
carried along as its own first child, so that the last level holds all paths, in the order in which
a depth-first search would meet them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.asking import Asker
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import flatten, unflatten
from lprl_jax.priors.base import Counters, sample_proposals


class Nodes(NamedTuple):
    """A level: B trees, W places."""

    state: Any
    """Leaves [B, W, ...]"""
    is_there: jax.Array
    """bool[B, W]: whether a node stands in the place."""
    is_over: jax.Array
    """bool[B, W]: whether the search ends at it."""
    length: jax.Array
    """i32[B, W]: actions from the root."""
    returns: jax.Array
    """f32[B, W]: discounted rewards from the root."""
    support: jax.Array
    """f32[B, W]: sum of the prior's probabilities of these actions; 0 without a prior."""
    value: jax.Array
    """f32[B, W]: the heuristic, where it proposed; else 0."""
    action: jax.Array
    """i32[B, W]: the one that led here."""


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
    """Children of X nodes."""

    action: jax.Array
    """i32[X, k]"""
    is_there: jax.Array
    """bool[X, k]"""
    value: jax.Array
    """f32[X, k]: the heuristic there; 0 where it was not computed."""
    valuations: jax.Array
    """i32[X]: states of which it was."""


Propose = Callable[[chex.PRNGKey, Any, jax.Array, Any, Any], Proposed]
"""`(key, states [X], needed bool[X], log_probs f32[X, A] or (), env_params) -> proposed`; only what
is proposed in needed rows counts."""


def draws(env: Env, k: int) -> Propose:
    """K draws from the prior, with replacement: duplicates carry its weight, and are searched."""

    def propose(
        key: chex.PRNGKey, states: Any, needed: jax.Array, log_probs: Any, env_params: Any
    ) -> Proposed:
        actions, own = _of_legal(env, states, log_probs, env_params)
        place = sample_proposals(key, own, k)
        return _unvalued(actions, place, jnp.ones(place.shape, bool))

    return propose


def best(env: Env, k: int) -> Propose:
    """The prior's k most likely actions, or as many as there are."""

    def propose(
        key: chex.PRNGKey, states: Any, needed: jax.Array, log_probs: Any, env_params: Any
    ) -> Proposed:
        actions, own = _of_legal(env, states, log_probs, env_params)
        return _unvalued(actions, *highest(own, k))

    return propose


def by_heuristic(env: Env, k: int) -> Propose:
    """The k actions that lead where the heuristic is highest; among equals, those listed first."""

    def propose(
        key: chex.PRNGKey, states: Any, needed: jax.Array, log_probs: Any, env_params: Any
    ) -> Proposed:
        look = jax.vmap(env.look_ahead, in_axes=(0, None))
        actions, is_any, values = if_any(needed, look, states, env_params)
        place, is_there = highest(jnp.where(is_any, values, -jnp.inf), k)
        action, value = (jnp.take_along_axis(x, place, axis=1) for x in (actions, values))
        valuations = jnp.sum(is_any, axis=1, dtype=jnp.int32)
        return Proposed(action, is_there, jnp.where(is_there, value, 0.0), valuations)

    return propose


def _of_legal(
    env: Env, states: Any, log_probs: jax.Array, env_params: Any
) -> tuple[jax.Array, jax.Array]:
    """Legal actions of states `[X]`, `i32[X, L]`, and their log-probabilities; -inf of none."""
    actions, is_any = jax.vmap(env.legal_actions, in_axes=(0, None))(states, env_params)
    own = jnp.take_along_axis(log_probs, actions, axis=1)
    return actions, jnp.where(is_any, own, -jnp.inf)


def _unvalued(actions: jax.Array, place: jax.Array, is_there: jax.Array) -> Proposed:
    action = jnp.take_along_axis(actions, place, axis=1)
    none = jnp.zeros(place.shape[0], jnp.int32)
    return Proposed(action, is_there, jnp.zeros(place.shape), none)


def highest(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """Places `i32[X, k]` of the k highest of `scores [X, L]`, the first of equals first.

    And which of them there are, `bool[X, k]`: there are fewer where L < k or scores are -inf.
    """
    places = jnp.arange(scores.shape[1], dtype=jnp.int32)
    mine, other = scores[:, :, None], scores[:, None, :]
    is_ahead = (other > mine) | ((other == mine) & (places[None, :] < places[:, None])[None])
    rank = jnp.where(scores > -jnp.inf, jnp.sum(is_ahead, axis=2), -1)
    is_at = rank[:, None, :] == jnp.arange(k)[None, :, None]
    return jnp.argmax(is_at, axis=2).astype(jnp.int32), jnp.any(is_at, axis=2)


def if_any(needed: jax.Array, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`; zeros of that shape if no row is needed, `bool[X]`.

    Compilers also keep the inside of a condition apart from what reads its results. Otherwise they
    fuse the two and compute the same anew for every reader, which takes several times as long.
    """
    shapes = jax.eval_shape(function, *arguments)

    def nothing(*_: Any) -> Any:
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    return jax.lax.cond(jnp.any(needed), function, nothing, *arguments)


def outcome(
    env: Env, state: Any, action: jax.Array, env_params: Any
) -> tuple[Any, jax.Array, jax.Array]:
    """The state, reward and termination that an action leads to, without chance."""
    _, states, rewards, terminated = env.transitions(state, action, env_params)
    return jax.tree.map(lambda x: x[0], states), rewards[0], terminated[0]


def roots(states: Any, is_there: jax.Array) -> Nodes:
    """A root a search, from states `[B]`; `is_there bool[B]`: the searches that are made."""
    place = is_there[:, None]
    none, nothing = jnp.zeros(place.shape, jnp.int32), jnp.zeros(place.shape)
    state = jax.tree.map(lambda x: x[:, None], states)
    return Nodes(state, place, ~place, none, nothing, nothing, nothing, none)


Grow = Callable[[chex.PRNGKey, Nodes, Data, Counters], tuple[Nodes, Cost, Counters]]
"""`(key, nodes [B, W], data, carry) -> (children [B, W k], cost, carry)`"""


def growth(env: Env, asker: Asker, propose: Propose, gamma: float) -> Grow:
    """How a level grows out of the one above.

    The prior, if there is one, is asked about every node that gets children. A child that is solved
    is the only one.
    """

    def follow(state: Any, action: jax.Array, env_params: Any) -> tuple[Any, ...]:
        after, reward, terminated = outcome(env, state, action, env_params)
        solved = env.is_solved(after, env_params)
        return after, reward, solved, solved | terminated

    def grow(
        key: chex.PRNGKey, nodes: Nodes, data: Data, carry: Counters
    ) -> tuple[Nodes, Cost, Counters]:
        num_trees, env_params = nodes.is_there.shape[0], data.env_params
        nodes = flatten(nodes)  # [X], X = B W
        expands = nodes.is_there & ~nodes.is_over
        told, carry = asker.ask(data, carry, nodes.state, expands)
        found = propose(key, nodes.state, expands, told.log_probs, env_params)
        k = found.action.shape[1]
        copies = jax.tree.map(lambda x: jnp.repeat(x, k, axis=0), nodes.state)
        after, reward, solved, is_over = unflatten(
            if_any(
                expands,
                jax.vmap(follow, (0, 0, None)),
                copies,
                found.action.reshape(-1),
                env_params,
            ),
            len(found.action),
        )
        is_there = _only_solved(found.is_there & expands[:, None], solved)
        parent = jax.tree.map(lambda x: x[:, None], nodes)
        children = Nodes(
            state=after,
            is_there=is_there,
            is_over=is_over,
            length=jnp.broadcast_to(parent.length + 1, is_there.shape),
            returns=parent.returns + gamma**parent.length * reward,
            support=parent.support + _probs(told.log_probs, found.action),
            value=found.value,
            action=found.action,
        )
        valuations = jnp.where(expands, found.valuations, 0)
        cost = Cost(jnp.sum(is_there, axis=1), expands, valuations)
        totals = [jnp.sum(x.reshape(num_trees, -1), axis=1, dtype=jnp.int32) for x in cost]
        level = unflatten(flatten(_carry_along(parent, children)), num_trees)
        return level, Cost(*totals), carry

    return grow


def _probs(log_probs: Any, action: jax.Array) -> jax.Array:
    """`f32[X, k]`: the prior's probabilities of these actions; 0 without a prior."""
    if not isinstance(log_probs, jax.Array):
        return jnp.zeros(action.shape)
    return jnp.exp(jnp.take_along_axis(log_probs, action, axis=1))


def _only_solved(is_there: jax.Array, solved: jax.Array) -> jax.Array:
    """`bool[X, k]`: of the children that are there, the first solved one alone, if there is any."""
    solved &= is_there
    first = jnp.argmax(solved, axis=1, keepdims=True)
    is_first = jnp.arange(solved.shape[1])[None] == first
    return is_there & (is_first | ~jnp.any(solved, axis=1, keepdims=True))


def _carry_along(parent: Nodes, children: Nodes) -> Nodes:
    """Children `[X, k]`, or in their place the parent `[X, 1]` itself where the search is over."""
    stays = parent.is_there & parent.is_over
    is_first = jnp.arange(children.action.shape[1])[None] == 0
    kept = parent._replace(is_there=stays & is_first)

    def choose(own: jax.Array, child: jax.Array) -> jax.Array:
        return jnp.where(stays.reshape(-1, *[1] * (own.ndim - 1)), own, child)

    return jax.tree.map(choose, kept, children)


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
        score: `f32[B, W]` of the last one's places.
    """
    last = levels[-1]
    score = jnp.where(last.is_there, score, -jnp.inf)
    top = jnp.max(score, axis=1)
    length = jnp.where(score == top[:, None], last.length, len(levels) + 1)
    leaf = jnp.argmin(length, axis=1, keepdims=True)
    places = score.shape[1]
    actions = [
        jnp.take_along_axis(level.action, leaf * level.action.shape[1] // places, axis=1)
        for level in levels
    ]
    found = jnp.take_along_axis(last.length, leaf, axis=1)[:, 0]
    return Path(jnp.concatenate(actions, axis=1), found, top)
