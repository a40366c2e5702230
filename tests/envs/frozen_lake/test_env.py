"""Frozen Lake's gymnax contract: auto-reset, episode ends, dtypes, spaces, transformations."""

import dataclasses
import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake
from lprl_envs.frozen_lake.env import DOWN, LEFT, RIGHT, UP, EnvState
from lprl_envs.observations import OBSERVATIONS

LIMIT = 10
REWARDS = (1.0, -1.0, -0.125)


def lake(**config) -> FrozenLake:
    return FrozenLake(**{"map_name": "4x4", "reward_schedule": REWARDS} | config)


def state_of(position, time) -> EnvState:
    return EnvState(time=jnp.int32(time), instance=jnp.int32(0), position=jnp.int32(position))


def assert_equal_trees(x, y):
    jax.tree.map(np.testing.assert_array_equal, x, y)


def rollout(env, params, key, num_steps):
    """Everything `step` returns over `num_steps` random moves."""

    def step(state, key):
        key_action, key_step = jax.random.split(key)
        action = jax.random.randint(key_action, (), 0, 4)
        out = env.step(key_step, state, action, params)
        return out[1], out

    key_reset, key_steps = jax.random.split(key)
    _, state = env.reset(key_reset, params)
    return jax.lax.scan(step, state, jax.random.split(key_steps, num_steps))[1]


@pytest.fixture(scope="module")
def five_maps():
    maps = ("SFFFFHFHFFFHHFFG", "FFFFFSFFFFHFGFFF", "FFFHFFFFGHFFFFFS", "FFSFFFFGFFFFFFHF")
    grids = [np.array(["SFHG".index(tile) for tile in tiles]).reshape(4, 4) for tiles in maps]
    return lake().params_of([*grids, grids[0].T])


# -- one step ----------------------------------------------------------------------------------

# S F F F
# F H F H
# F F F H
# H F F G
STEPS = {
    # position, time, action -> position, reward, terminated, truncated
    "moves": (0, 0, RIGHT, 1, -0.125, False, False),
    "stays at the edge": (0, 3, UP, 0, -0.125, False, False),
    "last but one step": (8, LIMIT - 2, RIGHT, 9, -0.125, False, False),
    "hole": (4, 2, RIGHT, 5, -1.0, True, False),
    "goal": (14, 2, RIGHT, 15, 1.0, True, False),
    "time": (14, LIMIT - 1, LEFT, 13, -0.125, False, True),
    "goal in time": (14, LIMIT - 1, RIGHT, 15, 1.0, True, True),
    "hole in time": (9, LIMIT - 1, UP, 5, -1.0, True, True),
    "over time": (2, LIMIT + 5, DOWN, 6, -0.125, False, True),
    "stuck in a hole": (7, 4, LEFT, 7, 0.0, True, False),
    "stuck at the goal": (15, 4, UP, 15, 0.0, True, False),
}


@pytest.fixture(scope="module")
def compiled():
    """`(env, params, step)` with step compiled once a mode of observation."""
    found = {}
    for observation in OBSERVATIONS:
        env = lake(is_slippery=False, observation=observation)
        params = dataclasses.replace(env.default_params, max_steps_in_episode=jnp.int32(LIMIT))
        found[observation] = (env, params, jax.jit(env.step))
    return found


@pytest.mark.parametrize("case", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_step(compiled, observation, case):
    position, time, action, landed, reward, terminated, truncated = case
    env, params, step = compiled[observation]
    key = jax.random.key(0)
    obs, state, *outcome, info = step(key, state_of(position, time), action, params)
    assert [x.item() for x in outcome] == [reward, terminated, truncated]
    assert [info[name].item() for name in ("terminated", "truncated")] == [terminated, truncated]
    final, start = state_of(landed, time + 1), state_of(0, 0)
    assert_equal_trees(info["final_state"], final)
    assert_equal_trees(info["final_observation"], env.observe(key, final, action, params))
    after = start if terminated or truncated else final
    assert_equal_trees(state, after)
    assert_equal_trees(obs, env.observe(key, after, action, params))
    assert bool(env.is_terminated(final, params)) == terminated


def test_onehot_and_features():
    # Written out: the cell; the cell, the holes, the goal.
    env, plain = lake(observation="features"), lake(observation="onehot")
    params = env.default_params
    cell = np.eye(16)[6]
    holes = np.eye(16)[[5, 7, 11, 12]].sum(0)
    found = env.observe(jax.random.key(0), state_of(6, 0), None, params)
    np.testing.assert_array_equal(found, np.r_[cell, holes, np.eye(16)[15]])
    found = plain.observe(jax.random.key(0), state_of(6, 0), None, params)
    np.testing.assert_array_equal(found, cell)


# -- time limits and defaults ------------------------------------------------------------------


@pytest.mark.parametrize(("name", "limit"), [("4x4", 100), ("8x8", 200), ("3x5", 100)])
def test_default_params(name, limit):
    env = FrozenLake(name)
    params = env.default_params
    height, width = map(int, name.split("x"))
    assert int(params.max_steps_in_episode) == limit
    assert params.bank.tiles.shape == (1, height * width)
    assert params.instances.tolist() == [0]
    assert env.num_actions == len(env.action_texts) == 4


def test_params_are_optional():
    env, key = lake(), jax.random.key(0)
    params = env.default_params
    obs, state = env.reset(key)
    assert_equal_trees((obs, state), env.reset(key, params))
    assert_equal_trees(env.step(key, state, RIGHT), env.step(key, state, RIGHT, params))


def test_every_move_is_legal():
    env = lake()
    mask = env.action_mask(state_of(0, 0), env.default_params)
    assert mask.dtype == bool
    assert mask.tolist() == [True] * 4


# -- dtypes and spaces -------------------------------------------------------------------------


def avals(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)


@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("is_slippery", [True, False])
def test_reset_and_step_agree_on_avals(observation, is_slippery, five_maps):
    # Otherwise a scan over steps is refused, or everything compiles twice.
    env = lake(observation=observation, is_slippery=is_slippery)
    params, key = five_maps, jax.random.key(0)
    obs, state = jax.eval_shape(env.reset, key, params)
    for action in (jnp.int32(1), jnp.uint8(1), 1):
        stepped = jax.eval_shape(env.step, key, state, action, params)
        assert avals((obs, state)) == avals(stepped[:2])
        assert avals((obs, state)) == avals(
            (stepped[-1]["final_observation"], stepped[-1]["final_state"])
        )
        assert [x.dtype for x in stepped[2:5]] == [jnp.float32, bool, bool]
    assert avals(state) == avals(jax.eval_shape(env.state_at, jnp.int32(0), jnp.int32(0), params))
    prob, after, reward, terminated = jax.eval_shape(env.transitions, state, jnp.int32(1), params)
    k = 3 if is_slippery else 1
    assert [(x.shape, x.dtype) for x in (prob, reward, terminated)] == [
        ((k,), jnp.float32),
        ((k,), jnp.float32),
        ((k,), bool),
    ]
    batched = jax.tree.map(lambda x: ((k, *x.shape), x.dtype, x.weak_type), state)
    assert avals(after) == batched
    everything = jax.tree.leaves((obs, state, stepped, prob, after, reward, terminated))
    assert not any(leaf.weak_type for leaf in everything)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_observations_lie_in_the_space(observation, five_maps):
    env = lake(observation=observation)
    keys = jax.random.split(jax.random.key(1), 16)
    obs, *_, info = jax.jit(jax.vmap(lambda key: rollout(env, five_maps, key, 50)))(keys)
    space: Any = env.observation_space(five_maps)
    low, high = (0, space.n - 1) if observation == "index" else (space.low, space.high)
    for found in (obs, info["final_observation"]):
        assert found.shape == (16, 50, *space.shape)
        assert found.dtype == space.dtype
        assert bool(jax.vmap(jax.vmap(space.contains))(found).all())
        # The bounds are tight, so that `contains` can fail.
        assert (found.min(), found.max()) == (low, high)


# -- transformations ---------------------------------------------------------------------------


def test_same_with_and_without_jit_and_vmap(five_maps):
    # Slippery, several maps, episodes that end: eagerly and alone, as in one compiled batch.
    env = lake(observation="features")
    params = dataclasses.replace(five_maps, max_steps_in_episode=jnp.int32(4))
    keys = jax.random.split(jax.random.key(2), (12, 3))
    _, state = jax.vmap(env.reset, (0, None))(keys[0], params)
    step, ended = jax.jit(jax.vmap(env.step, (0, 0, 0, None))), [False, False]
    for i, key in enumerate(keys):
        action = jnp.arange(3) + i % 2
        batch = step(key, state, action, params)
        row = functools.partial(jax.tree.map, operator.itemgetter(i % 3))
        alone = env.step(row(key), row(state), row(action), params)
        assert_equal_trees(alone, row(batch))
        state = batch[1]
        ended = [ended[0] | bool(alone[3]), ended[1] | bool(alone[4])]
    assert ended == [True, True]


def test_the_key_decides(five_maps):
    env = lake()
    play = jax.jit(lambda key: rollout(env, five_maps, key, 30)[1].position)
    same, again, other = play(jax.random.key(0)), play(jax.random.key(0)), play(jax.random.key(1))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()
