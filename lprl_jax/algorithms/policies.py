"""How values and priors become actions. Batches of N states: `q [N, A]`, `log_probs [N, A]`."""

import chex
import jax
import jax.numpy as jnp

from lprl_jax.priors.base import sample_proposals


def greedy(q: jax.Array, legal: jax.Array) -> jax.Array:
    """`i32[N]`: the best legal action; `legal bool[N, A]`."""
    return jnp.argmax(jnp.where(legal, q, -jnp.inf), axis=-1).astype(jnp.int32)


def uniform(key: chex.PRNGKey, legal: jax.Array) -> jax.Array:
    """`i32[N]`: a random legal action; `legal bool[N, A]`."""
    return sample_proposals(key, jnp.where(legal, 0.0, -jnp.inf), 1)[:, 0]


def epsilon_greedy(
    key: chex.PRNGKey, q: jax.Array, legal: jax.Array, epsilon: jax.Array | float
) -> jax.Array:
    """`i32[N]`: the best legal action, or with probability ε a random one; `legal bool[N, A]`."""
    key_explore, key_random = jax.random.split(key)
    random = uniform(key_random, legal)
    chance = jnp.asarray(epsilon, jnp.float32)
    explore = jax.random.bernoulli(key_explore, chance, random.shape)
    return jnp.where(explore, random, greedy(q, legal))


def sample_posterior(
    key: chex.PRNGKey, q: jax.Array, log_probs: jax.Array, alpha: jax.Array | float, k: int
) -> jax.Array:
    """`i32[N]`: one of k proposals `a_i ~ p(·|s)`, with probability softmax(q[a_i] / α).

    Duplicates stay among the proposals: they carry the weight of the prior. As k grows, the action
    tends to the posterior of `sample_posterior_exact` (arXiv 2410.07927, Proposition 1).
    """
    key_propose, key_choose = jax.random.split(key)
    proposals = sample_proposals(key_propose, log_probs, k)
    preference = jnp.take_along_axis(q, proposals, axis=-1) / alpha
    chosen = sample_proposals(key_choose, preference, 1)
    return jnp.take_along_axis(proposals, chosen, axis=-1)[:, 0]


def sample_posterior_exact(
    key: chex.PRNGKey, q: jax.Array, log_probs: jax.Array, alpha: jax.Array | float
) -> jax.Array:
    """`i32[N]`: an action with probability ∝ p(a|s) exp(q(s,a) / α)."""
    return sample_proposals(key, log_probs + q / alpha, 1)[:, 0]
