"""Levels of search trees: W places in each of B trees, and what is done to all of them at once.

The trees are the last axis of all arrays, and what is picked is picked by comparison, not by a
gather: all of it is then arithmetic on long vectors. A pick looks at all that it can choose from,
so that this is for tens of legal actions, not thousands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs.text_env_data import Successor

from lprl_jax.algorithms.base import Env


class Nodes(NamedTuple):
    """A level: W places in each of B trees."""

    state: Any
    """Leaves [..., W, B]; a tree's nodes are all of one instance, empty places too."""
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


def if_any(needed: jax.Array, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`; zeros of that shape if nothing is needed, `bool[...]`.

    Compilers also keep the inside of a condition apart from what reads its results. Otherwise they
    fuse the two and compute the same anew for every reader.
    """
    shapes = jax.eval_shape(function, *arguments)

    def nothing(*_: Any) -> Any:
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    return jax.lax.cond(jnp.any(needed), function, nothing, *arguments)
