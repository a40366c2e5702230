"""Losses of policies that climb two critics: numbers by hand, finite differences, rlax."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms.value_based import twin_losses
from lprl_jax.priors.base import normalize

with warnings.catch_warnings():
    # TensorFlow Probability, below rlax, reads what JAX is about to drop.
    warnings.filterwarnings("ignore", "jax.core.pytype_aval_mappings", DeprecationWarning)
    import rlax

pytestmark = pytest.mark.filterwarnings(
    "ignore:Rlax [a-z_]+ will be deprecated:PendingDeprecationWarning"
)
NONE = -jnp.inf
LOG = math.log


def slope(loss, *arguments):
    return np.asarray(jax.grad(loss)(*arguments))


# -- by hand -------------------------------------------------------------------------------------


def test_both_critics_descend_on_one_target():
    q = jnp.float32([1.0, 4.0])
    of = jnp.float32(0.5), jnp.float32(0.9), jnp.float32(2.0)  # y = .5 + .9 · 2 = 2.3
    assert float(twin_losses.twin_td_loss(q, *of)) == pytest.approx(1.3**2 + 1.7**2)
    np.testing.assert_allclose(slope(twin_losses.twin_td_loss, q, *of), [-2.6, 3.4], rtol=1e-6)
    by_value = jax.grad(twin_losses.twin_td_loss, 3)(q, *of)
    assert float(by_value) == 0  # the target is held fixed


@pytest.mark.parametrize("q", [[1.5, -0.5], [-0.5, 1.5]])
def test_the_smaller_critic_is_believed(q):
    q = jnp.float32(q)
    assert float(twin_losses.twin_value(q)) == -0.5
    # -.5 - .2 · (-3) = .1
    assert float(twin_losses.soft_value(q, jnp.float32(-3), 0.2)) == pytest.approx(0.1)
    loss = twin_losses.soft_policy_loss
    assert float(loss(q, jnp.float32(-3), 0.2)) == pytest.approx(-0.1)
    np.testing.assert_array_equal(slope(loss, q, jnp.float32(-3), 0.2), -1.0 * (q < 0))


def test_the_temperature_rises_where_entropy_lacks():
    of = jnp.float32(LOG(0.5)), jnp.float32(-2.0), jnp.float32(-1.0)
    assert float(twin_losses.temperature_loss(*of)) == pytest.approx(0.5 * (-2 + 1))
    assert float(slope(twin_losses.temperature_loss, *of)) == pytest.approx(-0.5)  # so α rises
    by_entropy = jax.grad(twin_losses.temperature_loss, (1, 2))(*of)
    assert [float(x) for x in by_entropy] == [0, 0]


def test_expectations_are_over_what_can_be_drawn():
    log_pi = jnp.float32([LOG(0.25), LOG(0.75), NONE])
    q = jnp.float32([[1.0, 2.0, 9.0], [3.0, 0.0, 9.0]])  # the smaller: 1, 0, and 9 is illegal
    entropy = -(0.25 * LOG(0.25) + 0.75 * LOG(0.75))
    assert float(twin_losses.entropy(log_pi)) == pytest.approx(entropy)
    value = 0.25 * 1 + 0.4 * entropy
    assert float(twin_losses.expected_soft_value(q, log_pi, 0.4)) == pytest.approx(value)
    assert float(twin_losses.expected_soft_policy_loss(q, log_pi, 0.4)) == pytest.approx(-value)
    by_q = slope(twin_losses.expected_soft_policy_loss, q, log_pi, 0.4)
    assert not by_q.any()  # the values are held fixed
    assert float(twin_losses.expectation(jnp.float32([1, 2, jnp.inf]), log_pi)) == 1.75


def test_one_legal_action_has_no_entropy_and_no_choice():
    logits, legal = jnp.float32([0.3, -2.0, 5.0]), jnp.array([False, True, False])
    q = jnp.float32([[1.0, 2.0, 3.0], [3.0, 0.5, 9.0]])

    def loss(logits):
        return twin_losses.expected_soft_policy_loss(q, normalize(logits, legal), 0.4)

    value, by_logits = jax.value_and_grad(loss)(logits)
    assert float(value) == -0.5
    np.testing.assert_array_equal(by_logits, 0)


# -- against other code ----------------------------------------------------------------------------


def naive_policy_loss(logits, legal, q, temperature):
    """In float64, over a state's legal actions alone."""
    legal = np.asarray(legal)
    logits, q = np.asarray(logits, np.float64)[legal], np.asarray(q, np.float64)[:, legal]
    pi = np.exp(logits - logits.max())
    pi /= pi.sum()
    return np.sum(pi * (temperature * np.log(pi) - q.min(0)))


@pytest.mark.parametrize("seed", range(3))
def test_gradients_by_finite_differences(seed):
    rng = np.random.default_rng(seed)
    legal = jnp.array([True, False, True, True, False])
    with jax.enable_x64(True):
        logits, q = jnp.asarray(rng.normal(size=5)), jnp.asarray(rng.normal(size=(2, 5)))

        def loss(logits):
            return twin_losses.expected_soft_policy_loss(q, normalize(logits, legal), 0.3)

        value, by_logits = jax.value_and_grad(loss)(logits)
        assert float(value) == pytest.approx(naive_policy_loss(logits, legal, q, 0.3), rel=1e-12)
        for i, step in enumerate(np.eye(5) * 1e-6):
            ends = [naive_policy_loss(logits + s * step, legal, q, 0.3) for s in (1, -1)]
            right = (ends[0] - ends[1]) / 2e-6
            assert float(by_logits[i]) == pytest.approx(right, rel=1e-6, abs=1e-9)


def test_exact_expectations_are_the_means_of_samples():
    # SAC's losses of drawn actions, averaged by the policy's own probabilities.
    rng = np.random.default_rng(4)
    log_pi = jax.nn.log_softmax(jnp.float32(rng.normal(size=6)))
    q = jnp.float32(rng.normal(size=(2, 6)))
    each = jax.vmap(twin_losses.soft_value, (1, 0, None))(q, log_pi, jnp.float32(0.3))
    found = twin_losses.expected_soft_value(q, log_pi, jnp.float32(0.3))
    assert float(found) == pytest.approx(float(jnp.sum(jnp.exp(log_pi) * each)), rel=1e-5)


def test_the_best_policy_of_the_expected_loss_is_the_softmax():
    # argmin of Σ π (α log π - q) is softmax(q / α), and the loss there -α log Σ exp(q / α).
    q, temperature = jnp.float32([[1.0, -0.5, 0.3]] * 2), 0.7
    log_pi = jax.nn.log_softmax(q[0] / temperature)
    found = twin_losses.expected_soft_policy_loss(q, log_pi, temperature)
    right = -temperature * jax.nn.logsumexp(q[0] / temperature)
    assert float(found) == pytest.approx(float(right), rel=1e-5)
    by_logits = jax.grad(
        lambda x: twin_losses.expected_soft_policy_loss(q, jax.nn.log_softmax(x), temperature)
    )(q[0] / temperature)
    np.testing.assert_allclose(by_logits, 0, atol=1e-6)


def test_td_errors_and_entropy_are_rlaxs():
    rng = np.random.default_rng(5)
    q, r, discount, v = (jnp.float32(rng.normal(size=s)) for s in ((2, 8), 8, 8, 8))

    def ours(q, r, discount, v):
        return twin_losses.twin_td_loss(q, r, discount, v)

    def theirs(q, r, discount, v):
        errors = [rlax.td_learning(q[i], r, discount, v) for i in range(2)]
        return jnp.sum(jnp.square(jnp.stack(errors)))

    for function in (lambda f: f, lambda f: jax.grad(f)):
        found, right = (
            jax.vmap(function(f), (1, 0, 0, 0))(q, r, discount, v) for f in (ours, theirs)
        )
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)
    logits = jnp.float32(rng.normal(size=(8, 4)))
    right = rlax.softmax().entropy(logits)
    found = jax.vmap(twin_losses.entropy)(jax.nn.log_softmax(logits))
    np.testing.assert_allclose(found, right, rtol=1e-5)
