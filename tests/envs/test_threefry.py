"""Keys whose rounds are written out draw JAX's numbers, and training on them is the same."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import TabularMDP, begin, tables
from lprl_envs import threefry

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import UniformPrior

# Key, block and cipher, as the authors publish them for 20 rounds (Random123, kat_vectors).
PUBLISHED = (
    ((0x0, 0x0), (0x0, 0x0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
)
DRAWS: dict[str, Callable[[Any], Any]] = {
    "split": lambda key: jax.random.key_data(jax.random.split(key, (3, 5))),
    "fold_in": lambda key: jax.random.key_data(jax.random.fold_in(key, 0xFFFFFFFF)),
    "bits, 8": lambda key: jax.random.bits(key, (9,), "uint8"),
    "bits, 16": lambda key: jax.random.bits(key, (3, 3), "uint16"),
    "uniform": lambda key: jax.random.uniform(key, (2, 3), jnp.float32),
    "normal": lambda key: jax.random.normal(key, (7,), jnp.float32),
    "randint": lambda key: jax.random.randint(key, (9,), 0, jnp.int32(5), jnp.int32),
    "permutation": lambda key: jax.random.permutation(key, 20),
    "one number": lambda key: jax.random.uniform(key, (), jnp.float32),
}


def numbers(key: jax.Array) -> dict[str, Any]:
    """All draws by a key, and one by many keys at once."""
    many = jax.vmap(jax.vmap(DRAWS["randint"]))(jax.random.split(key, (2, 3)))
    return {**{name: draw(key) for name, draw in DRAWS.items()}, "vmap": many}


def equal_words(one: jax.Array, other: jax.Array) -> None:
    np.testing.assert_array_equal(jax.random.key_data(one), jax.random.key_data(other))


@pytest.mark.parametrize(("key", "block", "cipher"), PUBLISHED)
def test_the_cipher_is_the_published_one(
    key: tuple[int, int], block: tuple[int, int], cipher: tuple[int, int]
) -> None:
    k0, k1, x0, x1 = (jnp.uint32(word) for word in (*key, *block))
    assert tuple(int(x) for x in threefry.encipher((k0, k1), (x0, x1))) == cipher


def test_numbers_are_those_of_jax() -> None:
    given = jax.random.key(17)
    key = threefry.written_out(given)
    assert jax.random.key_impl(key) != jax.random.key_impl(given)
    draw = jax.jit(numbers)
    ours, theirs = draw(key), draw(given)
    for name, expected in theirs.items():
        np.testing.assert_array_equal(ours[name], expected, err_msg=name)


def test_long_numbers_are_those_of_jax() -> None:
    with jax.enable_x64(True):
        key = jax.random.key(17)
        for draw in (
            lambda key: jax.random.bits(key, (5,), "uint64"),
            lambda key: jax.random.normal(key, (5,), jnp.float64),
            lambda key: jax.random.key_data(jax.random.split(key, 3)),
        ):
            np.testing.assert_array_equal(draw(threefry.written_out(key)), draw(key))


def test_older_keys_stay_what_they_are() -> None:
    key = jax.random.PRNGKey(1)
    assert threefry.written_out(key) is key


def test_of_a_tree_only_keys_change_and_change_back() -> None:
    tree = {"key": jax.random.split(jax.random.key(1), 3), "x": jnp.arange(2), "none": ()}
    turned = threefry.written_out(tree)
    assert turned["x"] is tree["x"]
    assert turned["key"].shape == (3,)
    back = threefry.as_given(turned)["key"]
    assert back.dtype == tree["key"].dtype
    equal_words(back, tree["key"])


def test_keys_of_another_kind_stay_what_they_are() -> None:
    key = jax.random.key(1, impl="rbg")
    assert threefry.written_out(key) is key


def test_where_jax_counts_otherwise_keys_stay_what_they_are() -> None:
    with jax.threefry_partitionable(False):
        key = jax.random.key(1)
        assert threefry.written_out(key) is key


def test_training_is_that_of_jax_keys_and_returns_them() -> None:
    env = TabularMDP(2, 2)
    params = env.params_of([tables([[0, 1], [1, 0]], np.ones((2, 2)))], max_steps=3)
    prior = UniformPrior(env)
    config = dqn.DQNConfig(k=2, hidden_sizes=(4,), buffer_size=20, batch_size=4)
    algorithm = dqn.make(config, env, prior)
    data = Data(prior.params, params)
    state = begin(algorithm, config, data, range(2))
    trained, _ = algorithm.train(state, data, 3)
    by_hand, update = state, jax.jit(algorithm.update)
    for _ in range(3):
        by_hand, _ = update(by_hand, data)
    assert trained.key.dtype == state.key.dtype
    equal_words(trained.key, by_hand.key)
    jax.tree.map(np.testing.assert_array_equal, trained.replay, by_hand.replay)


class Whimsical(TabularMDP):
    """A world of somebody else's, which draws as keys of JAX alone can."""

    def step_env(
        self, key: Any, state: Any, action: Any, params: Any
    ) -> tuple[jax.Array, Any, jax.Array, jax.Array, dict[Any, Any]]:
        obs, state, reward, terminated, info = super().step_env(key, state, action, params)
        return obs, state, reward + jax.random.poisson(key, 1.0), terminated, info


def test_a_world_of_somebody_else_gets_keys_of_jax() -> None:
    """`jax.random.poisson` refuses any others."""
    env = Whimsical(2, 2)
    params = env.params_of([tables([[0, 1], [1, 0]], np.ones((2, 2)))], max_steps=3)
    config = dqn.DQNConfig(k=2, hidden_sizes=(4,), buffer_size=20, batch_size=4)
    algorithm = dqn.make(config, env)
    data = Data((), params)
    state, metrics = algorithm.train(begin(algorithm, config, data, range(2)), data, 2)
    assert np.all(np.isfinite(metrics["loss"]))
    assert algorithm.evaluate(state, data, 2)["return"].shape == (2,)
