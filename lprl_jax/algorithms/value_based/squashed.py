"""The squashed Gaussian: a policy over the open cube (-1, 1)^d.

    u = tanh(z),  z ~ N(μ, σ²),    log π(u) = Σ [log N(z; μ, σ) - log(1 - tanh² z)]

The density is that of u, in units of the cube, and not of the action u · half of the box: the two
differ by the constant Σ log half, and with it entropies mean the same in every box.

Reference: Haarnoja et al. 2018, Soft Actor-Critic: Off-Policy Maximum Entropy Deep Reinforcement
Learning with a Stochastic Actor, arXiv 1801.01290, appendix C.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

LOG_SIGMA = (-5.0, 2.0)
"""Bounds of log σ. A network's output is led between them by tanh, which keeps a gradient
everywhere, as CleanRL does; others clip."""


class Gaussian(NamedTuple):
    """Before squashing; leading axes as its states have them."""

    mean: jax.Array
    """f32[..., d]"""
    log_sigma: jax.Array
    """f32[..., d], in LOG_SIGMA."""


def of_outputs(outputs: jax.Array) -> Gaussian:
    """The policy that a network's outputs `f32[..., 2 d]` are: means, then spreads."""
    mean, raw = jnp.split(outputs, 2, axis=-1)
    low, high = LOG_SIGMA
    return Gaussian(mean, low + 0.5 * (high - low) * (jnp.tanh(raw) + 1.0))


def sample(key: chex.PRNGKey, policy: Gaussian) -> tuple[jax.Array, jax.Array]:
    """Points `f32[..., d]` of the cube, and their log-densities `f32[...]`.

    Differentiable in the policy: what is drawn is noise, of which both are functions.
    """
    noise = jax.random.normal(key, policy.mean.shape, policy.mean.dtype)
    z = policy.mean + jnp.exp(policy.log_sigma) * noise
    return jnp.tanh(z), log_prob(z, policy)


def log_prob(z: jax.Array, policy: Gaussian) -> jax.Array:
    """`f32[...]`: the log-density of u = tanh(z), where u itself may have been rounded to 1.

    log(1 - tanh² z) is taken as 2 (log 2 - z - softplus(-2 z)), which is exact for every z.
    """
    scaled = (z - policy.mean) * jnp.exp(-policy.log_sigma)
    normal = -0.5 * scaled**2 - policy.log_sigma - 0.5 * math.log(2.0 * math.pi)
    squashing = 2.0 * (math.log(2.0) - z - jax.nn.softplus(-2.0 * z))
    return jnp.sum(normal - squashing, axis=-1)


def mode(policy: Gaussian) -> jax.Array:
    """`f32[..., d]`: what the policy does without noise, tanh(μ)."""
    return jnp.tanh(policy.mean)
