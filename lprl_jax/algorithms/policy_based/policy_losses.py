"""Losses of policies on one example, in rlax's notation.

`log_pi [A]` are a policy's log-probabilities in the state acted in, -inf where illegal; `log_p [A]`
are the prior's. Vmap them over a batch.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def of_action(log_pi: jax.Array, action: jax.Array) -> jax.Array:
    """`log π(a)`, `f32[...]` of `f32[..., A]` and `i32[...]`.

    Summed behind a mask, for the gradient of looking it up scatters, which is slow on CPUs.
    """
    taken = jax.nn.one_hot(action, log_pi.shape[-1], dtype=bool)
    return jnp.sum(jnp.where(taken, log_pi, 0.0), axis=-1)


def clipped_surrogate_loss(
    log_pi_a: jax.Array, log_mu_a: jax.Array, advantage: jax.Array, epsilon: jax.Array | float
) -> jax.Array:
    """`-min(ρ A, clip(ρ, 1 - ε, 1 + ε) A)`, `ρ = π(a) / μ(a)`, μ being what acted. `f32[]`.

    At ρ = 1, as in a batch's first step, its gradient is the policy gradient's, `-A ∇log π(a)`.

    Reference: Schulman et al. 2017, Proximal Policy Optimization, arXiv 1707.06347, eq. 7.
    """
    ratio = jnp.exp(log_pi_a - log_mu_a)
    clipped = jnp.clip(ratio, 1.0 - epsilon, 1.0 + epsilon)
    return -jnp.minimum(ratio * advantage, clipped * advantage)


def clipped_value_loss(
    v_tm1: jax.Array, v_before: jax.Array, target: jax.Array, epsilon: jax.Array | float
) -> jax.Array:
    """`½ max((v - target)², (v_clipped - target)²)`, `v_clipped` within ε of `v_before`. `f32[]`.

    ε = inf is the squared error.
    """
    clipped = v_before + jnp.clip(v_tm1 - v_before, -epsilon, epsilon)
    return 0.5 * jnp.maximum(jnp.square(v_tm1 - target), jnp.square(clipped - target))


def entropy(log_pi: jax.Array) -> jax.Array:
    """`-Σ_a π(a) log π(a)`. `f32[]`."""
    return -jnp.sum(jnp.exp(log_pi) * _finite(log_pi))


def kl(log_pi: jax.Array, log_p: jax.Array) -> jax.Array:
    """`KL(π ‖ p) = Σ_a π(a) log(π(a) / p(a))`, infinite if p excludes a legal action. `f32[]`."""
    gain = jnp.where(log_pi == -jnp.inf, 0.0, _finite(log_pi) - log_p)
    return jnp.sum(jnp.exp(log_pi) * gain)


def kl_from_proposals(log_pi_a: jax.Array, log_p_a: jax.Array) -> jax.Array:
    """`KL(π ‖ p)` estimated from k proposals `a_i ~ p`: mean of `ρ log ρ - (ρ - 1)`. `f32[]`.

    `ρ_i = π(a_i) / p(a_i)`. Without bias where p excludes nothing that π does, as is its gradient,
    for the proposals do not depend on π; `E_p[ρ] = 1`, so that what is taken off changes no mean,
    but leaves every term at 0 or above and much of the noise behind. Its variance grows with
    `E_p[ρ²]`: heavy where π likes what p does not.

    Args:
        log_pi_a: `f32[k]`: of the proposals.
        log_p_a: `f32[k]`: of the proposals.
    """
    log_ratio = log_pi_a - log_p_a
    ratio = jnp.exp(log_ratio)
    return jnp.mean(ratio * log_ratio - (ratio - 1.0))


def _finite(log_pi: jax.Array) -> jax.Array:
    """0 for illegal actions, so that 0 · log 0 is 0, and its gradient too."""
    return jnp.where(log_pi == -jnp.inf, 0.0, log_pi)
