"""How values and priors become actions. Batches of N states: `q [N, A]`, `log_probs [N, A]`.

What acts by a key draws `chances`, numbers in [0, 1), and then acts by these: of many steps they
can be drawn at once.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.priors.sampling import proposals_at, sample_proposals


def greedy(q: jax.Array, legal: jax.Array) -> jax.Array:
    """`i32[N]`: the best legal action; `legal bool[N, A]`."""
    return jnp.argmax(jnp.where(legal, q, -jnp.inf), axis=-1).astype(jnp.int32)


def uniform(key: chex.PRNGKey, legal: jax.Array) -> jax.Array:
    """`i32[N]`: a random legal action; `legal bool[N, A]`."""
    return sample_proposals(key, jnp.where(legal, 0.0, -jnp.inf), 1)[:, 0]


class TwoChances(NamedTuple):
    """Of N states."""

    first: jax.Array
    """f32[N, k]: whether to explore (k = 1), or which actions are proposed."""
    second: jax.Array
    """f32[N, 1]: which action is taken."""


def two_chances(key: chex.PRNGKey, num_states: int, k: int) -> TwoChances:
    """In [0, 1): k and one more in each of N states."""
    first, second = jax.random.split(key)
    return TwoChances(
        jax.random.uniform(first, (num_states, k), jnp.float32),
        jax.random.uniform(second, (num_states, 1), jnp.float32),
    )


def epsilon_greedy(
    key: chex.PRNGKey, q: jax.Array, legal: jax.Array, epsilon: jax.Array | float
) -> jax.Array:
    """`i32[N]`: the best legal action, or with probability ε a random one; `legal bool[N, A]`."""
    return epsilon_greedy_at(two_chances(key, len(q), 1), q, legal, epsilon)


def epsilon_greedy_at(
    chances: TwoChances, q: jax.Array, legal: jax.Array, epsilon: jax.Array | float
) -> jax.Array:
    """As `epsilon_greedy`."""
    random = proposals_at(chances.second, jnp.where(legal, 0.0, -jnp.inf))[:, 0]
    explore = chances.first[:, 0] < jnp.asarray(epsilon, jnp.float32)
    return jnp.where(explore, random, greedy(q, legal))


def sample_posterior(
    key: chex.PRNGKey, q: jax.Array, log_probs: jax.Array, alpha: jax.Array | float, k: int
) -> jax.Array:
    """`i32[N]`: one of k proposals `a_i ~ p(·|s)`, with probability softmax(q[a_i] / α).

    Duplicates stay among the proposals: they carry the weight of the prior. As k grows, the action
    tends to the posterior of `sample_posterior_exact` (arXiv 2410.07927, Proposition 1).
    """
    return posterior_at(two_chances(key, len(q), k), q, log_probs, alpha)


def posterior_at(
    chances: TwoChances, q: jax.Array, log_probs: jax.Array, alpha: jax.Array | float
) -> jax.Array:
    """As `sample_posterior`."""
    proposals = proposals_at(chances.first, log_probs)
    preference = jnp.take_along_axis(q, proposals, axis=-1) / alpha
    chosen = proposals_at(chances.second, preference)
    return jnp.take_along_axis(proposals, chosen, axis=-1)[:, 0]


def sample_posterior_exact(
    key: chex.PRNGKey, q: jax.Array, log_probs: jax.Array, alpha: jax.Array | float
) -> jax.Array:
    """`i32[N]`: an action with probability ∝ p(a|s) exp(q(s,a) / α)."""
    return sample_proposals(key, log_probs + q / alpha, 1)[:, 0]
