"""DQN whose Q-networks read a prior's features: what it learns, keeps and asks."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables, trainer
from lm.flax_folders import MAP
from lprl_envs import FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import (
    DegradedPrior,
    EncodedPrior,
    LanguagePrior,
    TabularFeaturePrior,
    TabularPrior,
    UniformPrior,
    degrade,
    fingerprint,
    tabulate_features,
)
from lprl_jax.priors.tabular import Table
from lprl_jax.priors.tabular_features import FeatureTables

# -- values, against those worked out by hand ----------------------------------------------------

PROBE = TabularMDP(2, 3)
# The first place leads to the second, which ends; every action is worth something else.
REWARD = np.array([[0.3, 0.0, -0.3], [1.0, -0.5, 0.5]])
PROBE_PARAMS = PROBE.params_of([tables([[1] * 3, [END] * 3], REWARD.tolist(), starts=(0, 1))])
GAMMA, ALPHA = 0.6, 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class OneHotEncoder:
    """A state with an action is one of S · A pairs."""

    env: TabularMDP
    params: jax.Array

    @property
    def num_features(self) -> int:
        return self.params.shape[-1]

    def encode(self, params: jax.Array, env_state: Any, env_params: Any) -> jax.Array:
        return params[env_state.place]


PAIRS = jnp.eye(9).reshape(3, 3, 9)
UNIFORM = TabularPrior(PROBE, jnp.full((1, 3, 3), -jnp.log(3.0)), "uniform", 0)
READS = {
    "states": TabularFeaturePrior(UNIFORM, jnp.eye(3)[None]),
    "states with actions": EncodedPrior(UniformPrior(PROBE), OneHotEncoder(PROBE, PAIRS)),
}


@pytest.mark.parametrize("optimism", [0.0, 2.0])
@pytest.mark.parametrize("reads", list(READS))
def test_values(reads, optimism):
    config = dqn.DQNConfig(
        num_envs=8,
        rollout_length=2,
        updates_per_rollout=2,
        k="exact",
        q_input="features",
        hidden_sizes=(),
        buffer_size=1024,
        batch_size=64,
        optimism=optimism,
        learning_rate=3e-2,
        gamma=GAMMA,
        tau=0.1,
        alpha=ALPHA,
    )
    prior = READS[reads]
    algorithm, data = dqn.make(config, PROBE, prior), Data(prior.params, PROBE_PARAMS)
    state = begin(algorithm, config, data, range(2))
    state, _ = trainer(algorithm, 500)(state, data)
    after = GAMMA * ALPHA * np.log(np.mean(np.exp(REWARD[1] / ALPHA)))
    expected = REWARD + np.array([[after], [0.0]])
    kernel = np.asarray(state.params["params"]["Dense_0"]["kernel"])  # linear: a table
    found = kernel[:, :2] if reads == "states" else kernel[:, :6, 0].reshape(2, 2, 3)
    for q in optimism + found:
        np.testing.assert_allclose(q, expected, atol=0.05)


# -- training with a language model's features ---------------------------------------------------

LAKE = FrozenLake("4x4", is_slippery=False)
PARAMS = LAKE.params_of([MAP, ("SFFF", "FFFF", "FFHF", "FFFG")])
PARAMS = dataclasses.replace(PARAMS, max_steps_in_episode=jnp.int32(7))  # so that some truncate
R, N, ROLLOUT, UPDATES = 2, 4, 8, 4
STEPS = ROLLOUT * UPDATES
CONFIG = dqn.DQNConfig(
    num_envs=N,
    rollout_length=ROLLOUT,
    updates_per_rollout=2,
    k=3,
    q_input="features",
    hidden_sizes=(8,),
    buffer_size=N * STEPS,
    batch_size=16,
    learning_rate=1e-2,
    alpha=0.5,
)
OBSERVING = dataclasses.replace(CONFIG, q_input="observation")


@functools.cache
def model_prior() -> DegradedPrior:
    """A model's features; most proposals are of the uniform distribution, and so lead around."""
    model = LanguagePrior.of_model(tiny_model(), LAKE, PARAMS, chunk=16)
    return degrade(model, epsilon=0.9)


@functools.cache
def table() -> TabularFeaturePrior:
    return tabulate_features(model_prior(), LAKE, PARAMS)


@functools.cache
def trained(access, config=CONFIG):
    """The algorithm, its data, and the state after training."""
    prior = table() if access == "table" else model_prior()
    algorithm, data = dqn.make(config, LAKE, prior), Data(prior.params, PARAMS)
    state = begin(algorithm, config, data, range(R))
    return algorithm, data, trainer(algorithm, UPDATES)(state, data)[0]


def looked_up(states):
    return np.asarray(table().features)[states.instance, states.position]


def test_replay_keeps_the_features_of_its_states():
    _, _, state = trained("table")
    items = state.replay.items
    assert int(state.replay.num_added) == N * STEPS
    np.testing.assert_array_equal(items.features, looked_up(items.state))
    np.testing.assert_array_equal(items.next_features, looked_up(items.next_state))
    np.testing.assert_array_equal(state.features, looked_up(state.env_state))
    truncated = ~items.terminated & (items.next_state.time == 7)
    assert truncated.any()
    assert items.terminated.any()
    assert (np.abs(items.next_features[truncated]).max(-1) > 0).all()
    np.testing.assert_array_equal(items.next_features[items.terminated], 0)


def test_live_equals_table():
    (_, _, live), (_, _, tabulated) = trained("live"), trained("table")
    for name in ("params", "target_params", "env_state", "log_probs", "features", "replay"):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4),
            getattr(live, name),
            getattr(tabulated, name),
        )
    beforehand = table().table.evaluations
    assert beforehand > 16
    assert live.prior_carry.queries == live.prior_carry.evaluations
    assert tabulated.prior_carry == (live.prior_carry.queries, beforehand)


def test_one_question_a_step():
    _, _, state = trained("live")
    items = state.replay.items
    truncated = ~items.terminated & (items.next_state.time == 7)
    # A state is asked about when it is reached, and once more where an episode was cut short.
    assert state.prior_carry.evaluations == R * N * (1 + STEPS) + int(truncated.sum())


def test_who_reads_observations_keeps_no_features():
    _, _, state = trained("table", OBSERVING)
    assert (state.features, state.replay.items.features) == ((), ())
    assert state.replay.items.next_features == ()


def test_restart_in_another_bank():
    algorithm, data, state = trained("table")
    bank = jax.tree.map(lambda x: x[::-1], PARAMS.bank)
    other = dataclasses.replace(PARAMS, bank=bank)
    tables = data.prior_params
    turned = FeatureTables(
        Table(tables.table.log_probs[::-1], fingerprint.of(LAKE, other)), tables.features[::-1]
    )
    again = algorithm.restart(state, Data(turned, other))
    jax.tree.map(np.testing.assert_array_equal, again.params, state.params)
    own = again.env_state.replace(instance=1 - again.env_state.instance)
    np.testing.assert_array_equal(again.features, looked_up(own))
    assert int(again.replay.num_added) == 0


def test_evaluation_reads_features():
    algorithm, data, state = trained("table")
    played = algorithm.evaluate(state, data, 16, "greedy")
    blind = data._replace(
        prior_params=data.prior_params._replace(features=jnp.zeros_like(table().features))
    )
    unseeing = algorithm.evaluate(state, blind, 16, "greedy")
    assert (np.asarray(played["length"]) != np.asarray(unseeing["length"])).any()


def test_crosses_the_lake():
    """Uniform proposals: whatever is better than chance was learnt from the features."""
    params = LAKE.params_of([MAP])
    prior = tabulate_features(
        degrade(LanguagePrior.of_model(tiny_model(), LAKE, params, chunk=16), epsilon=1.0),
        LAKE,
        params,
    )
    config = dataclasses.replace(
        CONFIG, num_envs=8, k=8, hidden_sizes=(64, 64), buffer_size=4096, batch_size=64,
        gamma=0.9, alpha=0.1, tau=0.05, learning_rate=3e-3, updates_per_rollout=4,
    )  # fmt: skip
    algorithm, data = dqn.make(config, LAKE, prior), Data(prior.params, params)
    state = begin(algorithm, config, data, range(R))
    before = algorithm.evaluate(state, data, 16, "greedy")["success"]
    state, _ = trainer(algorithm, 250)(state, data)
    after = algorithm.evaluate(state, data, 16, "greedy")["success"]
    assert np.mean(before) < 0.5
    assert np.min(after) > 0.9


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "found"),
    [
        (None, "there is no prior"),
        (UniformPrior(PROBE), "the prior 'uniform' has none"),
        (UNIFORM, "the prior 'uniform' has none"),
        (degrade(UNIFORM, epsilon=0.5), r"the prior 'uniform \(ε = 0.5\)' has none"),
    ],
    ids=["none", "uniform", "a table", "degraded"],
)
def test_a_prior_without_features_is_refused(prior, found):
    message = f"^q_input is 'features', but {found}; a language model .* with an encoder$"
    with pytest.raises(InvalidInput, match=message):
        dqn.make(CONFIG, PROBE, prior)


def test_an_unknown_input_is_refused():
    with pytest.raises(InvalidInput, match=r"^q_input is 'text'; valid: observation, features$"):
        dqn.DQNConfig(q_input="text")
