"""Values and losses on one example, in rlax's notation.

`q_tm1 [A]` are the values of the state acted in, `a_tm1` what was done there, `r_t` and
`discount_t` what came of it (the discount is 0 after termination, not after truncation), `q_t [A]`
the values of the next state. Vmap them over a batch.
"""

import jax
import jax.numpy as jnp


def greedy_value(q_t: jax.Array, legal_t: jax.Array) -> jax.Array:
    """`max_a q_t[a]` over legal actions; the bootstrap of DQN. `f32[]`."""
    return jnp.max(jnp.where(legal_t, q_t, -jnp.inf))


def proposals_value(q_t: jax.Array, proposals_t: jax.Array) -> jax.Array:
    """`max_i q_t[proposals_t[i]]`, `proposals_t i32[k]`; the bootstrap of DQN-Prior. `f32[]`."""
    return jnp.max(q_t[proposals_t])


def soft_value(q_t: jax.Array, log_prior_t: jax.Array, alpha: jax.Array | float) -> jax.Array:
    """`α log Σ_a p(a) exp(q_t[a] / α)`: DQN-Prior's bootstrap with exact k. `f32[]`.

    Of several states `[..., A]` at once, too.
    """
    return alpha * jax.nn.logsumexp(log_prior_t + q_t / alpha, axis=-1)


def td_loss(
    q_tm1: jax.Array,
    a_tm1: jax.Array,
    r_t: jax.Array,
    discount_t: jax.Array,
    v_t: jax.Array,
) -> jax.Array:
    """`½ (r_t + discount_t · v_t - q_tm1[a_tm1])²`, the target held fixed. `f32[]`."""
    target = jax.lax.stop_gradient(r_t + discount_t * v_t)
    return 0.5 * jnp.square(target - q_tm1[a_tm1])
