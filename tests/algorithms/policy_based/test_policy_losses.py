"""Losses of policies: numbers by hand, and gradients beside finite differences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms.policy_based import divergence, policy_losses
from lprl_jax.priors.base import normalize

LEGAL = jnp.array([True, True, False, True])
LOGITS = jnp.array([0.3, -0.4, 5.0, 1.1])
PRIOR = normalize(jnp.array([1.0, 0.2, 5.0, -0.5]), LEGAL)
HALF = jnp.log(jnp.array([0.5, 0.25, 0.25]))
FLAT = jnp.log(jnp.array([0.25, 0.25, 0.5]))


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "slope"),
    [
        (1.0, 2.0, -2.0, -2.0),  # the policy gradient's: by log π, -ρ A
        (1.1, 2.0, -2.2, -2.2),
        (1.5, 2.0, -2.4, 0.0),  # 1.2 · 2: no more is to be gained
        (1.5, -2.0, 3.0, 3.0),  # too likely, and bad: pushed back however far
        (0.5, -2.0, 1.6, 0.0),  # .8 · -2
        (0.5, 2.0, -1.0, -1.0),
    ],
)
def test_clipped_surrogate_by_hand(ratio, advantage, expected, slope):
    def loss(log_pi):
        return policy_losses.clipped_surrogate_loss(log_pi, jnp.log(0.3), advantage, 0.2)

    value, gradient = jax.value_and_grad(loss)(jnp.log(0.3 * ratio))
    np.testing.assert_allclose([value, gradient], [expected, slope], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("value", "epsilon", "expected"),
    [
        (1.5, 1.0, 0.125),  # ½ (1.5 - 2)², within bounds
        (3.0, 0.5, 0.5),  # ½ max((3 - 2)², (1.5 - 2)²)
        (1.9, 0.5, 0.125),  # moved too far from 1, though well: ½ max(.01, (1.5 - 2)²)
        (3.0, np.inf, 0.5),
    ],
)
def test_clipped_value_loss_by_hand(value, epsilon, expected):
    now, before, target = map(jnp.float32, (value, 1.0, 2.0))
    found = policy_losses.clipped_value_loss(now, before, target, epsilon)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_entropy_and_divergence_by_hand():
    # ½ log 2 + 2 · ¼ log 4 = 1.5 log 2;  ½ log 2 + ¼ log 1 + ¼ log ½ = ¼ log 2.
    np.testing.assert_allclose(policy_losses.entropy(HALF), 1.5 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(policy_losses.kl(HALF, FLAT), 0.25 * np.log(2), rtol=1e-5)
    assert policy_losses.kl(HALF, HALF) == 0.0


def test_from_a_prior_that_excludes_a_legal_action_the_divergence_is_infinite():
    assert policy_losses.kl(HALF, jnp.log(jnp.array([0.5, 0.5, 0.0]))) == np.inf


def test_illegal_actions_are_no_part_of_them():
    inside = np.flatnonzero(LEGAL)
    log_pi = normalize(LOGITS, LEGAL)
    alone = jax.nn.log_softmax(LOGITS[inside])
    np.testing.assert_allclose(policy_losses.entropy(log_pi), policy_losses.entropy(alone))
    np.testing.assert_allclose(
        policy_losses.kl(log_pi, PRIOR), policy_losses.kl(alone, PRIOR[inside]), rtol=1e-6
    )


# ρ = 2 and ½: mean of 2 log 2 - 1 and ½ log ½ + ½.
def test_proposals_by_hand():
    found = policy_losses.kl_from_proposals(HALF[jnp.array([0, 2])], FLAT[jnp.array([0, 2])])
    expected = (2 * np.log(2) - 1 + 0.5 * np.log(0.5) + 0.5) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def estimate(logits, proposals):
    return divergence.from_proposals(len(proposals)).measure(
        normalize(logits, LEGAL), divergence.Proposals(proposals, PRIOR[proposals])
    )


@pytest.mark.parametrize("k", [1, 3])
def test_over_all_draws_of_proposals_the_estimate_and_its_gradient_have_no_bias(k):
    draws = jnp.array(list(itertools.product([0, 1, 3], repeat=k)))
    weights = jnp.exp(jnp.sum(PRIOR[draws], axis=1))
    values, gradients = jax.vmap(jax.value_and_grad(estimate), (None, 0))(LOGITS, draws)
    exact = jax.value_and_grad(lambda x: policy_losses.kl(normalize(x, LEGAL), PRIOR))(LOGITS)
    np.testing.assert_allclose(jnp.sum(weights), 1.0, rtol=1e-6)
    np.testing.assert_allclose(weights @ values, exact[0], rtol=1e-5)
    np.testing.assert_allclose(weights @ gradients, exact[1], rtol=1e-4, atol=1e-6)
    assert jnp.all(values >= 0.0)


def surrogate(log_pi, log_mu_a, epsilon):
    return policy_losses.clipped_surrogate_loss(log_pi[1], log_mu_a, jnp.float32(0.7), epsilon)


LOSSES = {
    "surrogate": lambda log_pi: surrogate(log_pi, jnp.float32(-1.2), 0.9),
    "clipped surrogate": lambda log_pi: surrogate(log_pi, jnp.float32(-9.0), 0.2),
    "entropy": policy_losses.entropy,
    "divergence": lambda log_pi: policy_losses.kl(log_pi, PRIOR),
    "from proposals": lambda log_pi: policy_losses.kl_from_proposals(
        log_pi[jnp.array([3, 0, 3])], PRIOR[jnp.array([3, 0, 3])]
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_differences(name):
    def loss(logits):
        return LOSSES[name](normalize(logits, LEGAL))

    slope, step = jax.grad(loss)(LOGITS), 1e-2
    ends = [[loss(LOGITS.at[i].add(sign * step)) for sign in (1, -1)] for i in range(4)]
    found = np.array([(up - down) / (2 * step) for up, down in ends])
    np.testing.assert_allclose(slope, found, atol=2e-4)
    assert slope[2] == 0.0  # illegal
    assert np.any(found) == (name != "clipped surrogate")


@pytest.mark.parametrize("value", [1.4, 2.5, 3.0])
def test_gradients_of_values_are_finite_differences(value):
    def loss(v):
        return policy_losses.clipped_value_loss(v, jnp.float32(1), jnp.float32(2), 0.6)

    step = 1e-2
    found = (loss(value + step) - loss(value - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(loss)(value), found, atol=1e-4)
