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


def cql_penalty(q_tm1: jax.Array, a_tm1: jax.Array, legal_tm1: jax.Array) -> jax.Array:
    """`log Σ_a exp(q_tm1[a]) - q_tm1[a_tm1]` over legal actions, of which a_tm1 is one. `f32[]`.

    Reference: Kumar et al. 2020, Conservative Q-Learning, arXiv 2006.04779, eq. 4 (CQL(H)).
    """
    return jax.nn.logsumexp(jnp.where(legal_tm1, q_tm1, -jnp.inf)) - q_tm1[a_tm1]


def proposals_cql_penalty(
    q_tm1: jax.Array, a_tm1: jax.Array, proposals_tm1: jax.Array
) -> jax.Array:
    """The same over the proposals `i32[k]`, duplicates counted, and a_tm1; CQL-Prior's. `f32[]`.

    The data's own action is counted beside the proposals, so that it is never below 0.
    """
    among = jnp.append(proposals_tm1, a_tm1)
    return jax.nn.logsumexp(q_tm1[among]) - q_tm1[a_tm1]


def soft_cql_penalty(
    q_tm1: jax.Array, a_tm1: jax.Array, log_prior_tm1: jax.Array, alpha: jax.Array | float
) -> jax.Array:
    """`α log Σ_a p(a) exp(q_tm1[a] / α) - q_tm1[a_tm1]`: CQL-Prior's with exact k. `f32[]`.

    It is `α log p(a_tm1) - α log π(a_tm1)` with the posterior π ∝ p exp(q / α): the behaviour by
    which a learner with exact k acts is made to predict the data. An action to which the prior
    gives nothing joins with weight 1, so that the penalty is not below 0 there.
    """
    log_prior = log_prior_tm1[a_tm1]
    joined = jnp.where(log_prior == -jnp.inf, 0.0, log_prior)
    return soft_value(q_tm1, log_prior_tm1.at[a_tm1].set(joined), alpha) - q_tm1[a_tm1]


def cross_entropy(logits_tm1: jax.Array, a_tm1: jax.Array, legal_tm1: jax.Array) -> jax.Array:
    """`-log π(a_tm1)`, π the softmax of logits over legal actions; behaviour cloning's. `f32[]`."""
    return cql_penalty(logits_tm1, a_tm1, legal_tm1)
