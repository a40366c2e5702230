"""The kinds of control: what they do by hand, and what `k: exact` is the limit of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms.value_based import control
from lprl_jax.priors import sample_proposals

N, ALPHA = 20_000, 0.5
PRIOR = jnp.array([0.5, 0.3, 0.2, 0.0])
Q = jnp.array([0.0, 0.4, 1.0, 9.0])
Q_ROWS = jnp.broadcast_to(Q, (N, 4))
LOG_PROBS = jnp.broadcast_to(jnp.log(PRIOR), (N, 4))
LEGAL = jnp.broadcast_to(PRIOR > 0, (N, 4))


def shares(kind: control.Control, policy: str, log_probs: object = LOG_PROBS) -> np.ndarray:
    """How often each action is taken."""
    act = kind.policies[policy]
    action = act(jax.random.key(0), Q_ROWS, log_probs, LEGAL, ALPHA)
    assert action.dtype == jnp.int32
    return np.bincount(np.asarray(action), minlength=4) / N


def remembered(kind: control.Control, key: jax.Array, log_probs: jax.Array) -> jax.Array:
    """What is kept of the prior in N states, drawn by a key."""
    return kind.remember(kind.chances_kept(key, len(log_probs)), log_probs)


def test_the_best_of_two_proposals() -> None:
    # Of two draws the best is action 0 if both are 0, 1 if none is 2 and not both are 0, else 2.
    expected = [0.5**2, 0.8**2 - 0.5**2, 1 - 0.8**2, 0.0]
    np.testing.assert_allclose(shares(control.among_proposals(2), "greedy"), expected, atol=0.015)


def test_one_proposal_is_the_prior() -> None:
    for policy in ("greedy", "posterior"):
        found = shares(control.among_proposals(1), policy)
        np.testing.assert_allclose(found, PRIOR, atol=0.015)


def test_exact_is_the_posterior_and_its_mode() -> None:
    weight = np.asarray(PRIOR) * np.exp(np.minimum(np.asarray(Q), 2.0) / ALPHA)
    expected = weight / weight.sum()
    np.testing.assert_allclose(shares(control.exact(), "posterior"), expected, atol=0.015)
    assert shares(control.exact(), "greedy")[np.argmax(expected)] == 1.0
    many = shares(control.among_proposals(200), "posterior")
    np.testing.assert_allclose(many, expected, atol=0.02)


def test_without_a_prior_the_best_legal_action_is_taken() -> None:
    assert shares(control.without_prior(), "greedy", ())[2] == 1.0


def test_bootstraps() -> None:
    legal, none = PRIOR > 0, jnp.array([0, 1, 1])
    assert control.without_prior().value(Q, (), legal, ALPHA) == 1.0
    assert control.among_proposals(3).value(Q, none, legal, ALPHA) == pytest.approx(0.4)
    soft = ALPHA * np.log(0.5 + 0.3 * np.exp(0.8) + 0.2 * np.exp(2.0))
    found = control.exact().value(Q, jnp.log(PRIOR), legal, ALPHA)
    assert found == pytest.approx(soft, rel=1e-5)


def test_penalties() -> None:
    q, legal, action = jnp.log(jnp.array([1.0, 8.0, 4.0, 2.0])), PRIOR > 0, jnp.int32(1)
    found = control.without_prior().penalty(q, action, (), legal, ALPHA)
    assert found == pytest.approx(np.log(13 / 8), rel=1e-5)
    found = control.among_proposals(3).penalty(q, action, jnp.array([0, 0, 2]), legal, ALPHA)
    assert found == pytest.approx(np.log(14 / 8), rel=1e-5)
    # With α = ½ the squares are weighed: .5 · 1 + .3 · 64 + .2 · 16 = 22.9.
    found = control.exact().penalty(q, action, jnp.log(PRIOR), legal, ALPHA)
    assert found == pytest.approx(0.5 * np.log(22.9) - np.log(8), rel=1e-5)


def test_many_proposals_penalty_tends_to_the_exact_one() -> None:
    # At temperature 1, and less log k: the sum over k draws is k times a mean.
    def penalty(k: int) -> jax.Array:
        kind = control.among_proposals(k)
        kept = remembered(kind, jax.random.key(k), LOG_PROBS[:64])
        over = jax.vmap(lambda kept: kind.penalty(Q, jnp.int32(2), kept, PRIOR > 0, 1.0))
        return over(kept) - jnp.log(float(k))

    exact = control.exact().penalty(Q, jnp.int32(2), jnp.log(PRIOR), PRIOR > 0, 1.0)
    errors = [float(jnp.max(jnp.abs(penalty(k) - exact))) for k in (10, 100, 10_000)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02 < errors[0]


def test_the_kind_follows_from_prior_and_k() -> None:
    assert list(control.of(None, 5).policies) == ["greedy"]
    assert list(control.of(object(), 5).policies) == ["posterior", "greedy"]  # type: ignore[arg-type]
    key, here = jax.random.key(0), LOG_PROBS[:2]
    kept = remembered(control.of(object(), 3), key, here)  # type: ignore[arg-type]
    np.testing.assert_array_equal(kept, sample_proposals(key, here, 3))
    exact = remembered(control.of(object(), "exact"), key, here)  # type: ignore[arg-type]
    np.testing.assert_array_equal(exact, here)


@pytest.mark.parametrize("k", [1, 3])
def test_to_behave_is_to_follow_the_kinds_first_policy(k: int) -> None:
    """By the numbers that the policy's key draws."""
    for kind in (control.among_proposals(k), control.exact()):
        chances = kind.chances(jax.random.key(1), N)
        found = kind.behave(chances, Q_ROWS, LOG_PROBS, LEGAL, 0.0, ALPHA)
        own = kind.policies["posterior"](jax.random.key(1), Q_ROWS, LOG_PROBS, LEGAL, ALPHA)
        np.testing.assert_array_equal(found, own)
