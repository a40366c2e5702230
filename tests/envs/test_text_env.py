"""TextEnv: environments as values, the hash that splits instances, registration."""

import copy
import dataclasses
import functools
import importlib
import pickle

import gymnax
import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from lprl_envs import FrozenLake, TextEnv, content_hash, parse_map

CONFIG = {"map_name": "8x8", "is_slippery": True, "success_rate": 0.8, "observation": "features"}


# -- environments are values -------------------------------------------------------------------


@pytest.mark.parametrize(
    "clone",
    [
        lambda env: FrozenLake(**CONFIG),
        copy.copy,
        copy.deepcopy,
        lambda env: pickle.loads(pickle.dumps(env)),
    ],
    ids=["again", "copy", "deepcopy", "pickle"],
)
def test_equal_configuration_equal_environment(clone):
    env = FrozenLake(**CONFIG)
    other = clone(env)
    assert other is not env
    assert other == env
    assert hash(other) == hash(env)
    assert other.template == env.template
    key = jax.random.key(0)
    params = other.default_params
    assert jax.eval_shape(other.reset, key, params) == jax.eval_shape(env.reset, key, params)


@pytest.mark.parametrize(
    "change",
    [
        {"map_name": "6x6"},
        {"is_slippery": False},
        {"success_rate": 0.7},
        {"reward_schedule": (1.0, -1.0, 0.0)},
        {"observation": "onehot"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_configuration_other_environment(change):
    env, other = FrozenLake(**CONFIG), FrozenLake(**CONFIG | change)
    assert other != env
    assert hash(other) != hash(env)


def test_another_class_is_another_environment():
    class Other(FrozenLake):
        pass

    assert Other(**CONFIG) != FrozenLake(**CONFIG)
    assert FrozenLake(**CONFIG) != "FrozenLake-lprl"


def test_equal_values_do_not_recompile():
    # Neither an equal environment, nor another bank of the same size, nor another time limit.
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def play(env, key, params):
        traces.append(env)
        _, state = env.reset(key, params)
        _, state, *_ = env.step(key, state, 2, params)
        return state.position

    env = FrozenLake("2x2")
    params, other = (env.params_of([parse_map([rows, "FG"])]) for rows in ("SF", "FS"))
    play(env, jax.random.key(0), params)
    play(FrozenLake("2x2"), jax.random.key(1), params)
    play(copy.deepcopy(env), jax.random.key(1), other)
    limit = dataclasses.replace(params, max_steps_in_episode=jnp.int32(7))
    play(env, jax.random.key(1), limit)
    assert len(traces) == 1
    play(FrozenLake("2x2", is_slippery=False), jax.random.key(0), params)
    assert len(traces) == 2


# -- the hash ----------------------------------------------------------------------------------


def hash_in_plain_python(values) -> int:
    def mix(x):
        x = (x ^ x >> 16) * 0x85EBCA6B % 2**32
        x = (x ^ x >> 13) * 0xC2B2AE35 % 2**32
        return x ^ x >> 16

    places = [(i + 1) * 0x9E3779B9 % 2**32 for i in range(len(values))]
    total = sum(mix(int(v) % 2**32 ^ place) for v, place in zip(values, places, strict=True))
    return mix(total % 2**32)


PINNED = {
    "0": ([0], 2856213345),
    "0..4": ([0, 1, 2, 3, 4], 790521288),
    "16 zeros": ([0] * 16, 3265526157),
    "negative": ([-1, 2**31 - 1], 1663539325),
}


@pytest.mark.parametrize(("values", "expected"), PINNED.values(), ids=PINNED)
def test_content_hash_is_pinned(values, expected):
    # Another value here moves instances between train and held-out: never change it.
    found = jax.jit(content_hash)(jnp.array(values, jnp.int32))
    assert found.dtype == jnp.uint32
    assert found.shape == ()
    assert int(found) == expected == hash_in_plain_python(values)


def test_content_hash_reads_values_not_dtypes_or_shapes():
    values = np.array([[0, 1, 1], [1, 0, 1]])
    hashes = {int(content_hash(jnp.asarray(values, dtype))) for dtype in (bool, np.int32, np.uint8)}
    assert hashes == {int(content_hash(jnp.asarray(values.ravel())))}


def test_content_hash_tells_near_values_apart():
    # All 65,536 rows of 16 bits, order included: as few collisions as chance allows, and evenly
    # spread over the residues that make the split.
    rows = (np.arange(2**16)[:, None] >> np.arange(16)) & 1
    hashes = np.asarray(jax.jit(jax.vmap(content_hash))(jnp.asarray(rows, jnp.int32)))
    assert len(np.unique(hashes)) > 2**16 - 5  # half a pair is expected to collide
    counts = np.bincount(hashes % 5, minlength=5)
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 18.47  # .001, 4 degrees


# -- registration ------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", lprl_envs.ENVIRONMENTS)
def test_gymnax_makes_it(env_id):
    env, params = gymnax.make(env_id)
    assert isinstance(env, TextEnv)
    assert env.name == env_id
    assert jax.tree.structure(params) == jax.tree.structure(env.default_params)


def test_gymnax_passes_arguments_on():
    env, params = gymnax.make("FrozenLake-lprl", map_name="8x8", is_slippery=False)
    assert env == FrozenLake("8x8", is_slippery=False)
    assert params.bank.tiles.shape == (1, 64)


def test_reload_registers_nothing_twice():
    before = list(gymnax.registered_envs)
    importlib.reload(lprl_envs)
    assert gymnax.registered_envs == before
    assert before.count("FrozenLake-lprl") == 1
