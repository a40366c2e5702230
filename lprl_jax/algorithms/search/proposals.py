"""Which actions become a node's children: draws from a prior, its best, or a heuristic's best."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.base import Env
from lprl_jax.algorithms.search.levels import Nodes, if_any, over_nodes, pick, rows_of
from lprl_jax.priors.sampling import sample_proposals


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


def draws(k: int) -> Propose:
    """K draws from the prior, with replacement: duplicates carry its weight, and are searched."""

    def propose(
        key: chex.PRNGKey, nodes: Nodes, needed: jax.Array, log_probs: Any, env_params: Any
    ) -> Proposed:
        num_places, num_trees = nodes.is_there.shape
        place = sample_proposals(key, rows_of(log_probs), k).reshape(num_trees, num_places, k)
        return _unvalued(jnp.moveaxis(place, 0, -1), jnp.ones((num_places, k, num_trees), bool))

    return propose


def best(k: int) -> Propose:
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
        # Added up one by one: a sum over a leading axis is not made of vector instructions.
        are_there = [(x > -jnp.inf).astype(jnp.int32) for x in values]
        return Proposed(
            place=place,
            is_there=is_there,
            value=jnp.where(is_there, pick(values, place), 0.0),
            is_solved=pick(solved, place),
            valuations=functools.reduce(jnp.add, are_there),
        )

    return propose


def _unvalued(place: jax.Array, is_there: jax.Array) -> Proposed:
    none = jnp.zeros((place.shape[0], place.shape[2]), jnp.int32)
    return Proposed(place, is_there, jnp.zeros(place.shape, jnp.float32), (), none)


def highest(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """Places `i32[W, k, B]` of the k highest of `scores [L, W, B]`, the first of equals first.

    And which of them there are, `bool[W, k, B]`: there are fewer where L < k or scores are -inf.
    """
    left, places = list(scores), []
    for _ in range(k):
        top = jnp.full_like(left[0], -jnp.inf)
        place = jnp.full(left[0].shape, len(left), jnp.int32)
        for i, score in enumerate(left):
            is_higher = score > top
            top, place = jnp.where(is_higher, score, top), jnp.where(is_higher, i, place)
        places.append(place)
        left = [jnp.where(place == i, -jnp.inf, score) for i, score in enumerate(left)]
    place = jnp.stack(places, axis=1)
    return place, place < len(left)
