"""Keys of different purposes never meet, and none is a split of another."""

import itertools
from typing import get_args

import jax
import numpy as np
import pytest
from algorithms.probes import TabularMDP, tables

from lprl_jax.algorithms import prior_only, streams
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.tabular import linvit
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import UniformPrior

PURPOSES = get_args(streams.Purpose)
ENV = TabularMDP(2, 2)
PARAMS = ENV.params_of([tables([[0, 1], [1, 0]], np.ones((2, 2)))], max_steps=3)


def words(keys: jax.Array) -> set[tuple[int, ...]]:
    """Keys `[...]` as their words."""
    data = np.asarray(jax.random.key_data(keys))
    return {tuple(row) for row in data.reshape(-1, data.shape[-1]).tolist()}


def test_split_and_fold_in_are_one_key_in_jax() -> None:
    """What makes named streams necessary."""
    key = jax.random.key(3)
    assert words(jax.random.split(key, 4)[1]) == words(jax.random.fold_in(key, 1))


def test_purposes_split_apart() -> None:
    """A thousand keys of every purpose, and of the root itself: all differ."""
    root = jax.random.key(0)
    roots = [root, *(streams.of(root, purpose) for purpose in PURPOSES)]
    drawn = [words(jax.random.split(key, 1_000)) | words(key) for key in roots]
    assert len(set.union(*drawn)) == len(roots) * 1_001
    folded = words(jax.vmap(lambda i: jax.random.fold_in(root, i))(np.arange(5_000)))
    assert not folded & set.union(*drawn[1:])


def test_it_is_the_same_for_several_keys_and_in_a_program() -> None:
    keys = jax.random.split(jax.random.key(1), 6).reshape(2, 3)
    at_once = jax.jit(lambda keys: streams.of(keys, "training"))(keys)
    for i, j in itertools.product(range(2), range(3)):
        assert words(at_once[i, j]) == words(streams.of(keys[i, j], "training"))
    legacy = jax.random.key(1, impl="rbg")
    assert len(words(streams.of(legacy, "training")) | words(streams.of(legacy, "start"))) == 2


def test_runs_of_a_seed_are_no_instances_of_it() -> None:
    runs = streams.runs(0, 64)
    assert words(runs) == words(streams.runs(0, 100)[:64])
    assert not words(runs) & words(jax.random.split(jax.random.key(0), 1_000))
    assert not words(runs) & words(streams.runs(1, 64))


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        (dqn, dqn.DQNConfig(num_envs=2, batch_size=2, buffer_size=8, hidden_sizes=(4,))),
        (linvit, linvit.LINVITConfig(horizon=2)),
        (prior_only, prior_only.PriorOnlyConfig()),
    ],
)
def test_training_steps_and_evaluations_share_no_key(module, settings) -> None:
    """Roots that stand in a state, those of its evaluations, and their first splits."""
    algorithm = module.make(settings, ENV, UniformPrior(ENV))
    data = Data((), PARAMS)
    given = streams.runs(0, 3)
    state = algorithm.init(given, settings.hparams(3), data)
    seen = words(given) | words(jax.random.split(jax.random.key(0), 8))
    count = len(seen)
    update = jax.jit(algorithm.update)
    for _ in range(3):
        for keys in (state.key, streams.of(state.key, "evaluation")):
            split = jax.vmap(lambda key: jax.random.split(key, 4))(keys)
            seen |= words(keys) | words(split[:, 1:])  # the first may be the next state's
            count += 3 * (1 + 3)
        state, _ = update(state, data)
    assert len(seen) == count
