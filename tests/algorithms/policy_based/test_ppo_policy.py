"""What KL-PPO's policy becomes between no prior and nothing but the prior."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables, trainer

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.priors import TabularPrior, UniformPrior

ENV = TabularMDP(2, 3)
# Episodes of one step, in either of two places; in the second one action is illegal.
REWARD = np.array([[0.0, 0.5, 1.0], [1.0, 0.0, 0.25]])
LEGAL = np.array([[1, 1, 1], [1, 0, 1]], bool)
PARAMS = ENV.params_of([tables([[END] * 3] * 2, REWARD, LEGAL, starts=(0, 1))])
WEIGHTS = np.array([[0.5, 0.3, 0.2], [0.2, 0.0, 0.8]])
ALPHAS = [0.0, 0.1, 0.25, 1.0, 1e4]
SEEDS, NUM_UPDATES = 4, 200
CONFIG = PPOConfig(
    num_envs=64,
    rollout_length=4,
    num_epochs=2,
    num_minibatches=2,
    hidden_sizes=(),
    normalize_advantages=False,
    learning_rate=0.1,
    anneal_steps=64 * 4 * NUM_UPDATES,
    entropy_coef=0.0,
)
with np.errstate(divide="ignore"):
    TABLE = jnp.float32(np.log([[*WEIGHTS, [1 / 3] * 3]]))
PRIOR = TabularPrior(ENV, TABLE, "by hand", 0)


def policies(state):
    """`[R, 2, 3]` of linear networks on one-hot observations."""
    layer = state.params["actor"]["Dense_0"]
    logits = layer["kernel"][:, :2] + layer["bias"][:, None]
    return np.asarray(jax.nn.softmax(jnp.where(LEGAL, logits, -jnp.inf), axis=-1))


@pytest.fixture(scope="module", params=["exact", 5])
def swept(request):
    """Policies `[α, seed, 2, 3]` and divergences `[update, α, seed]`, in one program."""
    config = dataclasses.replace(CONFIG, k=request.param)
    algorithm, data = ppo.make(config, ENV, PRIOR), Data(PRIOR.params, PARAMS)
    alphas = np.repeat(ALPHAS, SEEDS)
    state = begin(algorithm, config, data, range(len(alphas)), alpha=alphas)
    state, metrics = trainer(algorithm, NUM_UPDATES)(state, data)
    found = policies(state).reshape(len(ALPHAS), SEEDS, 2, 3)
    return found, metrics["kl"].reshape(NUM_UPDATES, len(ALPHAS), SEEDS)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_it_is_the_prior_reweighted_by_what_actions_are_worth(swept, alpha):
    found = swept[0][ALPHAS.index(alpha)]
    if alpha == 0.0:
        expected = [[0, 0, 1], [1, 0, 0]]
    else:
        expected = WEIGHTS * np.exp(REWARD / alpha)
        expected /= expected.sum(-1, keepdims=True)
    # What one seed is off by is noise, 1 in 40 at the most; their mean is off by less.
    np.testing.assert_allclose(found, np.tile(expected, (SEEDS, 1, 1)), atol=0.04)
    np.testing.assert_allclose(found.mean(0), expected, atol=0.012)


def test_as_alpha_grows_it_is_the_prior(swept):
    found = swept[0][ALPHAS.index(1e4)]
    np.testing.assert_allclose(found, np.tile(WEIGHTS, (SEEDS, 1, 1)), atol=2e-3)


def test_the_divergence_is_reported(swept):
    # Minibatches are of either place alike.
    found, reported = swept
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(LEGAL, found * np.log(found / WEIGHTS), 0.0)
    expected = gain.sum(-1).mean((1, 2))
    np.testing.assert_allclose(reported[-10:].mean((0, 2))[1:], expected[1:], atol=0.03)


def train(config, prior, updates=4, **hparams):
    algorithm, data = (
        ppo.make(config, ENV, prior),
        Data(() if prior is None else prior.params, PARAMS),
    )
    state = begin(algorithm, config, data, range(3), **hparams)
    return trainer(algorithm, updates)(state, data)


def same_learners(one, other):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=2e-5), one.params, other.params)


SHORT = dataclasses.replace(CONFIG, num_envs=8, normalize_advantages=True, hidden_sizes=(8,))


def test_of_no_weight_the_prior_changes_nothing():
    with_prior, metrics = train(SHORT, PRIOR, alpha=0.0)
    without, bare = train(SHORT, None)
    same_learners(with_prior, without)
    assert metrics.keys() - bare.keys() == {"kl"}
    weighed, _ = train(SHORT, PRIOR, alpha=0.3)
    gap = weighed.params["actor"]["Dense_1"]["bias"] - without.params["actor"]["Dense_1"]["bias"]
    assert np.abs(gap).max() > 1e-2


def test_near_the_uniform_prior_is_entropy():
    # KL(π ‖ uniform) is the log of the number of legal actions, less the entropy.
    weights = [0.03, 0.3, 3.0]
    uniform, metrics = train(SHORT, UniformPrior(ENV), alpha=weights)
    entropic, rewarded = train(SHORT, None, entropy_coef=weights)
    same_learners(uniform, entropic)
    assert metrics["kl"].min() >= 0
    # In minibatches of either place, so between log 2 and log 3.
    total = metrics["kl"] + metrics["entropy"]
    assert np.log(2) < total.min() < total.max() < np.log(3)
    np.testing.assert_allclose(metrics["entropy"], rewarded["entropy"], atol=1e-4)
