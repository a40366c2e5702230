"""Draws from log-probabilities: by a key, or by numbers that were drawn beforehand."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp


def sample_proposals(key: chex.PRNGKey, log_probs: jax.Array, k: int) -> jax.Array:
    """`i32[..., k]` draws with replacement from `log_probs [..., A]`, which need not be normalised.

    Inverse CDF: one uniform a draw, where Gumbel noise would take one an action.
    """
    chance = jax.random.uniform(key, (*log_probs.shape[:-1], k), jnp.float32)
    return proposals_at(chance, log_probs)


def proposals_at(chance: jax.Array, log_probs: jax.Array) -> jax.Array:
    """As `sample_proposals`, by numbers in [0, 1) that were drawn beforehand, `f32[..., k]`."""
    return choose_at(chance, jnp.exp(log_probs - jnp.max(log_probs, axis=-1, keepdims=True)))


def choose_at(chance: jax.Array, weights: jax.Array) -> jax.Array:
    """`i32[..., k]`: indices with probability ∝ `weights [..., A]`, never of one that is 0.

    By numbers in [0, 1), `f32[..., k]`. The sums are rounded, and backends add in other orders: a
    sum may rise where a weight is 0, and the last may not exceed a number near 1. So only weights
    above 0 are looked at, and the last of these takes whatever is left. Of a row that has none the
    index is 0.
    """
    cdf = jnp.cumsum(weights, axis=-1)
    total, size = cdf[..., -1:], weights.shape[-1]
    is_possible = weights > 0
    last = size - 1 - jnp.argmax(is_possible[..., ::-1], axis=-1)
    cdf = jnp.where(jax.nn.one_hot(last, size, dtype=bool), jnp.inf, cdf)
    cdf = jnp.where(is_possible, cdf, -jnp.inf)
    return jnp.argmax(cdf[..., None, :] > (chance * total)[..., None], -1).astype(jnp.int32)
