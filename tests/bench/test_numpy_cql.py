"""The peer in NumPy learns what we learn, and its gradient is that of its loss."""

import importlib
from typing import Any

import jax
import numpy as np
import pytest

import lprl_jax
from lprl_jax import Data

training: Any = importlib.import_module("suites.offline_training")
numpy_cql: Any = importlib.import_module("peers.numpy_cql")


def test_it_learns_what_we_learn() -> None:
    env, _ = lprl_jax.make("FrozenLake-lprl", map_name="4x4", observation="index")
    params = env.sample_params(jax.random.key(0), 2)
    dataset = training.random_data(env, params, 2)
    bare = dataset._replace(log_probs=(), next_log_probs=())
    algorithm, config = training.learner(env, None)
    data, keys = Data((), params, bare), jax.random.split(jax.random.key(0), 2)
    state = algorithm.init(keys, config.hparams(2), data)
    assert training.require_equal(algorithm, state, data, updates=5) < 1e-3
    # The comparison would notice another weight of the penalty.
    other = state._replace(hparams=state.hparams._replace(beta=state.hparams.beta * 1.1))
    with pytest.raises(AssertionError):
        training.require_equal(algorithm, other, data, updates=5)


def test_its_gradient_is_that_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    shapes = {"w1": (2, 5, 4), "b1": (2, 4), "w2": (2, 4, 4), "b2": (2, 4), "w3": (2, 4, 3)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    x, weights = rng.normal(size=(2, 6, 5)), rng.normal(size=(2, 6, 3))
    first, second, _ = numpy_cql.forward(params, x)
    gradient = numpy_cql.backward(params, x, first, second, weights)
    for name, value in params.items():
        at = tuple(0 for _ in value.shape)
        ends = []
        for step in (1e-5, -1e-5):
            moved = {**params, name: value.copy()}
            moved[name][at] += step
            ends.append((numpy_cql.forward(moved, x)[-1] * weights).sum())
        difference = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradient[name][at], difference, rtol=1e-5, atol=1e-8)


def test_clipping_and_adam_by_hand() -> None:
    shapes = {"w1": (1, 1, 1), "b1": (1, 1), "w2": (1, 1, 1), "b2": (1, 1), "w3": (1, 1, 2)}
    params = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    settings = numpy_cql.Settings(learning_rate=0.5, tau=0.25, beta=0.0, max_grad_norm=1e-3)
    peer = numpy_cql.Learner(params, settings)
    one = np.zeros((1, 1), np.int64)
    batch = numpy_cql.Batch(one, one, np.full((1, 1), 9.0, np.float32), one == 0, one)
    # Layers are 2, 3, and [3, 3]; the error is 9 - 3 = 6.
    np.testing.assert_allclose(peer.update(batch), [18.0])
    # Adam's first step is the learning rate up for all that the taken action depends on.
    np.testing.assert_allclose(peer.params["w3"][0, 0], [1.5, 1.0], rtol=1e-3)
    np.testing.assert_allclose(peer.params["w1"], 1.5, rtol=1e-2)
    np.testing.assert_allclose(peer.target["w3"][0, 0], [1.125, 1.0], rtol=1e-3)
    norm = np.sqrt(sum(float((m**2).sum()) for m in peer.first.values()))
    np.testing.assert_allclose(norm, 0.1 * 1e-3, rtol=1e-4)  # of the clipped gradient
