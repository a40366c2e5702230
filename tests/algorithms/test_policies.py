"""From values and priors to actions, by their frequencies: Proposition 1 of arXiv 2410.07927.

As k grows, a choice among k proposals by softmax(Q / α) tends to π(a|s) ∝ p(a|s) exp(Q(s,a) / α).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms import policies

P = np.array([0.6, 0.3, 0.1, 0.0])
Q = np.array([-0.1, 0.4, 0.5, 9.0])
"""The last action is illegal, and valued most."""
NUM_DRAWS = 20_000


def frequencies(policy, seed=0):
    """How often each action is drawn where values are `Q` and the prior is `P`, f64[A]."""
    with np.errstate(divide="ignore"):
        log_probs = jnp.asarray(np.log(P), jnp.float32)
    rows = [jnp.tile(row, (NUM_DRAWS, 1)) for row in (jnp.float32(Q), log_probs)]
    actions = np.asarray(jax.jit(policy)(jax.random.key(seed), *rows))
    assert (actions.shape, actions.dtype) == ((NUM_DRAWS,), np.int32)
    return np.bincount(actions, minlength=4) / NUM_DRAWS


def proposition(alpha):
    weights = P * np.exp(Q / alpha)
    return weights / weights.sum()


def distance(a, b):
    """Total variation; of two samples of 20,000 draws of one distribution, about .005."""
    return np.abs(a - b).sum() / 2


@pytest.mark.parametrize("alpha", [0.25, 1.0])
def test_more_proposals_tend_to_the_proposition(alpha):
    found = [
        frequencies(lambda key, q, p, k=k: policies.sample_posterior(key, q, p, alpha, k))
        for k in (1, 5, 50, 500)
    ]
    # A single proposal is a draw from the prior, whatever the values.
    assert distance(found[0], P) < 0.015
    away = [distance(row, proposition(alpha)) for row in found]
    assert away[0] > 0.1
    assert away[1] < away[0] - 0.05
    assert away[2] < away[1] - 0.01
    assert max(away[2:]) < 0.02
    assert all(row[3] == 0 for row in found)


@pytest.mark.parametrize("alpha", [0.25, 1.0])
def test_exact_is_the_proposition(alpha):
    found = frequencies(lambda key, q, p: policies.sample_posterior_exact(key, q, p, alpha))
    assert distance(found, proposition(alpha)) < 0.015
    assert found[3] == 0


def test_two_proposals_by_hand():
    # For two proposals a and b, a is chosen with probability exp(q_a) / (exp(q_a) + exp(q_b)).
    weights = np.exp(Q / 0.25)
    first = weights[:, None] / (weights[:, None] + weights[None])
    expected = 2 * P * (first @ P)
    np.testing.assert_allclose(expected.sum(), 1)
    found = frequencies(lambda key, q, p: policies.sample_posterior(key, q, p, 0.25, 2))
    assert distance(found, expected) < 0.015
    # Choosing before the draws, or dropping duplicates, would not be the same.
    assert distance(expected, proposition(0.25)) > 0.1
    assert distance(expected, P) > 0.1


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_epsilon_greedy(epsilon):
    def policy(key, q, log_probs):
        return policies.epsilon_greedy(key, q, log_probs > -jnp.inf, epsilon)

    # The third action is the best legal one; a random action is any of the three.
    expected = epsilon / 3 + (1 - epsilon) * np.array([0, 0, 1, 0])
    expected[3] = 0
    found = frequencies(policy)
    assert distance(found, expected) < 0.015
    assert (found[expected == 0] == 0).all()
