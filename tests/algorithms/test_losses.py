"""Values and losses; every expected number is worked out by hand, in a comment beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms import losses

Q = jnp.array([1.0, 3.0, 2.0, -1.0])
PRIOR = jnp.log(jnp.array([0.5, 0.125, 0.25, 0.125]))


@pytest.mark.parametrize(
    ("legal", "expected"),
    [([1, 1, 1, 1], 3.0), ([1, 0, 1, 1], 2.0), ([0, 0, 0, 1], -1.0)],
)
def test_greedy_value_is_the_maximum_over_legal_actions(legal, expected):
    assert losses.greedy_value(Q, jnp.array(legal, bool)) == expected


@pytest.mark.parametrize(
    ("proposals", "expected"),
    [([0, 2, 0], 2.0), ([3, 3, 3], -1.0), ([3, 1, 0], 3.0), ([0], 1.0)],
)
def test_proposals_value_is_the_maximum_over_proposals(proposals, expected):
    assert losses.proposals_value(Q, jnp.array(proposals)) == expected


def test_soft_value_by_hand():
    # α = 1 / log 2, so exp(q / α) = 2^q: .5·2 + .125·8 + .25·4 + .125·.5 = 3.0625.
    alpha = 1.0 / np.log(2.0)
    expected = alpha * np.log(3.0625)
    np.testing.assert_allclose(losses.soft_value(Q, PRIOR, alpha), expected, rtol=1e-6)


def test_soft_value_tends_to_the_maximum_over_the_support():
    # The best action has probability 0, so the maximum is that of the others.
    prior = jnp.array([jnp.log(0.5), -jnp.inf, jnp.log(0.25), jnp.log(0.25)])
    values = [float(losses.soft_value(Q, prior, alpha)) for alpha in (1.0, 0.1, 0.01, 0.001)]
    assert values == sorted(values)
    # 2 + α log .25 remains: .0014 at α = .001.
    np.testing.assert_allclose(values[-1], 2.0 + 0.001 * np.log(0.25), atol=1e-5)


def test_soft_value_tends_to_the_mean_under_the_prior():
    # .5·1 + .125·3 + .25·2 + .125·(-1) = 1.25; then variance / 2α: .0007 at α = 1000.
    values = [float(losses.soft_value(Q, PRIOR, alpha)) for alpha in (1.0, 10.0, 100.0, 1000.0)]
    assert values == sorted(values, reverse=True)
    np.testing.assert_allclose(values[-1], 1.25, atol=2e-3)


@pytest.mark.parametrize("shift", [0.0, 500.0])
def test_soft_value_moves_with_its_values(shift):
    np.testing.assert_allclose(
        losses.soft_value(Q + shift, PRIOR, 0.5),
        losses.soft_value(Q, PRIOR, 0.5) + shift,
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("action", "discount", "loss", "slope"),
    [
        (0, 0.9, 2.645, -2.3),  # ½ (.5 + .9·3.111... - 1)²: target 3.3, ½ · 2.3²
        (1, 0.9, 0.045, -0.3),  # ½ (3.3 - 3)²
        (1, 0.0, 3.125, 2.5),  # after termination the target is .5: ½ (.5 - 3)²
    ],
)
def test_td_loss_and_its_gradient(action, discount, loss, slope):
    v_t = jnp.float32(2.8 / 0.9)
    arguments = (Q, jnp.int32(action), jnp.float32(0.5), jnp.float32(discount), v_t)
    np.testing.assert_allclose(losses.td_loss(*arguments), loss, rtol=1e-5)
    to_q, to_reward, to_discount, to_value = jax.grad(losses.td_loss, (0, 2, 3, 4))(*arguments)
    expected = np.zeros(4)
    expected[action] = slope  # d/dq ½ (y - q)² = q - y
    np.testing.assert_allclose(to_q, expected, rtol=1e-5)
    assert (float(to_reward), float(to_discount), float(to_value)) == (0.0, 0.0, 0.0)


# exp(q) of Q = log [1, 8, 4, 2] is what the sums are of.
LOG_Q = jnp.log(jnp.array([1.0, 8.0, 4.0, 2.0]))


@pytest.mark.parametrize(
    ("legal", "action", "ratio"),
    [
        ([1, 1, 1, 1], 1, 15 / 8),  # (1 + 8 + 4 + 2) / 8
        ([1, 0, 1, 1], 2, 7 / 4),
        ([0, 0, 0, 1], 3, 1.0),  # nothing else could have been done
    ],
)
def test_cql_penalty_by_hand(legal, action, ratio):
    found = losses.cql_penalty(LOG_Q, jnp.int32(action), jnp.array(legal, bool))
    np.testing.assert_allclose(found, np.log(ratio), atol=1e-6)
    cloned = losses.cross_entropy(LOG_Q, jnp.int32(action), jnp.array(legal, bool))
    np.testing.assert_allclose(cloned, np.log(ratio), atol=1e-6)  # of the softmax, 1 / ratio


@pytest.mark.parametrize(
    ("proposals", "action", "ratio"),
    [
        ([0, 2], 3, 7 / 2),  # 1 + 4, and the data's own 2
        ([2, 2, 2], 0, 13.0),  # duplicates count: 3 · 4, and 1
        ([1], 1, 2.0),  # the data's action beside itself
        ([0, 0], 1, 10 / 8),  # without the data's action it would be below 0
    ],
)
def test_proposals_cql_penalty_by_hand(proposals, action, ratio):
    found = losses.proposals_cql_penalty(LOG_Q, jnp.int32(action), jnp.array(proposals))
    np.testing.assert_allclose(found, np.log(ratio), atol=1e-6)
    assert found >= 0


@pytest.mark.parametrize(
    ("prior", "action", "expected"),
    [
        # α = ½, so exp(q / α) = [1, 64, 16, 4]: .5 + 8 + 4 + .5 = 13, less q = log 8.
        ([0.5, 0.125, 0.25, 0.125], 1, 0.5 * np.log(13.0) - np.log(8.0)),
        # The data's action is none of the prior's: it joins with weight 1, .5 + 8 + 64 = 72.5.
        ([0.5, 0.0, 0.5, 0.0], 1, 0.5 * np.log(72.5) - np.log(8.0)),
    ],
)
def test_soft_cql_penalty_by_hand(prior, action, expected):
    log_prior = jnp.log(jnp.array(prior))
    found = losses.soft_cql_penalty(LOG_Q, jnp.int32(action), log_prior, 0.5)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_soft_cql_penalty_makes_the_posterior_predict_the_data():
    def surprise(q):
        log_posterior = jax.nn.log_softmax(PRIOR + q / 0.3)
        return -0.3 * log_posterior[2]

    ours = jax.grad(lambda q: losses.soft_cql_penalty(q, jnp.int32(2), PRIOR, 0.3))(Q)
    np.testing.assert_allclose(ours, jax.grad(surprise)(Q), atol=1e-6)


@pytest.mark.parametrize(
    "penalty",
    [
        lambda q: losses.cql_penalty(q, jnp.int32(1), jnp.array([True, True, False, True])),
        lambda q: losses.proposals_cql_penalty(q, jnp.int32(1), jnp.array([0, 3, 3])),
        lambda q: losses.soft_cql_penalty(q, jnp.int32(1), PRIOR, 0.7),
        lambda q: losses.soft_cql_penalty(q, jnp.int32(3), jnp.log(jnp.array([0.5, 0.5, 0, 0])), 1),
        lambda q: losses.cross_entropy(q, jnp.int32(0), jnp.ones(4, bool)),
    ],
    ids=["all", "proposals", "soft", "soft, not the prior's", "cloning"],
)
def test_penalties_gradients_are_finite_differences(penalty):
    step = 1e-2
    rows = jnp.eye(4) * step
    q = jnp.broadcast_to(Q, (4, 4))
    differences = (jax.vmap(penalty)(q + rows) - jax.vmap(penalty)(q - rows)) / (2 * step)
    np.testing.assert_allclose(jax.grad(penalty)(Q), differences, atol=2e-4)
    # Raising every value alike changes nothing: it is about actions against each other.
    np.testing.assert_allclose(jnp.sum(jax.grad(penalty)(Q)), 0.0, atol=1e-6)
