"""Exact planning on a process small enough to plan by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables
from envs.track import Track
from lprl_envs import InvalidInput

from lprl_jax.algorithms.tabular.value_iteration import (
    Law,
    gain_of,
    law_of,
    optimal_divergence,
    plan,
    plan_regularized,
    soft_policy,
)

ENV = TabularMDP(2, 2)
# From the first place: stay for 1, or walk to the second for nothing. There: back for 2, or end
# with 6. In the second instance, ending is illegal.
REWARD = [[1, 0], [2, 6]]
NEXT = [[0, 1], [0, END]]
PARAMS = ENV.params_of([tables(NEXT, REWARD), tables(NEXT, REWARD, [[1, 1], [1, 0]])])
NONE = -np.inf


@pytest.mark.parametrize(
    ("horizon", "discount", "expected"),
    [
        (1, 0.5, [[1, 0], [2, 6], [0, 0]]),
        # V = (1, 6): 1 + ½·1, 0 + ½·6; 2 + ½·1, 6.
        (2, 0.5, [[1.5, 3], [2.5, 6], [0, 0]]),
        # V = (3, 6): 1 + ½·3, ½·6; 2 + ½·3, 6; and so it stays.
        (3, 0.5, [[2.5, 3], [3.5, 6], [0, 0]]),
        (50, 0.5, [[2.5, 3], [3.5, 6], [0, 0]]),
        # Nothing changes any more, so the other backups are not made.
        (10**9, 0.5, [[2.5, 3], [3.5, 6], [0, 0]]),
        # Undiscounted: V = (1, 6), then q = 2, 6; 3, 6 and V = (6, 6), then 1 + 6, 6; 2 + 6, 6.
        (3, 1.0, [[7, 6], [8, 6], [0, 0]]),
    ],
)
def test_by_hand(horizon, discount, expected):
    q = plan(law_of(ENV, PARAMS, jnp.int32(0)), horizon, discount)
    np.testing.assert_allclose(q, expected, rtol=1e-6)


def test_a_continuous_world_is_refused():
    env = Track()
    with pytest.raises(InvalidInput, match=r"^Track has continuous actions, and planning needs"):
        law_of(env, env.default_params, jnp.int32(0))


@pytest.mark.parametrize(
    ("horizon", "expected"),
    [
        (1, [[1, 0], [2, NONE], [0, 0]]),
        # V = (1, 2): 1 + ½·1, ½·2; 2 + ½·1. Never 6.
        (2, [[1.5, 1], [2.5, NONE], [0, 0]]),
        # Staying for ever is worth 2: V = (2, 3); ½·3, 2 + ½·2.
        (60, [[2, 1.5], [3, NONE], [0, 0]]),
    ],
)
def test_illegal_actions_are_never_planned(horizon, expected):
    q = plan(law_of(ENV, PARAMS, jnp.int32(1)), horizon, 0.5)
    np.testing.assert_allclose(q, expected, rtol=1e-6)


def test_chance_is_averaged():
    # One place, one action: with ¼ it ends with 8, with ¾ it goes on for 0.
    law = Law(
        prob=jnp.array([[[0.25, 0.75]]]),
        next_state=jnp.zeros((1, 1, 2), jnp.int32),
        reward=jnp.array([[[8.0, 0.0]]]),
        discount=jnp.array([[[0.0, 1.0]]]),
        legal=jnp.ones((1, 1), bool),
    )
    # q = 2, then 2 + ¾·½·2 = 2.75, in the end 2 / (1 - 3/8) = 3.2.
    np.testing.assert_allclose(plan(law, 1, 0.5), [[2.0]])
    np.testing.assert_allclose(plan(law, 2, 0.5), [[2.75]])
    np.testing.assert_allclose(plan(law, 100, 0.5), [[3.2]], rtol=1e-6)


def test_the_law_is_that_of_the_environment():
    law = law_of(ENV, PARAMS, jnp.int32(1))
    assert law.next_state[..., 0].tolist() == [[0, 1], [0, 2], [2, 2]]
    assert law.reward[..., 0].tolist() == [[1, 0], [2, 6], [0, 0]]
    assert law.discount[..., 0].tolist() == [[1, 1], [1, 0], [0, 0]]
    assert law.legal.tolist() == [[True, True], [True, False], [True, True]]


# -- regularised towards a prior -----------------------------------------------------------------

S, A, K, H = 4, 3, 2, 3


def random_law(seed: int) -> tuple[Law, np.ndarray]:
    """A law whose last state is terminal, and a prior `[S, A]`."""
    rng = np.random.default_rng(seed)
    following = rng.integers(0, S, (S, A, K))
    following[-1] = S - 1
    reward = rng.uniform(0, 1, (S, A, K)) * (np.arange(S) < S - 1)[:, None, None]
    law = Law(
        prob=jnp.asarray(rng.dirichlet(np.ones(K), (S, A)), jnp.float32),
        next_state=jnp.asarray(following, jnp.int32),
        reward=jnp.asarray(reward, jnp.float32),
        discount=jnp.asarray(following != S - 1, jnp.float32),
        legal=jnp.ones((S, A), bool),
    )
    return law, rng.dirichlet(np.ones(A), S)


def expected_twin(law: Law, s: int, a: int, reward, value) -> float:
    """`E[reward + value]`, outcome by outcome."""
    return sum(
        float(law.prob[s, a, k])
        * (reward * float(law.reward[s, a, k])
           + float(law.discount[s, a, k]) * value[int(law.next_state[s, a, k])])
        for k in range(K)
    )  # fmt: skip


def entropy_twin(law: Law, temperature: float) -> list[list[float]]:
    """Maximum-entropy value iteration, written down apart: V = λ log Σ exp(Q / λ)."""
    values = [[0.0] * S]
    for _ in range(H):
        q = [[expected_twin(law, s, a, 1, values[0]) for a in range(A)] for s in range(S)]
        values.insert(
            0, [temperature * math.log(sum(math.exp(x / temperature) for x in row)) for row in q]
        )
    return values[:H]


def test_with_a_uniform_prior_it_is_maximum_entropy():
    """But for λ log A a step that is still to come, and is got wherever an episode goes on."""
    law, _ = random_law(0)
    going_on = law._replace(discount=jnp.ones_like(law.discount))
    found = plan_regularized(going_on, jnp.full((S, A), -math.log(A)), 0.5, H)
    left = np.arange(H, 0, -1)[:, None]
    np.testing.assert_allclose(
        found.v + 0.5 * math.log(A) * left, entropy_twin(going_on, 0.5), rtol=1e-5
    )


def test_regularized_by_hand():
    """One state, two actions, prior ¾ and ¼, rewards 0 and 1, λ = 1, two steps, each goes on.

    The last: V = log(¾ + ¼ e) = .357374. The first adds that to both: V = .714748.
    """
    law = Law(
        prob=jnp.ones((1, 2, 1)),
        next_state=jnp.zeros((1, 2, 1), jnp.int32),
        reward=jnp.array([[[0.0], [1.0]]]),
        discount=jnp.ones((1, 2, 1)),
        legal=jnp.ones((1, 2), bool),
    )
    log_prior = jnp.log(jnp.array([[0.75, 0.25]]))
    found = plan_regularized(law, log_prior, 1.0, 2)
    np.testing.assert_allclose(found.v[:, 0], [0.714748, 0.357374], atol=1e-6)
    np.testing.assert_allclose(found.q[:, 0], [[0.357374, 1.357374], [0.0, 1.0]], atol=1e-6)
    # π = (¾, ¼ e) / (¾ + ¼ e) = (.524633, .475367) at both steps; its divergence is
    # .524633 log(.524633 / .75) + .475367 log(.475367 / .25) = .117993, its reward .475367.
    log_policy = soft_policy(found.q, log_prior[None], 1.0)
    np.testing.assert_allclose(jnp.exp(log_policy[0, 0]), [0.524633, 0.475367], atol=1e-6)
    gain = gain_of(law, log_policy, log_prior)
    np.testing.assert_allclose(gain.total[:, 0], [2 * 0.475367, 0.475367], atol=2e-6)
    np.testing.assert_allclose(gain.kl[:, 0], [2 * 0.117993, 0.117993], atol=2e-6)
    # The optimal policy takes the second action: log 4 nats a step.
    np.testing.assert_allclose(
        optimal_divergence(law, log_prior, 2)[:, 0], [2 * math.log(4), math.log(4)], rtol=1e-5
    )


@pytest.mark.parametrize("seed", range(3))
def test_no_policy_is_better(seed):
    """Its value is what its policy gains less its divergence's price; and no other's is more."""
    law, prior = random_law(seed)
    log_prior = jnp.log(jnp.asarray(prior, jnp.float32))
    found = plan_regularized(law, log_prior, 0.3, H)
    gain = gain_of(law, soft_policy(found.q, log_prior[None], 0.3), log_prior)
    np.testing.assert_allclose(gain.total - 0.3 * gain.kl, found.v, atol=1e-5)
    noise = jax.random.normal(jax.random.key(seed), (200, H, S, A))
    others = jax.nn.log_softmax(found.q[None] / 0.3 + log_prior[None, None] + noise, axis=-1)
    gains = jax.vmap(lambda p: gain_of(law, p, log_prior))(others)
    worth = gains.total - 0.3 * gains.kl
    assert jnp.all(worth <= found.v[None] + 1e-5)
    assert jnp.min(worth[:, 0] - found.v[:1]) < -0.01


def test_the_limits_of_the_temperature():
    law, prior = random_law(1)
    log_prior = jnp.log(jnp.asarray(prior, jnp.float32))
    best = jnp.max(plan(law, H), axis=-1)
    np.testing.assert_allclose(plan_regularized(law, log_prior, 1e-4, H).v[0], best, atol=3e-3)
    as_told = gain_of(law, jnp.broadcast_to(log_prior, (H, S, A)), log_prior)
    np.testing.assert_allclose(plan_regularized(law, log_prior, 1e3, H).v, as_told.total, atol=2e-3)
    np.testing.assert_array_equal(as_told.kl, 0.0)


def test_the_divergence_of_the_nearest_optimal_policy():
    """Its value is what regularisation costs the optimum as λ falls to 0."""
    law, prior = random_law(2)
    log_prior = jnp.log(jnp.asarray(prior, jnp.float32))
    best = jnp.max(plan(law, H), axis=-1)
    lost = (best - plan_regularized(law, log_prior, 2e-3, H).v[0]) / 2e-3
    np.testing.assert_allclose(optimal_divergence(law, log_prior, H)[0], lost, atol=5e-3)


def test_ties_are_shared():
    """Both actions are optimal: keeping to the prior costs nothing."""
    law, _ = random_law(0)
    law = law._replace(reward=jnp.zeros_like(law.reward))
    uneven = jnp.log(jnp.tile(jnp.array([[0.9, 0.05, 0.05]]), (S, 1)))
    np.testing.assert_allclose(optimal_divergence(law, uneven, H), 0.0, atol=1e-6)


def test_an_optimal_policy_out_of_the_support_is_infinitely_far():
    law, _ = random_law(0)
    law = law._replace(reward=law.reward.at[0, 1].set(5.0))
    log_prior = jnp.log(jnp.array([[0.5, 0.0, 0.5]] * S))
    assert optimal_divergence(law, log_prior, 1)[0, 0] == jnp.inf
    assert gain_of(law, jnp.zeros((1, S, A)).at[:, :, 1].set(5.0), log_prior).kl[0, 0] == jnp.inf
