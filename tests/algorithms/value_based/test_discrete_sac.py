"""SAC among numbered actions: its losses against a twin in float64 NumPy, and the eight probes.

One probe a run, so that a learner is compiled once for all of them. What values end in is known for
whatever temperature a run has come to: they are those of the soft backup at that temperature.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, PROBES, TabularMDP, begin, trainer

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import discrete_sac
from lprl_jax.algorithms.value_based.discrete_sac import Batch
from lprl_jax.algorithms.value_based.from_replay import Transition
from lprl_jax.algorithms.value_based.sac import Params
from lprl_jax.algorithms.value_based.sac_config import DiscreteSACConfig

ENV = TabularMDP(2, 3)
PARAMS = ENV.params_of(list(PROBES.values()), max_steps=2)
DATA = Data((), PARAMS)
NAMES = list(PROBES)
GAMMA, SEEDS, NUM_UPDATES = 0.6, 2, 400
CONFIG = DiscreteSACConfig(
    num_envs=8,
    rollout_length=2,
    updates_per_rollout=2,
    learning_starts=160,
    hidden_sizes=(16,),
    buffer_size=8192,
    batch_size=64,
    learning_rate=5e-3,
    gamma=GAMMA,
    tau=0.1,
    temperature=0.3,
    target_entropy=0.6,
)


# -- losses ----------------------------------------------------------------------------------------

B, ALPHA = 6, 0.3
NETS = discrete_sac.networks(ENV, ())


def dense(rng, *shape):
    kernel, bias = rng.normal(0, 0.7, shape), rng.normal(0, 0.7, (*shape[:-2], shape[-1]))
    return {"params": {"Dense_0": {"kernel": kernel, "bias": bias}}}


def affine(tree, x):
    return x @ tree["params"]["Dense_0"]["kernel"] + tree["params"]["Dense_0"]["bias"]


def some():
    """Parameters and targets in float64, and a batch in which some actions are illegal."""
    rng: Any = np.random.default_rng(2)
    critics, targets = (dense(rng, 2, 3, 3) for _ in range(2))
    log_alpha: Any = np.array(math.log(ALPHA))
    params = Params(dense(rng, 3, 3), critics, log_alpha)
    action: Any = rng.integers(3, size=B)
    legal = (rng.random((2, B, 3)) < 0.6) | (np.arange(3) == action[None, :, None])
    batch = Batch(
        obs=rng.normal(size=(B, 3)),
        legal=legal[0],
        action=action,
        reward=rng.normal(size=B),
        discount=rng.permutation(0.9 * (np.arange(B) % 3 > 0)),
        next_obs=rng.normal(size=(B, 3)),
        next_legal=legal[1],
    )
    return params, targets, batch


def twin(policy, critics, targets, batch):
    """Both losses, row by row, over legal actions alone."""
    of_critics, of_policy, entropies = [], [], []
    for row in range(B):

        def state(obs, legal):
            logits = affine(policy, obs)[legal]
            pi = np.exp(logits) / np.exp(logits).sum()
            return pi, -np.sum(pi * np.log(pi)), legal

        pi, entropy, legal = state(batch.next_obs[row], batch.next_legal[row])
        q = affine(jax.tree.map(np.asarray, targets), batch.next_obs[row][None, None])[:, 0]
        value = np.sum(pi * q[:, legal].min(0)) + ALPHA * entropy
        y = batch.reward[row] + batch.discount[row] * value
        q = affine(critics, batch.obs[row][None, None])[:, 0]
        of_critics.append(np.sum((q[:, batch.action[row]] - y) ** 2))
        pi, entropy, legal = state(batch.obs[row], batch.legal[row])
        of_policy.append(-np.sum(pi * q[:, legal].min(0)) - ALPHA * entropy)
        entropies.append(entropy)
    return np.mean(of_critics), np.mean(of_policy), np.array(entropies)


def affine_twins(tree):
    kernel, bias = (tree["params"]["Dense_0"][x] for x in ("kernel", "bias"))
    return {"params": {"Dense_0": {"kernel": kernel, "bias": bias[:, None]}}}


def test_losses_and_their_slopes():
    params, targets, batch = some()
    with jax.enable_x64(True):
        critics, slopes = jax.value_and_grad(
            lambda x: discrete_sac.critics_loss(NETS, x, params, targets, batch)
        )(params.critics)
        (policy, entropy), by_policy = jax.value_and_grad(
            lambda x: discrete_sac.policy_loss(NETS, x, params, batch), has_aux=True
        )(params.policy)

    def twins(policy, critics):
        return twin(policy, affine_twins(critics), affine_twins(targets), batch)

    right = twins(params.policy, params.critics)
    assert float(critics) == pytest.approx(right[0], rel=1e-9)
    assert float(policy) == pytest.approx(right[1], rel=1e-9)
    np.testing.assert_allclose(entropy, right[2], rtol=1e-9)
    for found, tree, which in ((slopes, params.critics, 0), (by_policy, params.policy, 1)):
        kernel = found["params"]["Dense_0"]["kernel"]
        for place in np.ndindex(kernel.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = jax.tree.map(np.array, tree)
                moved["params"]["Dense_0"]["kernel"][place] += step
                of = (params.policy, moved) if which == 0 else (moved, params.critics)
                ends.append(twins(*of)[which])
            right = (ends[0] - ends[1]) / 2e-6
            assert float(kernel[place]) == pytest.approx(right, rel=1e-5, abs=1e-8)


def test_what_networks_read_of_transitions():
    state = jax.vmap(lambda i: ENV.state_at(6, i, PARAMS))(jnp.array([0, 1]))
    transitions = Transition(state, jnp.array([1, 2]), jnp.ones(2), jnp.array([False, True]), state)
    found = discrete_sac.read(ENV, transitions, jnp.float32(0.9), DATA)
    np.testing.assert_array_equal(found.legal, [[1, 1, 0], [0, 1, 1]])
    np.testing.assert_array_equal(found.next_legal, found.legal)
    np.testing.assert_allclose(found.discount, [0.9, 0.0])
    np.testing.assert_array_equal(found.obs, np.eye(3)[:2])


# -- probes ----------------------------------------------------------------------------------------


@functools.cache
def learnt():
    """Values `[M, SEEDS, 2, 3]`, the smaller; policies likewise; temperatures `[M, SEEDS]`."""
    algorithm = discrete_sac.make(CONFIG, ENV)
    probes = jnp.repeat(jnp.arange(len(PROBES)), SEEDS)
    state = begin(algorithm, CONFIG, DATA, range(len(probes)), probes[:, None])
    state, metrics = trainer(algorithm, NUM_UPDATES)(state, DATA)
    nets = discrete_sac.networks(ENV, CONFIG.hidden_sizes)
    legal = jnp.stack([jnp.asarray(probe.legal) for probe in PROBES.values()]).repeat(SEEDS, 0)
    obs = jnp.eye(2, 3)
    q = jax.vmap(lambda p: nets.values(p.critics, obs))(state.params)
    log_pi = jax.vmap(lambda p, may: nets.log_probs(p.policy, obs, may))(state.params, legal)
    found = q.min(2), jnp.exp(log_pi), jnp.exp(state.params.log_temperature)
    by_probe = [np.asarray(x).reshape(len(NAMES), SEEDS, *x.shape[1:]) for x in found]
    return *by_probe, metrics


def expected(probe, alpha):
    """Policy and values `[2, 3]` of the soft backup, to its end; a time limit is no end."""
    table, value, q = PROBES[probe], np.zeros(2), np.zeros((2, 3))
    for _ in range(100):
        after = np.where(table.next_state == END, 0.0, value[table.next_state])
        q = np.where(table.legal, table.reward + GAMMA * after, -np.inf)
        value = alpha * np.log(np.exp(q / alpha).sum(-1))
    return np.exp((q - value[:, None]) / alpha), q


def met(probe):
    """The places that an episode comes to."""
    starts, after = set(PROBES[probe].starts.tolist()), PROBES[probe].next_state
    return sorted(starts | {int(to) for place in starts for to in after[place] if to != END})


@pytest.mark.parametrize("probe", PROBES)
def test_values_and_policies(probe):
    values, policies, temperatures, _ = learnt()
    place = NAMES.index(probe)
    for seed in range(SEEDS):
        policy, q = expected(probe, temperatures[place, seed])
        legal = PROBES[probe].legal
        assert (policies[place, seed][~legal] == 0).all()
        for at in met(probe):
            here = legal[at]
            np.testing.assert_allclose(values[place, seed, at][here], q[at][here], atol=0.1)
            np.testing.assert_allclose(policies[place, seed, at], policy[at], atol=0.06)


def test_temperatures_are_led_to_the_target_entropy():
    # Of one decision an episode: softmax(q / α) is to have .6 · log 3 nats.
    _, policies, temperatures, _ = learnt()
    for probe in ("by action", "by both"):
        found = policies[NAMES.index(probe)][:, met(probe)]
        entropy = -(found * np.log(found)).sum(-1).mean(-1)
        np.testing.assert_allclose(entropy, 0.6 * math.log(3), atol=0.06)
    free = temperatures[NAMES.index("a constant")]
    assert (free < temperatures[NAMES.index("by action")] / 2).all()  # and so it falls


def test_a_state_without_a_choice_moves_no_temperature():
    # One legal action has no entropy, and its target c · log 1 is none: nothing to be led.
    only = np.array([[True, False, False]] * 2)
    bank = ENV.params_of([PROBES["a constant"]._replace(legal=only)])
    algorithm = discrete_sac.make(CONFIG, ENV)
    state = begin(algorithm, CONFIG, Data((), bank), range(2))
    after, metrics = trainer(algorithm, 20)(state, Data((), bank))
    right = np.float32(math.log(CONFIG.temperature))
    np.testing.assert_array_equal(after.params.log_temperature, right)
    assert not np.asarray(metrics["entropy"]).any()
    assert not np.asarray(after.replay.items.action).any()  # and nothing illegal was done
