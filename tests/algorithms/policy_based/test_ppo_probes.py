"""PPO solves the probes: values and actions near those worked out, with a prior and without.

With a prior the policy that all ends in is known: π ∝ p exp(Q / α), Q being its own values.
One probe a run, so that a learner is compiled once for all of them.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, PROBES, TabularMDP, begin, trainer

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.priors import TabularPrior

ENV = TabularMDP(2, 3)
PARAMS = ENV.params_of(list(PROBES.values()), max_steps=2)
NAMES = list(PROBES)
GAMMA, ALPHA, SEEDS, NUM_UPDATES = 0.6, 0.25, 2, 250
CONFIG = PPOConfig(
    num_envs=16,
    rollout_length=8,
    num_epochs=2,
    num_minibatches=2,
    hidden_sizes=(16,),
    normalize_advantages=False,
    learning_rate=2e-2,
    anneal_steps=16 * 8 * NUM_UPDATES,
    gamma=GAMMA,
    entropy_coef=0.0,
    alpha=ALPHA,
)
INFORMED = np.array([[0.3, 0.4, 0.3], [0.15, 0.55, 0.3], [1 / 3] * 3])
"""A prior `[num_states, A]`; where actions are illegal, what is left is normalised."""
LEARNERS = {
    "PPO": (None, {}),
    "A2C": (None, {"num_epochs": 1, "num_minibatches": 1}),
    "KL-PPO": (INFORMED, {}),
    "KL-PPO, k = 4": (INFORMED, {"k": 4}),
}


def prior_of(probe, weights):
    """`f64[num_states, A]`"""
    masked = weights * np.vstack([PROBES[probe].legal, [True] * 3])
    return masked / masked.sum(-1, keepdims=True)


def expected(probe, weights):
    """Policy `[2, 3]` and values `[2]` that nothing is to be gained on; a time limit is no end."""
    table = PROBES[probe]
    policy, value = np.zeros((2, 3)), np.zeros(2)
    for _ in range(100):
        after = np.where(table.next_state == END, 0.0, value[table.next_state])
        q = np.where(table.legal, table.reward + GAMMA * after, -np.inf)
        if weights is None:
            policy = (q == q.max(-1, keepdims=True)).astype(float)
        else:
            policy = prior_of(probe, weights)[:2] * np.exp(q / ALPHA)
        policy /= policy.sum(-1, keepdims=True)
        value = np.sum(policy * np.where(policy > 0, q, 0.0), -1)
    return policy, value


@functools.cache
def learnt(learner):
    """Policies `[M, SEEDS, 2, 3]` and values `[M, SEEDS, 2]` after training every probe."""
    weights, changes = LEARNERS[learner]
    prior = None
    if weights is not None:
        with np.errstate(divide="ignore"):
            rows = np.log([prior_of(probe, weights) for probe in PROBES])
        table = jnp.asarray(rows, jnp.float32)
        prior = TabularPrior(ENV, table, "by hand", 0)
    config = dataclasses.replace(CONFIG, **changes)
    algorithm, data = (
        ppo.make(config, ENV, prior),
        Data(() if prior is None else prior.params, PARAMS),
    )
    probes = jnp.repeat(jnp.arange(len(PROBES)), SEEDS)
    state = begin(algorithm, config, data, range(len(probes)), probes[:, None])
    state, _ = trainer(algorithm, NUM_UPDATES)(state, data)
    policy = ppo.policy_of(config, ENV)

    def judge(params, instance):
        states = jax.vmap(lambda i: ENV.state_at(instance, i, PARAMS))(jnp.arange(2))
        context = policy.prepare(params, instance[None], data)
        return policy.apply(params, context, policy.read(states, data), data)

    log_pi, value = jax.vmap(judge)(state.params, probes)
    by_probe = [np.asarray(x).reshape(-1, SEEDS, *x.shape[1:]) for x in (jnp.exp(log_pi), value)]
    return by_probe[0], by_probe[1]


def met(probe):
    """The places that an episode comes to."""
    starts, after = set(PROBES[probe].starts.tolist()), PROBES[probe].next_state
    return sorted(starts | {int(to) for place in starts for to in after[place] if to != END})


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("learner", LEARNERS)
def test_values(learner, probe):
    _, value = expected(probe, LEARNERS[learner][0])
    found = learnt(learner)[1][NAMES.index(probe)]
    for place in met(probe):
        np.testing.assert_allclose(found[:, place], value[place], atol=0.05)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("learner", LEARNERS)
def test_policies(learner, probe):
    weights = LEARNERS[learner][0]
    policy, _ = expected(probe, weights)
    found = learnt(learner)[0][NAMES.index(probe)]
    assert (found[:, ~PROBES[probe].legal] == 0).all()
    for place in met(probe):
        # Without a prior nothing says which of several best actions is taken.
        if weights is not None or policy[place].max() == 1.0:
            np.testing.assert_allclose(
                found[:, place], np.tile(policy[place], (SEEDS, 1)), atol=0.04
            )


def test_the_learners_can_be_told_apart():
    policies = [expected("which bootstrap", weights)[0][1] for weights in (None, INFORMED)]
    values = [expected("which bootstrap", weights)[1] for weights in (None, INFORMED)]
    assert np.abs(policies[0] - policies[1]).max() > 0.08
    assert np.abs(values[0] - values[1]).max() > 0.08
