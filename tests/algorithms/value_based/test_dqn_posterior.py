"""How DQN acts in training: by the policies that it is said to have, each run at its own α and ε.

Read off the actions of a thousand environments that stay in one state, while nothing is learnt.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import TabularMDP, begin, tables, trainer

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import TabularPrior

A = 4
ENV = TabularMDP(1, A)
PARAMS = ENV.params_of([tables([[0] * A], [[0] * A], [[1, 1, 1, 0]])], max_steps=10_000)
P = np.array([0.6, 0.3, 0.1, 0.0])
Q = np.array([-0.1, 0.4, 0.5, 9.0])
ALPHAS = [0.25, 1.0]
"""One a run."""
CONFIG = dqn.DQNConfig(
    num_envs=1000, rollout_length=40, hidden_sizes=(), buffer_size=40_000, batch_size=1
)


def frequencies(k, **hparams):
    """How often each action is taken by each run, `[R, A]`, when the values are Q."""
    with np.errstate(divide="ignore"):
        table = jnp.asarray(np.log([[P, [0.25] * 4]]), jnp.float32)
    prior = None if k is None else TabularPrior(ENV, table, "by hand", 0)
    config = CONFIG if k is None else dataclasses.replace(CONFIG, k=k)
    algorithm, data = (
        dqn.make(config, ENV, prior),
        Data(() if prior is None else prior.params, PARAMS),
    )
    state = begin(algorithm, config, data, [0, 1], learning_rate=0.0, **hparams)
    layer = state.params["params"]["Dense_0"]
    values = jnp.broadcast_to(jnp.float32(Q), layer["kernel"].shape)
    params = {"params": {"Dense_0": {**layer, "kernel": values}}}
    state, _ = trainer(algorithm, 1)(state._replace(params=params), data)
    np.testing.assert_array_equal(state.params["params"]["Dense_0"]["kernel"], values)
    actions = np.asarray(state.replay.items.action)
    return np.stack([np.bincount(row, minlength=A) / row.size for row in actions])


def distance(a, b):
    """Total variation, along the last axis."""
    return np.abs(a - b).sum(-1) / 2


@pytest.fixture(scope="module")
def proposition():
    """`[R, A]`"""
    weights = P * np.exp(Q / np.array(ALPHAS)[:, None])
    return weights / weights.sum(-1, keepdims=True)


def test_exact(proposition):
    found = frequencies("exact", alpha=ALPHAS)
    assert (distance(found, proposition) < 0.01).all()
    assert (found[:, 3] == 0).all()


def test_two_proposals_by_hand():
    # Of two proposals a and b, a is taken with probability exp(q_a) / (exp(q_a) + exp(q_b)).
    def taken(alpha):
        weights = np.exp(Q / alpha)
        pairs = weights[:, None] / (weights[:, None] + weights[None])  # the first of the two
        return 2 * P * np.sum(P[None] * pairs, axis=1)

    expected = np.stack([taken(alpha) for alpha in ALPHAS])
    np.testing.assert_allclose(expected.sum(-1), 1)
    assert (distance(frequencies(2, alpha=ALPHAS), expected) < 0.01).all()


def test_without_a_prior_it_is_epsilon_greedy():
    # The run's ε is .3 at once, and 1 always: a random action is any of the three legal ones.
    found = frequencies(None, epsilon=[0.3, 1.0], epsilon_steps=1.0)
    # The first of 40 steps is at ε = 1, before any environment step.
    share = (1 + 39 * 0.3) / 40
    expected = np.array([[share / 3, share / 3, 1 - share * 2 / 3, 0], [1 / 3, 1 / 3, 1 / 3, 0]])
    assert (distance(found, expected) < 0.01).all()
