"""Values, losses, policies and plans beside rlax's, wherever it has them, on random inputs.

rlax knows neither priors nor illegal actions. Its actions are the legal ones (the others are worth
-∞) or the proposals; a prior is part of the logits.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms import losses, policies
from lprl_jax.algorithms.tabular import value_iteration

with warnings.catch_warnings():
    # TensorFlow Probability, below rlax, reads what JAX is about to drop.
    warnings.filterwarnings("ignore", "jax.core.pytype_aval_mappings", DeprecationWarning)
    import rlax

pytestmark = pytest.mark.filterwarnings(
    "ignore:Rlax [a-z_]+ will be deprecated:PendingDeprecationWarning"
)
ALPHA, NUM_PROPOSALS, NUM_DRAWS = 0.35, 4, 20_000
ONE = jnp.ones(1)


class Batch(NamedTuple):
    """Random transitions `[B]` with A actions; what was done is legal."""

    q_tm1: jax.Array
    a_tm1: jax.Array
    r_t: jax.Array
    discount_t: jax.Array
    q_t: jax.Array
    legal: jax.Array
    log_prior: jax.Array
    proposals: jax.Array


@pytest.fixture(scope="module", params=[(2, 3), (8, 2), (4, 9)], ids=str)
def batch(request: pytest.FixtureRequest) -> Batch:
    rng = np.random.default_rng(request.param)
    rows, actions = request.param
    done = rng.integers(actions, size=rows)
    legal = (rng.random(request.param) < 0.6) | (np.arange(actions) == done[:, None])
    return Batch(
        q_tm1=jnp.float32(rng.normal(0, 2, request.param)),
        a_tm1=jnp.int32(done),
        r_t=jnp.float32(rng.normal(size=rows)),
        discount_t=jnp.float32(rng.random(rows) * (np.arange(rows) % 3 > 0)),
        q_t=jnp.float32(rng.normal(0, 2, request.param)),
        legal=jnp.asarray(legal),
        log_prior=jnp.float32(np.log(rng.dirichlet(np.ones(actions), rows))),
        proposals=jnp.int32(rng.integers(actions, size=(rows, NUM_PROPOSALS))),
    )


def only(x: jax.Array, legal: jax.Array) -> jax.Array:
    return jnp.where(legal, x, -jnp.inf)


def same(ours: Any, theirs: Any) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-6), ours, theirs)


def with_slopes(loss: Callable[..., Any], *arguments: jax.Array) -> Any:
    """Of every row: the loss, and its gradient by the first argument."""
    return jax.jit(jax.vmap(jax.value_and_grad(loss)))(*arguments)


# -- temporal differences --------------------------------------------------------------------------


def same_td_loss(batch: Batch, v_t: jax.Array, error: Callable[..., Any], *of_t: jax.Array) -> None:
    """Our loss with next values v_t, and half the square of one of rlax's errors."""
    tm1 = batch.q_tm1, batch.a_tm1, batch.r_t, batch.discount_t
    ours = with_slopes(losses.td_loss, *tm1, v_t)
    same(ours, with_slopes(lambda *x: rlax.l2_loss(error(*x)), *tm1, *of_t))


def test_dqn_is_q_learning(batch: Batch) -> None:
    v_t = jax.vmap(losses.greedy_value)(batch.q_t, batch.legal)
    same_td_loss(batch, v_t, rlax.q_learning, only(batch.q_t, batch.legal))


def test_with_proposals_it_is_q_learning_among_them(batch: Batch) -> None:
    v_t = jax.vmap(losses.proposals_value)(batch.q_t, batch.proposals)
    among = jnp.take_along_axis(batch.q_t, batch.proposals, axis=-1)
    same_td_loss(batch, v_t, rlax.q_learning, among)


def test_with_exact_k_it_is_expected_sarsa_less_a_divergence(batch: Batch) -> None:
    """Of the posterior, whose divergence from the prior costs α."""

    def error(
        q_tm1: Any, a_tm1: Any, r_t: Any, discount_t: Any, q_t: Any, log_prior: Any
    ) -> jax.Array:
        posterior = log_prior + q_t / ALPHA
        probs = rlax.softmax().probs(posterior)
        away = rlax.categorical_kl_divergence(posterior, log_prior)
        expected = rlax.expected_sarsa(q_tm1, a_tm1, r_t, discount_t, q_t, probs)
        return expected - discount_t * ALPHA * away

    v_t = losses.soft_value(batch.q_t, batch.log_prior, ALPHA)
    same_td_loss(batch, v_t, error, batch.q_t, batch.log_prior)


def test_soft_values_of_proposals_are_mpo_s(batch: Batch) -> None:
    """MPO's dual without a bound, of samples: a prior that gives each its share."""
    shares = jax.nn.one_hot(batch.proposals, batch.q_t.shape[-1]).mean(axis=1)
    among = jnp.take_along_axis(batch.q_t, batch.proposals, axis=-1)
    temperature = rlax.LagrangePenalty(jnp.float32(ALPHA), 0.0)
    value, weights, _ = rlax.mpo_compute_weights_and_temperature_loss(
        among, temperature, lambda x: x, sample_axis=-1
    )
    same(losses.soft_value(batch.q_t, jnp.log(shares), ALPHA), value)
    alike = jnp.full(among.shape, -jnp.log(NUM_PROPOSALS))
    same(jnp.exp(value_iteration.soft_policy(among, alike, ALPHA)), weights)


# -- penalties and cloning: the log-probability of what was done -----------------------------------


def surprise(logits: jax.Array, action: jax.Array) -> Any:
    """`-log π(action)`: rlax's policy gradient loss of one step with advantage 1."""
    return rlax.policy_gradient_loss(logits[None], action[None], ONE, ONE)


def test_cql_s_penalty_and_cloning_s_loss(batch: Batch) -> None:
    arguments = batch.q_tm1, batch.a_tm1, batch.legal
    theirs = with_slopes(lambda q, a, legal: surprise(only(q, legal), a), *arguments)
    same(with_slopes(losses.cql_penalty, *arguments), theirs)
    same(with_slopes(losses.cross_entropy, *arguments), theirs)


def test_cql_s_penalty_among_proposals(batch: Batch) -> None:
    def theirs(q: jax.Array, action: jax.Array, proposals: jax.Array) -> jax.Array:
        own_last = jnp.concatenate([q[proposals], q[action, None]])
        return surprise(own_last, jnp.int32(NUM_PROPOSALS))

    arguments = batch.q_tm1, batch.a_tm1, batch.proposals
    same(with_slopes(losses.proposals_cql_penalty, *arguments), with_slopes(theirs, *arguments))


def test_cql_s_penalty_with_exact_k(batch: Batch) -> None:
    def theirs(q: jax.Array, action: jax.Array, log_prior: jax.Array) -> jax.Array:
        return ALPHA * (surprise(log_prior + q / ALPHA, action) + log_prior[action])

    def ours(q: jax.Array, action: jax.Array, log_prior: jax.Array) -> jax.Array:
        return losses.soft_cql_penalty(q, action, log_prior, ALPHA)

    arguments = batch.q_tm1, batch.a_tm1, batch.log_prior
    same(with_slopes(ours, *arguments), with_slopes(theirs, *arguments))


# -- policies --------------------------------------------------------------------------------------


def test_soft_policy_is_a_softmax(batch: Batch) -> None:
    log_prior = only(batch.log_prior, batch.legal)
    ours = value_iteration.soft_policy(batch.q_t, log_prior, ALPHA)
    same(jnp.exp(ours), rlax.softmax(ALPHA).probs(batch.q_t + ALPHA * log_prior))


@pytest.mark.parametrize("way", ["greedy", "ε-greedy", "posterior"])
def test_how_often_each_action_is_drawn(batch: Batch, way: str) -> None:
    q, legal = (jnp.repeat(x, NUM_DRAWS, axis=0) for x in (batch.q_t, batch.legal))
    key = jax.random.key(0)
    if way == "greedy":
        drawn = policies.greedy(q, legal)
        expected = rlax.greedy().probs(only(batch.q_t, batch.legal))
    elif way == "ε-greedy":
        drawn = policies.epsilon_greedy(key, q, legal, 0.4)
        # Of the legal actions alone: an illegal one, worth -∞, would have its share of the random.
        expected = np.zeros(batch.q_t.shape)
        for row, (q_row, legal_row) in enumerate(zip(batch.q_t, batch.legal, strict=True)):
            expected[row, legal_row] = rlax.epsilon_greedy(0.4).probs(q_row[legal_row])
    else:
        log_prior = jnp.repeat(batch.log_prior, NUM_DRAWS, axis=0)
        drawn = policies.sample_posterior_exact(key, q, log_prior, ALPHA)
        expected = rlax.softmax(ALPHA).probs(batch.q_t + ALPHA * batch.log_prior)
    rows = np.asarray(drawn).reshape(-1, NUM_DRAWS)
    found = [np.bincount(row, minlength=q.shape[-1]) / NUM_DRAWS for row in rows]
    np.testing.assert_allclose(found, expected, atol=0.015)


# -- plans -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain() -> value_iteration.Law:
    """A walk 0, 1, ..., 11 by any of 3 actions, some of which are illegal; 4 and 8 end it."""
    rng, shape = np.random.default_rng(0), (12, 3, 1)
    index = np.arange(12)
    ends = np.isin(index, (4, 8, 11))
    return value_iteration.Law(
        prob=jnp.ones(shape),
        next_state=jnp.broadcast_to(jnp.int32((index + 1) % 12)[:, None, None], shape),
        reward=jnp.float32(rng.normal(size=shape)),
        discount=jnp.broadcast_to(jnp.float32(~ends)[:, None, None], shape),
        legal=jnp.asarray((rng.random((12, 3)) < 0.6) | (np.arange(3) == index[:, None] % 3)),
    )


@pytest.mark.parametrize("horizon", [1, 3, 12])
def test_values_to_a_horizon_are_n_step_returns(chain: value_iteration.Law, horizon: int) -> None:
    best = jnp.max(only(chain.reward[..., 0], chain.legal), axis=-1)
    discount = 0.9 * chain.discount[:, 0, 0]
    expected = rlax.n_step_bootstrapped_returns(best, discount, jnp.zeros(12), horizon)
    same(jnp.max(value_iteration.plan(chain, horizon, 0.9), axis=-1), expected)


def test_a_policy_s_gain_is_returns_and_divergences(chain: value_iteration.Law) -> None:
    rng = np.random.default_rng(1)
    logits, log_prior = (only(jnp.float32(rng.normal(size=(12, 3))), chain.legal) for _ in range(2))
    log_policy = jax.nn.log_softmax(logits)
    prior = jax.nn.log_softmax(log_prior)
    gain = value_iteration.gain_of(chain, jnp.broadcast_to(log_policy, (12, 12, 3)), prior)
    goes_on = chain.discount[:, 0, 0]
    nothing, no_action = jnp.zeros(12), jnp.zeros(12, jnp.int32)
    reward: Any = jax.vmap(rlax.expected_sarsa)(
        jnp.zeros((12, 3)), no_action, nothing, jnp.ones(12), chain.reward[..., 0],
        rlax.softmax().probs(logits),
    )  # fmt: skip
    away = rlax.categorical_kl_divergence(logits, log_prior)
    same(gain.total[0], rlax.discounted_returns(reward, goes_on, nothing))
    same(gain.kl[0], rlax.discounted_returns(away, goes_on, nothing))


def test_divergence_from_a_uniform_prior_is_missing_entropy(chain: value_iteration.Law) -> None:
    logits = only(jnp.float32(np.random.default_rng(2).normal(size=(12, 3))), chain.legal)
    uniform = jnp.full((12, 3), -jnp.log(3.0))
    kl = value_iteration.gain_of(chain, jax.nn.log_softmax(logits)[None], uniform).kl[0]
    same(jnp.mean(kl) - jnp.log(3.0), rlax.entropy_loss(logits, jnp.ones(12)))
