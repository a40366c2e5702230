"""What keeps a policy near a prior: KL(π ‖ p), exact, or estimated from k proposals.

Three kinds, by one signature, so that an algorithm reads the same with each of them.

Reference: Yan et al. 2024, arXiv 2410.07927 (GFlan-Prior: k = 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lprl_jax.algorithms.base import EXACT
from lprl_jax.algorithms.policy_based import policy_losses
from lprl_jax.priors.base import Prior
from lprl_jax.priors.sampling import sample_proposals


class Divergence(NamedTuple):
    """Of one run; N states, `log_probs f32[N, A]` the prior's."""

    remember: Callable[[Any, Any], Any]
    """`(key, log_probs) -> kept [N, ...]`: what a roll-out keeps of the prior."""
    measure: Callable[[jax.Array, Any], jax.Array]
    """`(log_pi [A], kept) -> f32[]`: of one state."""


class Proposals(NamedTuple):
    """Actions drawn from a prior, duplicates kept."""

    actions: jax.Array
    """i32[..., k]"""
    log_probs: jax.Array
    """f32[..., k]: by which they were drawn."""


def of(prior: Prior | None, k: int | str) -> Divergence:
    """The kind that belongs to a prior, or to none, and to k."""
    if prior is None:
        return without_prior()
    return exact() if k == EXACT else from_proposals(int(k))


def without_prior() -> Divergence:
    """From nothing: 0."""
    return Divergence(
        remember=lambda key, log_probs: (), measure=lambda log_pi, kept: jnp.float32(0.0)
    )


def exact() -> Divergence:
    """Summed over all actions."""
    return Divergence(remember=lambda key, log_probs: log_probs, measure=policy_losses.kl)


def from_proposals(k: int) -> Divergence:
    """Estimated from k actions that are drawn when the state is met."""

    def remember(key: Any, log_probs: Any) -> Proposals:
        actions = sample_proposals(key, log_probs, k)
        return Proposals(actions, jnp.take_along_axis(log_probs, actions, axis=-1))

    return Divergence(
        remember,
        lambda log_pi, kept: policy_losses.kl_from_proposals(log_pi[kept.actions], kept.log_probs),
    )
