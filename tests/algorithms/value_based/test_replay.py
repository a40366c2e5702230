"""The ring of transitions: its order against a plain list, and what is drawn from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms.value_based import replay

NUM_RUNS = 3
# Upper .001 quantiles of chi-square, by degrees of freedom.
CHI_SQUARE = {4: 18.467, 11: 31.264}


def items_of(numbers):
    """Items `[R, N]` that tell their number and their run, in leaves of several shapes."""
    numbers = jnp.asarray(numbers, jnp.int32)
    runs = jnp.arange(NUM_RUNS)[:, None]
    tagged = 1000 * runs + numbers[None]
    return {"one": tagged, "two": jnp.stack([tagged, -tagged], axis=-1).astype(jnp.float32)}


def filled(capacity, width, count):
    """A ring after `count` additions of `width` items, numbered from 1."""
    first = jax.tree.map(lambda x: x[0, 0], items_of([0]))
    ring = replay.init(first, NUM_RUNS, capacity)
    add = jax.jit(replay.add)
    for i in range(count):
        ring = add(ring, items_of(1 + width * i + np.arange(width)))
    return ring


@pytest.mark.parametrize(
    ("capacity", "width", "count"),
    [(12, 4, 2), (12, 4, 3), (12, 4, 5), (12, 1, 29), (12, 12, 4)],
    ids=["part", "full", "wrapped", "ones", "whole"],
)
def test_order_is_that_of_a_list(capacity, width, count):
    ring = filled(capacity, width, count)
    expected = [0] * capacity
    for i in range(width * count):
        expected[i % capacity] = 1 + i
    assert int(ring.num_added) == width * count
    for run in range(NUM_RUNS):
        there = np.array(expected) > 0
        row = np.where(there, 1000 * run + np.array(expected), 0)
        np.testing.assert_array_equal(ring.items["one"][run], row)
        np.testing.assert_array_equal(ring.items["two"][run], np.stack([row, -row], axis=-1))


@pytest.mark.parametrize(
    ("width", "count", "valid"),
    [(1, 5, range(1, 6)), (4, 5, range(9, 21))],
    ids=["part", "wrapped"],
)
def test_draws_are_uniform_over_what_is_there(width, count, valid):
    ring = filled(12, width, count)
    keys = jax.random.split(jax.random.key(0), NUM_RUNS)
    num_draws = 6000
    batch = jax.jit(replay.sample, static_argnums=2)(ring, keys, num_draws)
    assert batch["two"].shape == (NUM_RUNS, num_draws, 2)
    np.testing.assert_array_equal(batch["two"][..., 0], batch["one"])  # leaves stay together
    for run in range(NUM_RUNS):
        numbers, counts = np.unique(batch["one"][run] - 1000 * run, return_counts=True)
        assert numbers.tolist() == list(valid)
        expected = num_draws / len(valid)
        assert np.sum((counts - expected) ** 2 / expected) < CHI_SQUARE[len(valid) - 1]


def test_runs_draw_by_their_own_keys():
    ring = filled(12, 4, 3)
    keys = jax.random.split(jax.random.key(1), NUM_RUNS)
    sample = jax.jit(replay.sample, static_argnums=2)
    together = sample(ring, keys, 32)["one"] % 1000
    assert not np.array_equal(together[0], together[1])
    other = sample(ring, keys.at[1].set(jax.random.key(7)), 32)["one"] % 1000
    np.testing.assert_array_equal(other[jnp.array([0, 2])], together[jnp.array([0, 2])])
    assert not np.array_equal(other[1], together[1])
    alone = replay.Replay(jax.tree.map(lambda x: x[2:], ring.items), ring.num_added)
    np.testing.assert_array_equal(sample(alone, keys[2:], 32)["one"][0] % 1000, together[2])
