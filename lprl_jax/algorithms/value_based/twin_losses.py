"""Values and losses of a policy that climbs two critics, on one example, in rlax's notation.

Two critics err apart, and the smaller of their values is believed: what one of them overrates is
then not climbed (Fujimoto et al. 2018, arXiv 1802.09477). `q [2]` are their values of one action,
`q [2, A]` of all; `temperature` is what a nat of entropy is worth (Haarnoja et al. 2018,
arXiv 1812.05905). Of numbered actions every expectation is exact, and illegal ones have
log π = -inf (Christodoulou 2019, arXiv 1910.07207).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def twin_td_loss(
    q_tm1: jax.Array, r_t: jax.Array, discount_t: jax.Array, v_t: jax.Array
) -> jax.Array:
    """`Σ_i (r_t + discount_t · v_t - q_tm1[i])²`, the target held fixed; `q_tm1 [2]`. `f32[]`."""
    target = jax.lax.stop_gradient(r_t + discount_t * v_t)
    return jnp.sum(jnp.square(target - q_tm1))


def twin_value(q_t: jax.Array) -> jax.Array:
    """`min_i q_t[i]`, of one action or of A; TD3's bootstrap. `f32[]` or `f32[A]`.

    By a comparison of the two. The gradient of `jnp.min` looks for the values that equal it, and
    where a compiler computes a value twice and rounds otherwise it finds none, and is nan.
    """
    return jnp.where(q_t[0] < q_t[1], q_t[0], q_t[1])


def soft_value(q_t: jax.Array, log_pi_t: jax.Array, temperature: jax.Array | float) -> jax.Array:
    """`min_i q_t[i] - temperature · log π`, of an action drawn from π; SAC's bootstrap. `f32[]`."""
    return twin_value(q_t) - temperature * log_pi_t


def soft_policy_loss(q: jax.Array, log_pi: jax.Array, temperature: jax.Array | float) -> jax.Array:
    """`temperature · log π - min_i q[i]`, of an action drawn from π: minus its value. `f32[]`."""
    return -soft_value(q, log_pi, temperature)


def temperature_loss(
    log_temperature: jax.Array, entropy: jax.Array, target_entropy: jax.Array
) -> jax.Array:
    """`exp(log_temperature) · (entropy - target_entropy)`: falls where there is too much. `f32[]`.

    `entropy` is the policy's, or -log π of an action that was drawn from it.
    """
    return jnp.exp(log_temperature) * jax.lax.stop_gradient(entropy - target_entropy)


def entropy(log_pi: jax.Array) -> jax.Array:
    """`-Σ_a π(a) log π(a)`, over actions that can be drawn; `log_pi [A]`. `f32[]`."""
    return -expectation(log_pi, log_pi)


def expected_soft_value(
    q_t: jax.Array, log_pi_t: jax.Array, temperature: jax.Array | float
) -> jax.Array:
    """`Σ_a π(a) [min_i q_t[i, a] - temperature · log π(a)]`. `f32[]`."""
    return expectation(twin_value(q_t), log_pi_t) + temperature * entropy(log_pi_t)


def expected_soft_policy_loss(
    q: jax.Array, log_pi: jax.Array, temperature: jax.Array | float
) -> jax.Array:
    """`Σ_a π(a) [temperature · log π(a) - min_i q[i, a]]`, the values held fixed. `f32[]`."""
    return -expected_soft_value(jax.lax.stop_gradient(q), log_pi, temperature)


def expectation(x: jax.Array, log_pi: jax.Array) -> jax.Array:
    """`Σ_a π(a) x[a]`; what cannot be drawn counts nothing, whatever its x, its gradient too."""
    possible = log_pi > -jnp.inf
    pi = jnp.exp(jnp.where(possible, log_pi, 0.0))
    return jnp.sum(jnp.where(possible, pi * jnp.where(possible, x, 0.0), 0.0))
