"""Every registered id through gymnax's front door and its wrappers, as gymnax's users take it.

gymnax's own smoke test, that spaces contain what reset and step return, is done here for our ids,
and more strictly: gymnax's throws the answers of `contains` away.
"""

import functools

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from gymnax import wrappers
from gymnax.experimental.rollout import RolloutWrapper

CONFIGS = {
    "FrozenLake-lprl": (
        {"map_name": "4x4"},
        {"map_name": "8x8"},
        {"is_slippery": False},
        {"observation": "features"},
        {"observation": "tokens"},
    ),
    "CubeStacking-lprl": (
        {"num_cubes": 8},
        {"num_cubes": 2, "reward": "paper", "observation": "tokens"},
    ),
    "BlocksWorld-lprl": (
        {"num_blocks": 3, "observation": "index"},
        {"num_blocks": 12, "illegal_reward": -0.1},
    ),
    "BlocksWorldSubgoals-lprl": (
        {"num_blocks": 3, "observation": "onehot"},
        {"num_blocks": 7, "observation": "tokens"},
    ),
    "ImageCompletion-lprl": ({}, {"size": "2x3", "observation": "onehot"}),
    "ObjectArrangement-lprl": ({}, {"size": "3x3", "observation": "index"}),
    "KeyRooms-lprl": ({}, {"rooms": 2, "pits": 0, "observation": "features"}),
    "Overcooked-lprl": (
        {"wording": "paper", "observation": "tokens"},
        {"kitchen": "tomato", "reward": "refund", "illegal_reward": -0.1},
    ),
    "WatchRepair-lprl": ({}, {"observation": "index"}),
    "Household-lprl": ({}, {"room": "bathroom", "commands": "all", "observation": "tokens"}),
    "HouseholdOptions-lprl": ({"room": "bathroom"}, {"room": "bedroom", "observation": "tokens"}),
    "Blackjack-lprl": ({}, {"sab": False, "natural": True, "observation": "index"}),
}
"""What an id is tried with; one that is not listed, with its defaults alone."""
CASES = [(name, config) for name in lprl_envs.ENVIRONMENTS for config in CONFIGS.get(name, ({},))]
LIMIT = 5
"""Steps an episode in the tests of wrappers, so that episodes end by time as well."""


@pytest.fixture(
    scope="module", params=CASES, ids=lambda case: "-".join(map(str, (case[0], *case[1].values())))
)
def made(request):
    name, config = request.param
    return gymnax.make(name, **config)


@pytest.fixture(scope="module")
def played(made):
    env, params = made
    return play(env, params, 4, 250)


def with_limit(name):
    env, params = gymnax.make(name)
    return env, params.replace(max_steps_in_episode=LIMIT)


@pytest.fixture(scope="module", params=lprl_envs.ENVIRONMENTS)
def short(request):
    return with_limit(request.param)


@pytest.fixture(
    scope="module",
    params=[name for name, world in lprl_envs.ENVIRONMENTS.items() if not world().is_continuous],
)
def numbered(request):
    """Those with discrete actions."""
    return with_limit(request.param)


def rollout(env, params, num_steps, key):
    """What reset returned, and the action and result of `num_steps` random steps."""

    def step(state, key):
        key_action, key_step = jax.random.split(key)
        action = env.action_space(params).sample(key_action)
        out = env.step(key_step, state, action, params)
        return out[1], (action, *out)

    key_reset, key_steps = jax.random.split(key)
    first = env.reset(key_reset, params)
    return first, jax.lax.scan(step, first[1], jax.random.split(key_steps, num_steps))[1]


def play(env, params, num_envs, num_steps):
    """A compiled batch of rollouts, `[num_envs, num_steps, ...]`."""
    keys = jax.random.split(jax.random.key(0), num_envs)
    return jax.jit(jax.vmap(functools.partial(rollout, env, params, num_steps)))(keys)


def assert_equal_trees(env, x, y):
    """To the bit; in worlds of real numbers to rounding, which compiling changes."""
    names = ("CartPole-lprl", "Pendulum-lprl")
    tolerance = 1e-6 if env.name in names else 0.0
    same = functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
    jax.tree.map(same if tolerance else np.testing.assert_array_equal, x, y)


# -- the contract ------------------------------------------------------------------------------


def test_spaces_contain_what_is_seen(made, played):
    env, params = made
    (obs, state), (action, next_obs, next_state, *_, info) = played
    for space, at_reset, at_steps in (
        (env.observation_space(params), obs, (next_obs, info["final_observation"])),
        (env.state_space(params), state, (next_state, info["final_state"])),
        (env.action_space(params), action[:, 0], (action,)),
    ):
        assert bool(jax.vmap(space.contains)(at_reset).all())
        for seen in at_steps:
            assert bool(jax.vmap(jax.vmap(space.contains))(seen).all())


def test_state_space_names_every_field(made):
    env, params = made
    _, state = env.reset(jax.random.key(0), params)
    space = env.state_space(params)
    assert set(space.spaces) == set(vars(state))
    for name, field in space.spaces.items():
        if jnp.issubdtype(field.dtype, jnp.floating):
            outside = jnp.full(field.shape, jnp.inf, field.dtype)
        else:
            beyond = field.n if hasattr(field, "n") else field.high + 1
            outside = jnp.full(field.shape, beyond, jnp.int32)
        assert not bool(space.contains(state.replace(**{name: outside})))


def test_shapes_and_dtypes_of_a_step(made, played):
    env, params = made
    _, (_, obs, _, reward, terminated, truncated, info) = played
    space = env.observation_space(params)
    for seen in (obs, info["final_observation"]):
        assert (seen.shape, seen.dtype) == ((4, 250, *space.shape), space.dtype)
    assert (reward.shape, reward.dtype) == ((4, 250), jnp.float32)
    for flag, name in ((terminated, "terminated"), (truncated, "truncated")):
        assert (flag.shape, flag.dtype) == ((4, 250), bool)
        np.testing.assert_array_equal(flag, info[name])


def test_a_time_limit_of_one(made):
    # As gymnax's tests set it: a plain integer in `params.replace`.
    env, params = made
    params, key = params.replace(max_steps_in_episode=1), jax.random.key(1)
    _, state = env.reset(key, params)
    expected, _, _, terminated, _ = jax.jit(env.step_env)(key, state, 1, params)
    _, after, _, *flags, info = jax.jit(env.step)(key, state, 1, params)
    assert [bool(flag) for flag in flags] == [bool(terminated), True]
    assert int(after.time) == 0
    np.testing.assert_array_equal(info["final_observation"], expected)


# -- gymnax's wrappers -------------------------------------------------------------------------


def test_log_wrapper(short):
    env, params = short
    _, results = play(wrappers.LogWrapper(env), params, 8, 60)
    _, _, _, reward, terminated, truncated, info = results
    done = np.asarray(terminated | truncated)
    np.testing.assert_array_equal(info["returned_episode"], done)
    for i in range(8):
        ends = np.flatnonzero(done[i]) + 1
        assert len(ends) >= 60 // LIMIT
        returns = [part.sum() for part in np.split(np.asarray(reward[i]), ends)[:-1]]
        found = [info[f"returned_episode_{x}"][i][done[i]] for x in ("returns", "lengths")]
        np.testing.assert_array_equal(found, [returns, np.diff(ends, prepend=0)])


def assert_plays_alike(env, params, wrapped):
    (_, plain), (_, found) = (play(e, params, 3, 30) for e in (env, wrapped))
    assert_equal_trees(env, plain[1], found[1])
    assert_equal_trees(env, plain[3:], found[3:])
    assert wrapped.observation_space(params).shape == env.observation_space(params).shape


def test_observations_are_flat_already(short):
    env, params = short
    assert_plays_alike(env, params, wrappers.FlattenObservationWrapper(env))


def test_an_action_that_never_sticks(numbered):
    env, params = numbered
    assert_plays_alike(env, params, wrappers.StickyActionWrapper(env))


def test_sticky_actions(numbered):
    env, params = numbered
    sticky, key = wrappers.StickyActionWrapper(env, 1.0), jax.random.key(2)
    (obs, state), last = sticky.reset(key, params), env.num_actions - 1
    replayed = sticky.step(key, state.replace(last_action=jnp.int32(last)), 0, params)
    expected = env.step(jax.random.split(key)[1], state.env_state, last, params)
    assert_equal_trees(env, replayed[0], expected[0])
    assert_equal_trees(env, replayed[2:], expected[2:])
    assert_equal_trees(env, obs, env.reset(key, params)[0])


def test_legacy_step_api(short):
    env, params = short
    key, legacy = jax.random.key(3), wrappers.LegacyStepAPIWrapper(env)
    _, state = legacy.reset(key, params)
    obs, after, reward, done, info = legacy.step(key, state, 1, params)
    expected = env.step(key, state, 1, params)
    assert_equal_trees(env, (obs, after, reward, info), (*expected[:3], expected[5]))
    assert bool(done) == bool(expected[3] | expected[4])


def test_dm_env(short):
    env, params = short
    params, key = params.replace(max_steps_in_episode=1), jax.random.key(4)
    dm_env = wrappers.GymnaxToDmEnvWrapper(env)
    step = dm_env.step(key, dm_env.reset(key, params), 1, params)
    expected = env.step(key, env.reset(key, params)[1], 1, params)
    assert_equal_trees(env, (step.observation, step.state, step.reward), expected[:3])
    assert float(step.discount) == 1.0 - bool(expected[3])
    assert_equal_trees(env, step.final_observation, expected[5]["final_observation"])


def test_gymnaxs_gymnasium_wrappers(short):
    env, params = short
    one, many = (
        wrappers.GymnaxToGymWrapper(env, params, 0),
        wrappers.GymnaxToVectorGymWrapper(env, 3, params, 0),
    )
    assert isinstance(one, gymnasium.Env)
    for wrapped, batch in ((one, ()), (many, (3,))):
        obs, _ = wrapped.reset(seed=1)
        assert wrapped.observation_space.contains(np.asarray(obs))
        for _ in range(LIMIT):
            obs, reward, _, truncated, _ = wrapped.step(wrapped.action_space.sample())
            assert wrapped.observation_space.contains(np.asarray(obs))
            assert jnp.shape(reward) == jnp.shape(truncated) == batch


def test_rollout_wrapper(short):
    env, params = short
    manager = RolloutWrapper(env=env, env_params=params, num_env_steps=12)
    keys = jax.random.split(jax.random.key(5), 3)
    obs, action, reward, next_obs, done, _ = manager.batch_rollout(keys, None)
    assert obs.shape == next_obs.shape == (3, 12, *env.observation_space(params).shape)
    assert reward.shape == done.shape == (3, 12)
    assert action.shape == (3, 12, *env.action_space(params).shape)
    assert bool(done.any(1).all())
