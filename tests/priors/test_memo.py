"""A prior that remembers: the same answers, however few it can keep, and fewer evaluations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import (
    LanguagePrior,
    MemoPrior,
    UniformPrior,
    degrade,
    has_features,
    memo,
    remember,
    tabulate,
)

LAKE, BLOCKS = FrozenLake("4x4", is_slippery=False), BlocksWorld(4)
WORLDS = {"lake": LAKE, "blocks": BLOCKS}
BATCH, STEPS = 24, 12


@functools.cache
def made(world):
    """`(environment, bank, prior)`; of blocks few of many actions are legal."""
    env = WORLDS[world]
    params = env.sample_params(jax.random.key(0), 3)
    return env, params, LanguagePrior.of_model(tiny_model(), env, params, chunk=8)


@functools.cache
def programs(world, slots):
    """A memory, and both ways to ask, compiled."""
    env, _, prior = made(world)
    remembered = remember(prior, env, slots)
    return remembered, jax.jit(remembered.log_probs), jax.jit(prior.log_probs)


def batches(world):
    """Steps of states, of which some are needed, and many are alike."""
    env, params, _ = made(world)
    for i in range(STEPS):
        keys = jax.random.split(jax.random.key(i), 3)
        instance = jax.random.randint(keys[0], (BATCH,), 0, 3)
        index = jax.random.randint(keys[1], (BATCH,), 0, env.num_states)
        states = jax.vmap(lambda m, s: env.state_at(m, s, params))(instance, index)
        yield states, jax.random.bernoulli(keys[2], 0.7, (BATCH,))


def words(env, states, params):
    return [tuple(row) for row in np.asarray(jax.vmap(env.slots, (0, None))(states, params))]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("slots", [1, 10, 4096])
def test_answers_are_the_priors_own(world, slots):
    env, params, prior = made(world)
    remembered, ask, live = programs(world, slots)
    carry, queries, seen = remembered.init(), 0, set()
    for states, needed in batches(world):
        found, carry = ask(prior.params, carry, states, params, needed)
        expected, _ = live(prior.params, prior.init(), states, params, needed)
        rows = np.asarray(needed)
        np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-5, atol=1e-5)
        assert np.isfinite(np.asarray(found)).any(axis=1).all()
        queries += rows.sum()
        seen |= {word for word, need in zip(words(env, states, params), rows, strict=True) if need}
    assert carry.queries == queries
    assert len(seen) <= int(carry.evaluations) <= queries
    if slots == 4096:
        # Where new texts of a batch belong to the same cells, all but one wait for the next time.
        assert int(carry.evaluations) <= len(seen) + 6
        assert int(carry.evaluations) < queries


def test_what_stands_in_a_batch_twice_is_run_once():
    _, params, prior = made("lake")
    remembered, ask, _ = programs("lake", 4096)
    states = jax.vmap(lambda s: LAKE.state_at(0, s, params))(jnp.zeros(BATCH, jnp.int32))
    needed = jnp.arange(BATCH) < 20
    found, carry = ask(prior.params, remembered.init(), states, params, needed)
    assert (carry.queries, carry.evaluations) == (20, 1)
    np.testing.assert_array_equal(found[:20], np.broadcast_to(found[:1], (20, 4)))
    _, carry = ask(prior.params, carry, states, params, needed)
    assert (carry.queries, carry.evaluations) == (40, 1)
    counted = carry.minus(remembered.init())
    assert (counted.queries, counted.evaluations) == (40, 1)
    more = carry.plus(counted)
    assert (more.queries, more.evaluations) == (80, 2)
    np.testing.assert_array_equal(more.key, carry.key)


def test_features_are_remembered_too():
    env, params, prior = made("lake")
    remembered = remember(prior, env, 64, with_features=True)
    assert remembered.feature_shape == prior.feature_shape
    assert not has_features(remember(prior, env, 64))
    with pytest.raises(InvalidInput, match="no features"):
        remember(UniformPrior(env), env, 64, with_features=True)
    ask = jax.jit(remembered.log_probs_and_features)
    live = jax.jit(prior.log_probs_and_features)
    carry = remembered.init()
    for states, needed in list(batches("lake"))[:4]:
        *found, carry = ask(prior.params, carry, states, params, needed)
        *expected, _ = live(prior.params, prior.init(), states, params, needed)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(
                x[np.asarray(needed)], y[np.asarray(needed)], rtol=1e-5, atol=1e-5
            )
    assert int(carry.evaluations) < int(carry.queries)


def test_a_memory_can_be_degraded():
    env, params, prior = made("lake")
    worse = degrade(remember(prior, env, 64), epsilon=0.5)
    expected = degrade(prior, epsilon=0.5)
    states, _ = next(batches("lake"))
    every = jnp.ones(BATCH, bool)
    found, carry = worse.log_probs(prior.params, worse.init(), states, params, every)
    own, _ = expected.log_probs(prior.params, expected.init(), states, params, every)
    np.testing.assert_allclose(found, own, rtol=1e-5, atol=1e-5)
    assert isinstance(carry, memo.Memo)


def test_a_training_holds_the_table_once():
    """In a scan of steps nothing as large as the table is made beside it."""
    env, params, prior = made("lake")
    config = dqn.DQNConfig(
        num_envs=2, rollout_length=3, hidden_sizes=(8,), buffer_size=12, batch_size=4, k=3
    )

    def temporary(prior):
        algorithm = dqn.make(config, env, prior)
        data = Data(prior.params, params)
        keys = jax.random.split(jax.random.key(0), 2)
        state = jax.eval_shape(algorithm.init, keys, config.hparams(2), data)
        train = jax.jit(algorithm.train, static_argnums=2, donate_argnums=0)
        stats = train.lower(state, data, 2).compile().memory_analysis()
        assert stats is not None
        return stats.temp_size_in_bytes

    slots = 50_000
    large = remember(prior, env, slots)
    table = large.init()
    size = table.answer.nbytes + table.key.nbytes
    # Which of the rows are written to a cell takes one number a cell.
    assert temporary(large) - temporary(remember(prior, env, 8)) < 4 * slots + 0.1 * size


def test_what_is_no_model_needs_no_memory():
    env, params, prior = made("lake")
    table = tabulate(prior, env, params)
    for known, words in ((table, "is a table"), (remember(prior, env, 8), "is a memory")):
        with pytest.raises(InvalidInput, match=words):
            remember(known, env)


def test_features_of_rows_that_are_not_needed_are_0():
    env, params, prior = made("lake")
    remembered = remember(prior, env, 64, with_features=True)
    states, _ = next(batches("lake"))
    ask, every = jax.jit(remembered.log_probs_and_features), jnp.ones(BATCH, bool)
    *_, carry = ask(prior.params, remembered.init(), states, params, every)
    _, features, _ = ask(prior.params, carry, states, params, ~every)
    assert not np.asarray(features).any()


@pytest.mark.parametrize(("slots", "words"), [(0, "1 or more"), (-3, "1 or more"), (1.5, "whole")])
def test_a_memory_without_cells_is_refused(slots, words):
    with pytest.raises(InvalidInput, match=words):
        remember(UniformPrior(LAKE), LAKE, slots)


def test_a_memory_larger_than_the_machine_is_refused():
    with pytest.raises(InvalidInput, match=r"memo_slots is 2000000000: .* memory"):
        remember(UniformPrior(LAKE), LAKE, 2 * 10**9)


def test_it_has_the_priors_name_and_parameters():
    env, _, prior = made("lake")
    remembered = remember(prior, env)
    assert isinstance(remembered, MemoPrior)
    assert remembered.name == prior.name
    assert remembered.params is prior.params
    assert remembered.slots == memo.SLOTS
