"""Runs over two devices equal runs on one; and what the compiled training program holds."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, FAST_TO_COMPILE, TabularMDP, begin, tables
from jax.sharding import AxisType
from lprl_envs import FrozenLake
from priors.tiny import tiny_model

from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.algorithms.value_based import discrete_sac, dqn
from lprl_jax.algorithms.value_based.sac_config import DiscreteSACConfig
from lprl_jax.experiments import sharding
from lprl_jax.lm.partition import DATA, MODEL
from lprl_jax.priors import LanguagePrior, TabularPrior

ENV = TabularMDP(3, 3)
BANK = [tables([[0, 1, END], [1, 2, END], [0, END, 1]], np.eye(3).tolist())] * 2
TABLE = jax.nn.log_softmax(jax.random.normal(jax.random.key(2), (2, 4, 3)))
PRIOR = TabularPrior(ENV, TABLE, "table", 5)
TABULAR = Data(PRIOR.params, ENV.params_of(BANK, max_steps=3))
CONFIG = dqn.DQNConfig(
    num_envs=2,
    rollout_length=4,
    updates_per_rollout=2,
    k=2,
    hidden_sizes=(8,),
    buffer_size=16,
    batch_size=8,
)
ON_POLICY = PPOConfig(num_envs=2, rollout_length=4, num_minibatches=2, hidden_sizes=(8,))
FROM_REPLAY = DiscreteSACConfig(
    num_envs=2,
    rollout_length=4,
    learning_starts=10,
    hidden_sizes=(8,),
    buffer_size=16,
    batch_size=8,
)
LEARNERS = {
    "dqn": (CONFIG, dqn.make(CONFIG, ENV, PRIOR), TABULAR),
    "ppo": (ON_POLICY, ppo.make(ON_POLICY, ENV, PRIOR), TABULAR),
    "discrete_sac": (
        FROM_REPLAY,
        discrete_sac.make(FROM_REPLAY, ENV),
        TABULAR._replace(prior_params=()),
    ),
}
CHUNKS, UPDATES = 2, 3
COLLECTIVES = ("all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter")
CALLS_OF_THE_HOST = ("callback", "infeed", "outfeed", "SendToHost", "RecvFromHost")


def train_on(learner, num_devices):
    """Two chunks on so many devices: the state, the metrics of both, the compiled program."""
    devices, types = jax.devices()[:num_devices], (AxisType.Auto, AxisType.Auto)
    mesh = jax.make_mesh((num_devices, 1), (DATA, MODEL), types, devices=devices)
    config, algorithm, data = LEARNERS[learner]
    swept = {"gamma" if learner == "discrete_sac" else "alpha": [0.1, 0.2, 0.3, 0.4]}
    state = begin(algorithm, config, data, range(4), **swept)
    state = sharding.spread(mesh, state)
    data = sharding.place(mesh, data)
    chunk = sharding.compile_chunk(algorithm, mesh, UPDATES, state, data)
    metrics = []
    for _ in range(CHUNKS):
        state, seen = chunk(state, data)
        metrics.append(jax.device_get(seen))
    return state, metrics, chunk


@pytest.fixture(scope="module", params=LEARNERS)
def learner(request):
    return request.param


@pytest.fixture(scope="module")
def one(learner):
    return train_on(learner, 1)


@pytest.fixture(scope="module")
def two(learner):
    assert len(jax.devices()) >= 2
    return train_on(learner, 2)


def test_two_devices_equal_one(one, two):
    state, expected = two[0], one[0]
    for name in set(state._fields) - {"prior_carry", "key"}:
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
            jax.device_get(getattr(state, name)),
            jax.device_get(getattr(expected, name)),
        )
    for found, right in zip(two[1], one[1], strict=True):
        assert found.keys() == right.keys() >= {"episodes", "reward", "loss"}
        for name, values in right.items():
            assert found[name].shape == (4,)
            np.testing.assert_allclose(found[name], values, atol=1e-6)


def test_counters_are_those_of_all_devices(learner, one, two):
    if learner == "discrete_sac":
        assert two[0].prior_carry.queries == 0  # it asks nobody
        assert int(two[0].num_updates) == int(one[0].num_updates) == CHUNKS * UPDATES - 1
        return
    state, expected = two[0], one[0]
    queries = expected.prior_carry.queries
    assert state.prior_carry.queries.low.shape == (2,)
    assert state.prior_carry.queries == queries
    assert int(state.prior_carry.queries.low.min()) > 0  # each has asked
    # Initially, and at every step; with DQN truncated episodes come on top.
    assert int(queries) >= 4 * 2 * (1 + CHUNKS * UPDATES * 4)
    assert state.prior_carry.evaluations == expected.prior_carry.evaluations == 5
    assert int(state.num_steps) == int(expected.num_steps) == CHUNKS * UPDATES * 4 * 2


def test_the_run_axis_lies_on_both_devices(two):
    state = two[0]
    kept = state.replay.items if hasattr(state, "replay") else state.env_state
    for leaf in jax.tree.leaves((state.params, state.opt_state, kept, state.key)):
        assert [shard.data.shape[0] for shard in leaf.addressable_shards] == [2, 2]


def test_devices_share_nothing_while_they_run(two):
    program = two[2].as_text()
    assert "num_partitions=2" in program
    assert "while" in program
    for name in COLLECTIVES:
        assert name not in program


def test_many_runs_go_in_blocks_on_each_device() -> None:
    """80 on two devices: two blocks of 20 each, in training and in play."""
    config, algorithm, data = LEARNERS["dqn"]
    mesh = jax.make_mesh((2, 1), (DATA, MODEL), (AxisType.Auto, AxisType.Auto))
    state = begin(algorithm, config, data, range(80))
    expected, told = algorithm.train(state, data, UPDATES)
    spread, placed = sharding.spread(mesh, state), sharding.place(mesh, data)
    chunk = sharding.compile_chunk(algorithm, mesh, UPDATES, spread, placed)
    play = sharding.compile_evaluation(algorithm, mesh, 2, "posterior", spread, placed)
    assert all(
        len(re.findall(r"f32\[20,", str(program.as_text()))) > 5 for program in (chunk, play)
    )
    returns = play(spread, placed)["return"]
    np.testing.assert_allclose(returns, algorithm.evaluate(state, data, 2)["return"], atol=1e-6)
    found, seen = chunk(spread, placed)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
        jax.device_get((found.params, found.replay, found.env_state)),
        jax.device_get((expected.params, expected.replay, expected.env_state)),
    )
    np.testing.assert_allclose(seen["reward"], jnp.sum(told["reward"], axis=0), atol=1e-6)
    assert found.prior_carry.queries == expected.prior_carry.queries


def test_a_live_language_model_trains_without_the_host():
    env = FrozenLake("4x4", is_slippery=False)
    prior = LanguagePrior.of_model(tiny_model(), env, chunk=8)
    config = dqn.DQNConfig(
        num_envs=2, rollout_length=3, hidden_sizes=(8,), buffer_size=12, batch_size=4
    )
    algorithm, data = dqn.make(config, env, prior), Data(prior.params, env.default_params)
    state = begin(algorithm, config, data, range(2))
    lowered = Algorithm.scan.lower(algorithm, state, data, num_updates=2)
    compiled = lowered.compile(compiler_options=FAST_TO_COMPILE)
    program = compiled.as_text() or ""
    assert program.count("\nENTRY ") == 1
    assert "while" in program
    assert "dot" in program
    # The model is in there: its embedding, and nothing of it as a constant.
    rows = prior.model.config.vocab_size
    assert re.search(rf"f32\[{rows},16\]\S* parameter\(", program)
    assert not re.search(rf"f32\[{rows},16\]\S* constant\(", program)
    for call in CALLS_OF_THE_HOST:
        assert call not in program, call
    state, _ = compiled(state, data)
    asked = int(state.prior_carry.evaluations)
    assert 2 * 2 * (1 + 6) <= asked <= 2 * 2 * (1 + 2 * 6)


def test_a_call_of_the_host_would_be_found():
    def calls(x):
        return jax.pure_callback(lambda y: np.asarray(y), jax.ShapeDtypeStruct((), x.dtype), x)

    program = jax.jit(calls).lower(jnp.float32(1)).compile().as_text() or ""
    assert any(call in program for call in CALLS_OF_THE_HOST)
