"""KeyRooms step by step and by hand; its limits, what is seen, the checks, pictures."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.key_rooms import twin
from lprl_envs import CHECKS, KeyRooms, check_env
from lprl_envs.key_rooms import DOWN, LEFT, RIGHT, UP, EnvState

MAP = ["K....#.....", "..S..#.....", "....PL..T..", ".....#.....", ".....#....."]
"""Row 2 from the top: the pit beside the door only a hand puts there."""
STEPS = {
    # position, has key, action -> position, has key, reward, terminated
    "moves": (13, False, RIGHT, 14, False, 0.0, False),
    "stays at the edge": (11, False, LEFT, 11, False, 0.0, False),
    "stays at a wall": (15, True, RIGHT, 15, True, 0.0, False),
    "takes the key": (1, False, LEFT, 0, True, 0.0, False),
    "keeps the key": (0, True, DOWN, 11, True, 0.0, False),
    "a locked door": (28, False, LEFT, 28, False, 0.0, False),
    "an unlocked door": (28, True, LEFT, 27, True, 0.0, False),
    "out of the door": (27, True, RIGHT, 28, True, 0.0, False),
    "a pit": (25, True, RIGHT, 26, True, 0.0, True),
    "stuck in a pit": (26, True, UP, 26, True, 0.0, True),
    "the treasure": (31, True, LEFT, 30, True, 1.0, True),
    "stuck at the treasure": (30, True, UP, 30, True, 0.0, True),
}


@pytest.fixture(scope="module")
def by_hand():
    env = KeyRooms(2, 0, observation="index")
    grid = np.array([[twin.TILES.index(tile) for tile in row] for row in MAP])
    params = env.params_of([grid])
    return env, params, jax.jit(env.step_env)


@pytest.mark.parametrize("case", STEPS.values(), ids=STEPS)
def test_step(by_hand, case):
    env, params, step = by_hand
    position, has_key, action, *after = case
    state = EnvState(
        time=jnp.int32(3),
        instance=jnp.int32(0),
        position=jnp.int32(position),
        has_key=jnp.bool_(has_key),
    )
    obs, state, reward, terminated, _ = step(jax.random.key(0), state, action, params)
    found = [state.position, state.has_key, reward, terminated]
    assert [x.item() for x in found] == after
    assert state.time == 4
    assert obs == env.state_index(state, params)
    assert bool(env.is_terminated(state, params)) == after[-1]
    assert bool(env.is_solved(state, params)) == (after[0] == 30)


def test_time_limit():
    limits = [int(KeyRooms(rooms).default_params.max_steps_in_episode) for rooms in (2, 3, 5)]
    assert limits == [100, 150, 250]


# -- the checks, what is seen, pictures --------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "num"), [((3, 2, "features"), 6), ((2, 0, "tokens"), 3)], ids=["3-2", "2-0"]
)
def test_check(arguments, num):
    env = KeyRooms(*arguments)
    assert check_env(env, env.sample_params(jax.random.key(1), num)) == tuple(CHECKS)


def test_features(by_hand):
    # Written out: the key in the hand; the agent, the key's cell, the treasure, the door, the pit.
    env, params, _ = by_hand
    state = dataclasses.replace(env.state_at(0, 0, params), has_key=jnp.bool_(True))
    found = env.features(state, params)
    masks = np.eye(55)[[0, 0, 30, 27, 26]]
    np.testing.assert_array_equal(found, np.r_[1, masks.ravel()])
    assert found.shape == (env.num_features,)


@pytest.mark.parametrize("rooms", [2, 6])
def test_every_state_is_another_picture(rooms):
    env = KeyRooms(rooms, 1)
    params = env.sample_params(jax.random.key(4), 1)
    indices = np.linspace(0, env.num_states - 1, 24).astype(int)
    pictures = [env.render(env.state_at(0, int(i), params), params).rgb for i in indices]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == 24
    assert all((picture[[0, -1]] == 255).all() for picture in pictures)  # nothing is cut off
