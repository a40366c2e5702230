"""GymnaxEnv against gymnax itself, and what it refuses."""

from typing import Any

import gymnax
import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from gymnax.environments import spaces
from lprl_envs import GymnaxEnv, InvalidInput, registration

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
            action = jax.random.randint(key_action, (), 0, env.action_space(params).n)
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
    (right_obs, right_start), right = play(own, own_params)
    (obs, start), found = play(env, params)
    is_index = isinstance(own.observation_space(own_params), spaces.Discrete)

    def seen(x):
        return np.eye(env.num_features)[x] if is_index else x

    def same_state(inner, there):
        for name in vars(inner):
            if name not in CARRIED_OVER.get(env_id, ()):
                fields = (getattr(s, name) for s in (inner, there))
                jax.tree.map(np.testing.assert_array_equal, *fields)

    np.testing.assert_array_equal(obs, seen(right_obs))
    same_state(start.inner, right_start)
    np.testing.assert_array_equal(found[0], right[0])  # actions
    np.testing.assert_array_equal(found[1], seen(right[1]))
    same_state(found[2].inner, right[2])
    for x, y in zip(found[3:6], right[3:6], strict=True):
        np.testing.assert_array_equal(x, y)
    info, there = found[6], right[6]
    np.testing.assert_array_equal(info["final_observation"], seen(there["final_observation"]))
    np.testing.assert_array_equal(info["final_state"].seen, seen(there["final_observation"]))
    done = right[4] | right[5]
    assert right[5][0].any() or env_id == "SimpleBandit-bsuite"  # of one step an episode
    assert right[4].any() or env_id not in ("CartPole-v1", "Catch-bsuite", "FrozenLake-misc")
    # Our own clock: what it shows before a reset is how many steps the episode took.
    final, now = info["final_state"].time, found[2].time
    np.testing.assert_array_equal(now, np.where(done, 0, final))
    np.testing.assert_array_equal(right[5], final >= np.array(LIMITS)[:, None])
    assert found[3].dtype == np.float32
    assert found[4].dtype == found[5].dtype == bool


def test_continuous_actions_are_known_and_refused():
    for env_id in (*IDS, *registration.CONTINUOUS):
        own, params = gymnax.make(env_id)
        discrete = isinstance(own.action_space(params), spaces.Discrete)
        assert discrete == (env_id not in registration.CONTINUOUS)
    with pytest.raises(InvalidInput, match=r"^Pendulum-v1 has continuous actions; .*CartPole-v1"):
        lprl_envs.make("Pendulum-v1")


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
