"""GymnaxEnv against gymnax itself, and what it refuses."""

import functools
from typing import Any

import gymnax
import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from gymnax.environments import spaces
from lprl_envs import CHECKS, GymnaxEnv, InvalidInput, check_env, registration
from lprl_envs.actions import bounds
from lprl_envs.conformance import check

STEPS = 80
LIMITS = (4, 23, STEPS)
"""Steps an episode, of each rollout: some episodes end by time, others otherwise."""
NEEDS_DOWNLOAD = "MNISTBandit-bsuite"
IDS = [name for name in registration.of_gymnax() if name != NEEDS_DOWNLOAD]
CARRIED_OVER = {"DeepSea-bsuite": ("total_bad_episodes", "denoised_return")}
"""Counters that gymnax keeps over a reset; they are in no observation."""


def play(env, params):
    """Rollouts of random actions: what reset gave, the actions, what the steps gave."""

    def rollout(key, limit):
        timed = params.replace(max_steps_in_episode=limit)

        def step(state, key):
            key_action, key_step = jax.random.split(key)
            action = env.action_space(params).sample(key_action)
            out = env.step(key_step, state, action, timed)
            return jax.tree.map(jnp.asarray, out[1]), (action, *out)

        first = env.reset(key, timed)
        return first, jax.lax.scan(step, first[1], jax.random.split(key, STEPS))[1]

    keys = jax.random.split(jax.random.key(3), len(LIMITS))
    return jax.device_get(jax.jit(jax.vmap(rollout))(keys, jnp.array(LIMITS)))


@pytest.mark.parametrize("env_id", IDS)
def test_trajectories_are_gymnaxs(env_id):
    own, own_params = gymnax.make(env_id)
    env, params = lprl_envs.make(env_id)
    assert isinstance(env, GymnaxEnv)
    assert int(params.max_steps_in_episode) == own_params.max_steps_in_episode
    with jax.numpy_rank_promotion("allow"):  # gymnax's Swimmer does
        (right_obs, right_start), right = play(own, own_params)
        (obs, start), found = play(env, params)
    # To the bit; arithmetic on drawn forces is fused with the drawing, here otherwise than there.
    rounding = 1e-5 if env.is_continuous else 0.0
    same = functools.partial(np.testing.assert_allclose, rtol=rounding, atol=rounding)
    is_index = isinstance(own.observation_space(own_params), spaces.Discrete)

    def seen(x):
        return np.eye(env.num_features)[x] if is_index else x

    def same_state(inner, there):
        for name in vars(inner):
            if name not in CARRIED_OVER.get(env_id, ()):
                fields = (getattr(s, name) for s in (inner, there))
                jax.tree.map(same, *fields)

    same(obs, seen(right_obs))
    same_state(start.inner, right_start)
    np.testing.assert_array_equal(found[0], right[0])  # actions
    same(found[1], seen(right[1]))
    same_state(found[2].inner, right[2])
    same(found[3], right[3])  # rewards
    for x, y in zip(found[4:6], right[4:6], strict=True):
        np.testing.assert_array_equal(x, y)
    info, there = found[6], right[6]
    same(info["final_observation"], seen(there["final_observation"]))
    same(info["final_state"].seen, seen(there["final_observation"]))
    done = right[4] | right[5]
    assert right[5][0].any() or env_id == "SimpleBandit-bsuite"  # of one step an episode
    assert right[4].any() or env_id not in ("CartPole-v1", "Catch-bsuite", "FrozenLake-misc")
    # Our own clock: what it shows before a reset is how many steps the episode took.
    final, now = info["final_state"].time, found[2].time
    np.testing.assert_array_equal(now, np.where(done, 0, final))
    np.testing.assert_array_equal(right[5], final >= np.array(LIMITS)[:, None])
    assert found[3].dtype == np.float32
    assert found[4].dtype == found[5].dtype == bool


def test_continuous_actions_are_known():
    for env_id in IDS:
        own, params = gymnax.make(env_id)
        is_box = isinstance(own.action_space(params), spaces.Box)
        env, params = lprl_envs.make(env_id)
        assert is_box == env.is_continuous == (env_id in registration.CONTINUOUS)
        assert isinstance(env.action_space(params), spaces.Box) == is_box
        assert (env.num_actions == 0) == is_box


def test_a_box_has_no_words_of_gymnaxs_own():
    env, params = lprl_envs.make("Reacher-misc")
    _, state = env.reset(jax.random.key(0), params)
    assert env.action_words.shape == (0, 2)
    assert env.action_mask(state, params).shape == (0,)
    low, high = bounds(env, params)
    np.testing.assert_array_equal([low, high], [[-1, -1], [1, 1]])
    with pytest.raises(InvalidInput, match="Reacher-misc is gymnax's own and has no text"):
        _ = env.action_texts


def test_the_box_follows_the_parameters_and_is_one_for_a_bank():
    env, _ = lprl_envs.make("Pendulum-v1")
    params = env.params_of([{"max_torque": 5.0}, {"max_torque": 5.0, "m": 0.5}])
    low, high = jax.jit(lambda params: bounds(env, params))(params)
    np.testing.assert_array_equal([low, high], [[-5], [5]])
    np.testing.assert_array_equal(bounds(env).high, [2])
    words = r"^actions lie in Box.*-2.* and in Box.*-5.*; the instances of Pendulum-v1 share one"
    with pytest.raises(InvalidInput, match=words):
        env.params_of([{}, {"max_torque": 5.0}])


def test_discrete_actions_have_no_box_and_are_their_own_words(cart_pole):
    with pytest.raises(InvalidInput, match=r"^CartPole-v1 has discrete actions, .* no box"):
        bounds(cart_pole[0])
    with pytest.raises(InvalidInput, match=r"^CartPole-v1 has discrete actions, which are"):
        _ = cart_pole[0].action_words


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "CartPole-v1"])
def test_what_applies_is_checked(env_id):
    passed = check_env(lprl_envs.make(env_id)[0])
    assert set(passed) == set(CHECKS) - check.NEED_MORE


@pytest.fixture(scope="module")
def cart_pole():
    return lprl_envs.make("CartPole-v1")


def test_instances_are_gymnaxs_parameters(cart_pole):
    env, _ = cart_pole
    worlds = [{}, {"gravity": 1.6}, {"force_mag": 5, "max_steps_in_episode": 500}]
    params = env.params_of(worlds)
    own, own_params = gymnax.make("CartPole-v1")
    key = jax.random.key(4)
    _, start = own.reset(key, own_params)
    step = jax.jit(env.step)
    for i, fields in enumerate(worlds):
        right = own.step(key, start, 1, own_params.replace(**fields))
        state = env.reset(key, params.replace(instances=jnp.array([i])))[1]
        found = step(key, state, 1, params)
        assert int(found[1].instance) == i
        np.testing.assert_array_equal(found[0], right[0])
        np.testing.assert_array_equal(found[5]["final_observation"], right[5]["final_observation"])
    met = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, 64), params)[1].instance
    assert set(met.tolist()) == {0, 1, 2}
    bits = jax.vmap(env.identity)(params.bank)
    assert len(np.unique(bits, axis=0)) == 3


REFUSED = [
    ([{"mass": 1}], "unknown parameter 'mass' of CartPole-v1; valid: gravity|max_steps"),
    ([{"gravity": "low"}], "gravity is 'low'; it must be a number"),
    ([{"gravity": [[1], [2, 3]]}], "it must be a number"),
    ([{"max_steps_in_episode": 2.5}], "max_steps_in_episode is 2.5; it must be a whole number"),
    ([{}, {"max_steps_in_episode": 9}], r"max_steps_in_episode is \[9, 500\]; .* share one"),
    (["moon"], "an instance of CartPole-v1 is 'moon'; right: a mapping"),
]


@pytest.mark.parametrize(("instances", "words"), REFUSED)
def test_parameters_that_gymnax_does_not_have(cart_pole, instances, words):
    with pytest.raises(InvalidInput, match=words):
        cart_pole[0].params_of(instances)


@pytest.mark.parametrize(
    ("env_id", "arguments", "words"),
    [
        ("CartPole-v7", {}, "unknown env 'CartPole-v7'; valid: FrozenLake-lprl, .*CartPole-v1"),
        ("CartPole-v1", {"colour": "red"}, "gymnax cannot make CartPole-v1 with colour='red': "),
        ("MetaMaze-misc", {"maze_size": 4}, "cannot make MetaMaze-misc with maze_size=4: "),
    ],
)
def test_what_gymnax_cannot_make(env_id, arguments, words):
    with pytest.raises(InvalidInput, match=words) as found:
        lprl_envs.make(env_id, **arguments)
    assert "\n" not in str(found.value)


def test_arguments_reach_gymnax_and_tell_environments_apart():
    small, params = lprl_envs.make("Catch-bsuite", rows=5, columns=3)
    assert small.reset(jax.random.key(0), params)[0].shape == (5, 3)
    assert small.num_features == 15
    assert small == lprl_envs.make("Catch-bsuite", columns=3, rows=5)[0]
    assert small != lprl_envs.make("Catch-bsuite")[0]
    assert registration.arguments_of("Catch-bsuite") == {"rows": 10, "columns": 5}
    assert registration.arguments_of("MountainCar-v0") == {}


def test_what_gymnax_does_not_tell_is_answered_in_one_line(cart_pole):
    env, params = cart_pole
    key = jax.random.key(0)
    _, state = env.reset(key, params)
    texts = (
        lambda: env.template,
        lambda: env.action_texts,
        lambda: env.slots(state, params),
        lambda: env.describe(state, params),
        lambda: env.render(state, params),
    )
    for ask in texts:
        with pytest.raises(
            InvalidInput, match=r"no text, .* valid priors: none, uniform; .*Frozen"
        ):
            ask()
    others = {
        "no exact law": lambda: env.transitions(state, jnp.int32(0), params),
        "no instances to draw": lambda: env.sample_params(key, 3, split="train"),
        "no heuristic": lambda: env.heuristic(state, params),
        "too many states": lambda: env.state_index(state, params),
        "CartPole-v1 has none": lambda: env.suite("moons"),
    }
    for words, ask in others.items():
        with pytest.raises(InvalidInput, match=words):
            ask()
    assert not bool(env.is_solved(state, params))
    assert env.action_mask(state, params).tolist() == [True, True]


def test_spaces_hold_what_is_seen():
    for env_id in ("CartPole-v1", "FrozenLake-misc", "Breakout-MinAtar"):
        env, params = lprl_envs.make(env_id)
        obs, state = env.reset(jax.random.key(0), params)
        space: Any = env.observation_space(params)
        assert (space.shape, int(np.prod(space.shape))) == (obs.shape, env.num_features)
        assert bool(space.contains(obs))
        assert set(env.state_space(params).spaces) == set(vars(state))
        np.testing.assert_array_equal(env.features(state, params), obs.ravel())
