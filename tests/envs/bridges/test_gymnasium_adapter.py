"""The Gymnasium adapter: Gymnasium's own checker, ends of episodes, seeds, copies, bad input."""

import copy
import dataclasses
import itertools
import pickle
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from envs.track import Track
from gymnasium.utils.env_checker import check_env, data_equivalence
from lprl_envs import FrozenLake, InvalidInput
from lprl_envs.bridges.gymnasium_adapter import GymnasiumEnv
from lprl_envs.frozen_lake.env import DOWN, RIGHT, UP
from lprl_envs.observations import OBSERVATIONS

ID = "lprl_envs.bridges.gymnasium_adapter:{}".format
TO_GOAL = (DOWN, DOWN, RIGHT, RIGHT, DOWN, RIGHT)


def firm(render_mode=None, params=None, **config) -> GymnasiumEnv:
    return GymnasiumEnv(FrozenLake("4x4", is_slippery=False, **config), params, render_mode)


def episodes(env, num_steps=40, seed=0) -> list:
    """All that a fixed sequence of actions returns from a seeded reset on."""
    found, rng = [env.reset(seed=seed)], np.random.default_rng(1)
    for _ in range(num_steps):
        action = some_action(env.action_space, rng)
        found.append(env.step(action))
        if found[-1][2] or found[-1][3]:
            found.append(env.reset())
    return found


def some_action(space, rng) -> Any:
    """One, legal or not."""
    if isinstance(space, gymnasium.spaces.Box):
        return rng.uniform(space.low, space.high).astype(np.float32)
    return rng.integers(space.n)


def shown(env) -> tuple[Any, Any]:
    """State and parameters."""
    return env.unwrapped.state, env.unwrapped.params


# -- Gymnasium's checker -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_slippery", "observation"),
    list(zip(itertools.cycle([True, False]), OBSERVATIONS, strict=False)),
    ids=OBSERVATIONS,
)
def test_gymnasiums_checker(is_slippery, observation):
    # Warnings are errors throughout the tests. Made by id, so that every render mode is tried.
    env = gymnasium.make(
        ID("FrozenLake-lprl"),
        is_slippery=is_slippery,
        observation=observation,
        render_mode="ansi",
    )
    assert isinstance(env.unwrapped, GymnasiumEnv)
    check_env(env.unwrapped)


@pytest.mark.parametrize(
    ("env_id", "arguments"),
    [
        ("CubeStacking-lprl", {"num_cubes": 3, "observation": "tokens"}),
        ("BlocksWorld-lprl", {"num_blocks": 3, "observation": "index"}),
    ],
    ids=["cubes", "blocks"],
)
def test_gymnasiums_checker_on_others(env_id, arguments):
    env = gymnasium.make(ID(env_id), **arguments, render_mode="ansi")
    check_env(env.unwrapped)


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized space")  # torques are in Nm
@pytest.mark.parametrize("env_id", lprl_envs.ENVIRONMENTS)
def test_gymnasium_makes_every_id(env_id):
    env = gymnasium.make(ID(env_id))
    check_env(env.unwrapped)
    assert len(episodes(env)) > 40  # with Gymnasium's passive checks around every call


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_vectorised_by_gymnasium(mode):
    env = gymnasium.make_vec(
        ID("FrozenLake-lprl"),
        num_envs=3,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode(mode)},
    )
    obs, info = env.reset(seed=0)
    assert obs.shape == (3, 16)
    assert info["action_mask"].tolist() == [[1] * 4] * 3
    for _ in range(30):
        obs, *_ = env.step(env.action_space.sample())
        assert env.observation_space.contains(obs)


@pytest.mark.parametrize("env_id", lprl_envs.ENVIRONMENTS)
def test_pictures(env_id):
    # Gymnasium's passive checks look at what `render` returns.
    env: Any = gymnasium.make(ID(env_id), render_mode="rgb_array")
    env.reset(seed=0)
    frames: list[Any] = [env.render()]
    legal = np.flatnonzero(env.unwrapped.text_env.action_mask(*shown(env)))
    is_box = isinstance(env.action_space, gymnasium.spaces.Box)
    env.step(env.action_space.high if is_box else legal[0])
    frames.append(env.render())
    for frame in frames:
        assert isinstance(frame, np.ndarray)
        assert (frame.dtype, frame.ndim, frame.shape[2]) == (np.uint8, 3, 3)
    expected = env.unwrapped.text_env.render(*shown(env)).rgb
    np.testing.assert_array_equal(frames[-1], expected)
    assert frames[0].shape == frames[-1].shape  # of one size, as a video needs it


def test_gymnasiums_checker_with_pictures():
    env = gymnasium.make(ID("FrozenLake-lprl"), render_mode="rgb_array", is_slippery=False)
    check_env(env.unwrapped)  # makes it in every render mode
    assert env.metadata["render_modes"] == ["ansi", "rgb_array"]
    with pytest.raises(InvalidInput, match="unknown render_mode 'depth'"):
        gymnasium.make(ID("FrozenLake-lprl"), render_mode="depth", disable_env_checker=True)


def test_gymnasium_records_an_episode_s_pictures():
    made = gymnasium.make(ID("FrozenLake-lprl"), render_mode="rgb_array", is_slippery=False)
    env: Any = gymnasium.wrappers.RenderCollection(made)
    env.reset(seed=0)
    for action in TO_GOAL:
        env.step(action)
    frames = env.render()
    assert len(frames) == 1 + len(TO_GOAL)
    assert len({frame.tobytes() for frame in frames}) == len(frames)


# -- episodes ----------------------------------------------------------------------------------


def test_an_episode_ends_with_its_final_observation():
    env = firm()
    obs, _ = env.reset(seed=0)
    assert obs.argmax() == 0
    results = [env.step(action) for action in TO_GOAL]
    assert [result[0].argmax() for result in results] == [4, 8, 9, 10, 14, 15]
    assert [result[1:4] for result in results] == [(0.0, False, False)] * 5 + [(1.0, True, False)]
    assert [type(x) for x in results[-1][1:4]] == [float, bool, bool]
    assert env.reset()[0].argmax() == 0


def test_time_limit():
    env = firm()
    env.params = dataclasses.replace(env.params, max_steps_in_episode=jnp.int32(3))
    env.reset(seed=0)
    assert [env.step(UP)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]


def test_text_and_mask():
    env = firm("ansi")
    for act in (lambda: env.reset(seed=0), lambda: env.step(DOWN)):
        info = act()[-1]
        assert info["text"] == env.render() == env.text_env.describe(env.state, env.params)
        assert env.action_space.contains(env.action_space.sample(info["action_mask"]))
    assert info["text"].splitlines()[-2] == "At a2 left edge down ice right hole up ice"
    assert firm().render() is None


def test_instances_of_the_bank():
    lake = FrozenLake("4x4", is_slippery=False)
    params = lake.sample_params(jax.random.key(0), 8)
    env = GymnasiumEnv(lake, params)
    texts = {env.reset(seed=seed)[1]["text"] for seed in range(100)}
    assert len(texts) == 8


def test_same_law_as_the_environment():
    # Slippery ice: from one cell, the landings' frequencies are those of the exact law.
    env = GymnasiumEnv(FrozenLake("4x4"))
    state = env.text_env.state_at(jnp.int32(0), jnp.int32(9), env.params)
    env.reset(seed=0)
    counts = np.zeros(16)
    for _ in range(300):
        env.state = state
        counts[env.step(RIGHT)[0].argmax()] += 1
    prob, after, *_ = env.text_env.transitions(state, jnp.int32(RIGHT), env.params)
    assert set(np.flatnonzero(counts)) == set(after.position.tolist())
    np.testing.assert_allclose(counts[after.position] / 300, prob, atol=0.11)  # 4 deviations


# -- seeds and copies --------------------------------------------------------------------------


def test_equal_seeds_equal_episodes():
    one, other = GymnasiumEnv(FrozenLake("4x4")), GymnasiumEnv(FrozenLake("4x4"))
    expected = episodes(one)
    assert data_equivalence(episodes(other), expected, exact=True)
    assert data_equivalence(episodes(one), expected, exact=True)
    assert not data_equivalence(episodes(one, seed=1), expected, exact=True)


@pytest.mark.parametrize(
    "clone",
    [copy.copy, copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies(clone):
    env = GymnasiumEnv(FrozenLake("4x4"))
    env.reset(seed=0)
    env.step(DOWN)
    other = clone(env)
    assert data_equivalence(episodes(other), episodes(env), exact=True)


def test_a_deep_copy_goes_its_own_way():
    env = GymnasiumEnv(FrozenLake("4x4"))
    env.reset(seed=0)
    other = copy.deepcopy(env)
    assert data_equivalence(
        [env.step(a) for a in TO_GOAL], [other.step(a) for a in TO_GOAL], exact=True
    )


# -- bad input ---------------------------------------------------------------------------------


def test_refusals():
    right = "valid: 'ansi', 'rgb_array', None"
    for mode in ("human", "rgb_array_list", ""):
        with pytest.raises(InvalidInput, match=f"^unknown render_mode '{mode}'; {right}$"):
            firm(mode)
    env = firm()
    with pytest.raises(InvalidInput, match="step before the first reset; call reset"):
        env.step(DOWN)
    env.reset(seed=0)
    for action in (4, -1, 1.0, [0]):
        with pytest.raises(InvalidInput, match=r"action .* is not in Discrete\(4\)"):
            env.step(action)


# -- continuous actions --------------------------------------------------------------------------


def test_a_box_of_actions():
    env = GymnasiumEnv(Track(), render_mode="ansi")
    assert env.action_space == gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    env.reset(seed=0)
    env.params = dataclasses.replace(env.params, instances=jnp.array([0]))
    at = env.reset()[0][0]
    seen, reward, *_, info = env.step(np.array([0.5, -1.0], np.float32))
    moved = [0.5 * 0.5 + 0.1, 0.1]  # pushed and down the slope, or stuck and down the slope
    assert any(seen[0] == pytest.approx(at + by) for by in moved)
    assert reward == pytest.approx(seen[0] - 0.1 * 1.25)
    assert "action_mask" not in info
    assert info["text"] == env.render()
    for action in (np.array([0.5, -1.5], np.float32), np.zeros(1, np.float32)):
        with pytest.raises(InvalidInput, match=r"is not in Box\(-1.0, 1.0, \(2,\), float32\)"):
            env.step(action)


def test_gymnasiums_checker_on_a_box():
    check_env(GymnasiumEnv(Track()), skip_render_check=True)
