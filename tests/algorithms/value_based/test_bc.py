"""Behaviour cloning learns the data's frequencies; the prior alone learns nothing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables, trainer
from datasets.tiny_data import dataset_of
from lprl_envs import InvalidInput

from lprl_jax.algorithms import prior_only
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import bc
from lprl_jax.priors import TabularPrior, UniformPrior

ENV = TabularMDP(2, 3)
# What an action pays is its number; action 2 is illegal.
PAID = tables([[END] * 3] * 2, [[0, 1, 2], [0, 0, 0]], [[1, 1, 0], [1, 1, 1]])
PARAMS = ENV.params_of([PAID])
SEEN = [(0, 0, 0)] * 3 + [(0, 0, 1)]
CONFIG = bc.BCConfig(hidden_sizes=(), learning_rate=0.05, batch_size=64)


@pytest.fixture(scope="module")
def cloned():
    algorithm = bc.make(CONFIG, ENV)
    data = Data((), PARAMS, jax.tree.map(jnp.asarray, dataset_of(ENV, [PAID], [SEEN])))
    state = begin(algorithm, CONFIG, data, [0, 1], dataset_size=[0.0, 3.0])
    return algorithm, data, *trainer(algorithm, 400)(state, data)


def test_it_learns_the_data_s_frequencies(cloned):
    _, _, state, metrics = cloned
    logits = state.params["params"]["Dense_0"]["kernel"][:, 0, :2]
    found = np.asarray(jax.nn.softmax(logits))
    np.testing.assert_allclose(found[0], [0.75, 0.25], atol=0.06)
    assert found[1, 0] > 0.98  # it has seen the first three
    assert metrics["loss"].shape == (400, 2)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    np.testing.assert_allclose(metrics["loss"][-100:, 0].mean(), entropy, atol=0.03)


def test_it_acts_by_the_likeliest_action_or_by_sampling(cloned):
    algorithm, data, state, _ = cloned
    assert algorithm.policies == ("greedy", "sample")
    np.testing.assert_array_equal(algorithm.evaluate(state, data, 4)["return"], 0.0)
    paid = algorithm.evaluate(state, data, 2_000, "sample")["return"]
    np.testing.assert_allclose(paid[0], 0.25, atol=0.08)  # and never the illegal action


def test_it_takes_no_prior():
    with pytest.raises(InvalidInput, match="bc learns from data alone, but the prior is 'uniform'"):
        bc.make(CONFIG, ENV, UniformPrior(ENV))


@pytest.mark.parametrize("field", ["learning_rate", "batch_size", "max_grad_norm"])
def test_bad_settings_are_refused_by_name(field):
    with pytest.raises(InvalidInput, match=rf"^{field} is 0(\.0)?; it must be above 0"):
        dataclasses.replace(CONFIG, **{field: 0})
    with pytest.raises(InvalidInput, match=r"^dataset_size is 0.5"):
        bc.BCConfig(dataset_size=0.5)


def test_the_prior_alone():
    weights = jnp.array([[0.3, 0.7, 0.0], [0.4, 0.3, 0.3], [1.0, 0.0, 0.0]])
    prior = TabularPrior(ENV, jnp.log(weights)[None], "a table", 5)
    config = prior_only.PriorOnlyConfig()
    algorithm = prior_only.make(config, ENV, prior)
    data = Data(prior.params, PARAMS)
    state = algorithm.init(jax.random.split(jax.random.key(0), 2), config.hparams(2), data)
    after, metrics = algorithm.train(state, data, 3)
    np.testing.assert_array_equal(metrics["loss"], np.zeros((3, 2)))
    assert after.prior_carry == (0, 5)
    paid = algorithm.evaluate(after, data, 2_000)["return"]
    np.testing.assert_allclose(paid, 0.7, atol=4 * np.sqrt(0.21 / 2_000))
    np.testing.assert_array_equal(algorithm.evaluate(after, data, 4, "greedy")["return"], 1.0)


def test_the_prior_alone_needs_a_prior():
    with pytest.raises(InvalidInput, match="the prior is none; name one"):
        prior_only.make(prior_only.PriorOnlyConfig(), ENV, None)
