"""DQN solves the probes: values near those worked out by hand, and the right greedy actions.

One probe a run, so that a learner is compiled once for all of them.
"""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import PROBES, TabularMDP, begin, trainer

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.networks import QNetwork
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import TabularPrior, UniformPrior

ENV = TabularMDP(2, 3)
PARAMS = ENV.params_of(list(PROBES.values()), max_steps=2)
NAMES = list(PROBES)
GAMMA, ALPHA, SEEDS, TOLERANCE = 0.6, 0.25, 2, 0.08
CONFIG = dqn.DQNConfig(
    num_envs=8,
    rollout_length=2,
    updates_per_rollout=2,
    hidden_sizes=(16,),
    buffer_size=8192,
    batch_size=64,
    optimism=2.0,
    learning_rate=5e-3,
    gamma=GAMMA,
    tau=0.1,
    alpha=ALPHA,
    epsilon=0.5,
    epsilon_steps=200.0,
)
NUM_UPDATES = 300
INFORMED = np.array([[0.3, 0.4, 0.3], [0.15, 0.55, 0.3], [1 / 3] * 3])
"""A prior `[num_states, A]`; where actions are illegal, what is left is normalised."""
LEARNERS = {
    "no prior": (None, 3),
    "uniform, k = 3": (np.ones((3, 3)), 3),
    "informed, k = 3": (INFORMED, 3),
    "informed, exact": (INFORMED, "exact"),
}


def prior_of(weights):
    """Of every probe, `f64[M, num_states, A]`."""
    legal = np.stack([np.vstack([probe.legal, [True] * 3]) for probe in PROBES.values()])
    masked = weights[None] * legal
    return masked / masked.sum(-1, keepdims=True)


def bootstrap(values, p, k):
    """What a state is worth by definition, with these action values and this prior."""
    values = np.array(values, float)
    if p is None:
        return values.max()
    if k == "exact":
        return ALPHA * np.log(np.sum(p * np.exp(values / ALPHA)))
    order = np.argsort(values)
    # P(the best of k draws is at most the i-th value), of which the differences are weights.
    at_most = np.cumsum(p[order]) ** k
    return np.sum(values[order] * np.diff(at_most, prepend=0.0))


def expected_values(probe, weights, k):
    """Action values `[2, 3]`; nan where a probe never comes, or an action is illegal."""
    p = None if weights is None else prior_of(weights)[NAMES.index(probe), 1]
    nan = np.nan
    never = [nan] * 3
    if probe == "which bootstrap":
        on = GAMMA * bootstrap([1, 0, 0], p, k)
        return np.array([[on] * 3, [1, 0, 0]])
    if probe == "illegal actions":
        on = GAMMA * bootstrap([1, 0], None if p is None else p[1:], k)
        return np.array([[on, on, nan], [nan, 1, 0]])
    by_hand = {
        "a constant": [[1, 1, 1], never],
        "by observation": [[1, 1, 1], [-1, -1, -1]],
        "discounting": [[0.6, 0.6, 0.6], [1, 1, 1]],
        "by action": [[-1, 1, 0], never],
        "by both": [[1, -1, -1], [-1, 1, -1]],
        # 1 + .6 + .36 + ... = 1 / .4: a time limit is no end.
        "time limit": [[2.5, 2.5, 2.5], never],
    }
    return np.array(by_hand[probe])


@functools.cache
def learnt(learner):
    """Q-values `[M, SEEDS, 2, 3]` after training every probe, `SEEDS` runs each."""
    weights, k = LEARNERS[learner]
    prior = None
    if learner.startswith("uniform"):
        prior = UniformPrior(ENV)
    elif weights is not None:
        with np.errstate(divide="ignore"):
            table = jnp.asarray(np.log(prior_of(weights)), jnp.float32)
        prior = TabularPrior(ENV, table, "by hand", 0)
    config = dataclasses.replace(CONFIG, k=k)
    algorithm, data = (
        dqn.make(config, ENV, prior),
        Data(() if prior is None else prior.params, PARAMS),
    )
    probes = jnp.repeat(jnp.arange(len(PROBES)), SEEDS)
    state = begin(algorithm, config, data, range(len(probes)), probes[:, None])
    state, _ = trainer(algorithm, NUM_UPDATES)(state, data)
    network = QNetwork(config.hidden_sizes, 3, 3, config.optimism)
    q = jax.vmap(network.apply, (0, None))(state.params, jnp.eye(2, 3))
    return np.asarray(q).reshape(len(PROBES), SEEDS, 2, 3)


@pytest.mark.parametrize("probe", NAMES)
@pytest.mark.parametrize("learner", list(LEARNERS))
def test_values(learner, probe):
    expected = expected_values(probe, *LEARNERS[learner])
    known = ~np.isnan(expected)
    assert known.any()
    for q in learnt(learner)[NAMES.index(probe)]:
        np.testing.assert_allclose(q[known], expected[known], atol=TOLERANCE)


@pytest.mark.parametrize(
    ("probe", "place", "action"),
    [
        ("by action", 0, 1),
        ("by both", 0, 0),
        ("by both", 1, 1),
        ("which bootstrap", 1, 0),
        ("illegal actions", 1, 1),
    ],
)
@pytest.mark.parametrize("learner", list(LEARNERS))
def test_greedy_actions(learner, probe, place, action):
    q = np.where(PROBES[probe].legal, learnt(learner)[NAMES.index(probe)], -np.inf)
    assert (q[:, place].argmax(-1) == action).all()


def test_the_learners_can_be_told_apart():
    # `test_values` would not do if these bootstraps were alike.
    worth = {
        learner: expected_values("which bootstrap", weights, k)[0, 0]
        for learner, (weights, k) in LEARNERS.items()
    }
    assert min(abs(a - b) for a, b in itertools.combinations(worth.values(), 2)) > TOLERANCE
