"""From values and priors to actions, by their frequencies: Proposition 1 of arXiv 2410.07927.

As k grows, a choice among k proposals by softmax(Q / α) tends to π(a|s) ∝ p(a|s) exp(Q(s,a) / α).
"""

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.algorithms import policies

P = np.array([0.6, 0.3, 0.1, 0.0])
Q = np.array([-0.1, 0.4, 0.5, 9.0])
"""The last action is illegal, and valued most."""
ALPHAS = np.array([0.25, 1.0])
NUM_DRAWS = 10_000


def frequencies(policy, argument):
    """How often each action is drawn where values are `Q` and the prior is `P`, `[n, A]`.

    `policy(key, q, log_probs, x)` for n values of x.
    """
    with np.errstate(divide="ignore"):
        log_probs = jnp.asarray(np.log(P), jnp.float32)
    q, log_probs = (jnp.tile(row, (NUM_DRAWS, 1)) for row in (jnp.float32(Q), log_probs))
    keys = jax.random.split(jax.random.key(0), len(argument))
    draw = jax.jit(jax.vmap(lambda key, x: policy(key, q, log_probs, x)))
    actions = np.asarray(draw(keys, jnp.float32(argument)))
    assert (actions.shape, actions.dtype) == ((len(argument), NUM_DRAWS), np.int32)
    return np.stack([np.bincount(row, minlength=4) / NUM_DRAWS for row in actions])


def posterior(k):
    return lambda key, q, p, alpha: policies.sample_posterior(key, q, p, alpha, k)


def distance(a, b):
    """Total variation, by rows; of 10,000 draws and their own distribution, about .006."""
    return np.abs(a - b).sum(-1) / 2


PROPOSITION = P * np.exp(Q / ALPHAS[:, None])
PROPOSITION /= PROPOSITION.sum(-1, keepdims=True)


def test_more_proposals_tend_to_the_proposition():
    found = [frequencies(posterior(k), ALPHAS) for k in (1, 5, 50, 500)]
    # A single proposal is a draw from the prior, whatever the values.
    assert (distance(found[0], P) < 0.015).all()
    away = [distance(rows, PROPOSITION) for rows in found]
    assert (away[0] > 0.1).all()
    assert (away[1] < away[0] - 0.05).all()
    assert (away[2] < away[1] - 0.01).all()
    assert max(*away[2], *away[3]) < 0.02
    assert all((rows[:, 3] == 0).all() for rows in found)


def test_exact_is_the_proposition():
    found = frequencies(policies.sample_posterior_exact, ALPHAS)
    assert (distance(found, PROPOSITION) < 0.015).all()
    assert (found[:, 3] == 0).all()


def test_two_proposals_by_hand():
    # Of two proposals a and b, a is chosen with probability exp(q_a) / (exp(q_a) + exp(q_b)).
    weights = np.exp(Q / ALPHAS[0])
    expected = 2 * P * (weights[:, None] / (weights[:, None] + weights[None]) @ P)
    np.testing.assert_allclose(expected.sum(), 1)
    assert distance(frequencies(posterior(2), ALPHAS)[0], expected) < 0.015
    # It is neither the prior nor what it tends to.
    assert distance(expected, PROPOSITION[0]) > 0.1
    assert distance(expected, P) > 0.1


def test_epsilon_greedy():
    def policy(key, q, log_probs, epsilon):
        return policies.epsilon_greedy(key, q, log_probs > -jnp.inf, epsilon)

    # The third action is the best legal one; a random action is any of the three.
    epsilon = np.array([[0.0], [0.3], [1.0]])
    expected = (1 - epsilon) * [0, 0, 1, 0] + epsilon * [1 / 3, 1 / 3, 1 / 3, 0]
    found = frequencies(policy, epsilon[:, 0])
    assert (distance(found, expected) < 0.015).all()
    assert (found[expected == 0] == 0).all()
