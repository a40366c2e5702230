"""Draws from log-probabilities: by a key, or by numbers that were drawn beforehand."""

from __future__ import annotations

import functools
import itertools

import chex
import jax
import jax.numpy as jnp

FEW = 8
"""Of so many actions each is written out: one pass over a batch, where sums along a short axis and
searches in it are passes of their own, of which each costs more than all of its arithmetic."""


def sample_proposals(key: chex.PRNGKey, log_probs: jax.Array, k: int) -> jax.Array:
    """`i32[..., k]` draws with replacement from `log_probs [..., A]`, which need not be normalised.

    Inverse CDF: one uniform a draw, where Gumbel noise would take one an action.
    """
    chance = jax.random.uniform(key, (*log_probs.shape[:-1], k), jnp.float32)
    return proposals_at(chance, log_probs)


def proposals_at(chance: jax.Array, log_probs: jax.Array) -> jax.Array:
    """As `sample_proposals`, by numbers in [0, 1) that were drawn beforehand, `f32[..., k]`."""
    return choose_at(chance, jnp.exp(log_probs - _highest(log_probs)))


def choose_at(chance: jax.Array, weights: jax.Array) -> jax.Array:
    """`i32[..., k]`: indices with probability ∝ `weights [..., A]`, never of one that is 0.

    By numbers in [0, 1), `f32[..., k]`. The sums are rounded, and backends add in other orders: a
    sum may rise where a weight is 0, and the last may not exceed a number near 1. So only weights
    above 0 are looked at, and the last of these takes whatever is left. Of a row that has none the
    index is 0.
    """
    if weights.shape[-1] <= FEW:
        return _choose_among_few(chance, weights)
    return _choose_among_many(chance, weights)


def _columns(x: jax.Array) -> list[jax.Array]:
    """`[..., A]` as A of `[..., 1]`."""
    return [x[..., i : i + 1] for i in range(x.shape[-1])]


def _highest(x: jax.Array) -> jax.Array:
    """`[..., 1]` of `[..., A]`."""
    if x.shape[-1] <= FEW:
        return functools.reduce(jnp.maximum, _columns(x))
    return jnp.max(x, axis=-1, keepdims=True)


def _choose_among_few(chance: jax.Array, weights: jax.Array) -> jax.Array:
    """`choose_at`, written out."""
    of_each = _columns(weights)
    sums = list(itertools.accumulate(of_each))
    point = chance * sums[-1]
    chosen, is_last = jnp.zeros(point.shape, jnp.int32), jnp.bool_(True)
    for i in reversed(range(len(sums))):  # the first that fits is written last
        is_possible = of_each[i] > 0
        chosen = jnp.where(is_possible & (is_last | (sums[i] > point)), i, chosen)
        is_last &= ~is_possible
    return chosen


def _choose_among_many(chance: jax.Array, weights: jax.Array) -> jax.Array:
    """`choose_at` of any number of actions."""
    cdf = jnp.cumsum(weights, axis=-1)
    total, size = cdf[..., -1:], weights.shape[-1]
    is_possible = weights > 0
    last = size - 1 - jnp.argmax(is_possible[..., ::-1], axis=-1)
    cdf = jnp.where(jax.nn.one_hot(last, size, dtype=bool), jnp.inf, cdf)
    cdf = jnp.where(is_possible, cdf, -jnp.inf)
    return jnp.argmax(cdf[..., None, :] > (chance * total)[..., None], -1).astype(jnp.int32)
