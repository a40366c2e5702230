"""The law of Frozen Lake against three oracles: Gymnasium's table, gymnax, exact planning."""

import dataclasses
import functools

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import MAPS, FrozenLakeEnv, generate_random_map
from lprl_envs import FrozenLake
from lprl_envs.frozen_lake.env import EnvState

CONFIGS = {
    "firm": {"is_slippery": False},
    "slippery": {"is_slippery": True},
    "firm, rewards": {"is_slippery": False, "reward_schedule": (2.5, -0.7, -0.01)},
    "slippery, success, rewards": {
        "is_slippery": True,
        "success_rate": 0.85,
        "reward_schedule": (2.5, -0.7, -0.01),
    },
}
# Upper .001 quantiles of chi-square, by degrees of freedom.
CHI_SQUARE = {1: 10.828, 2: 13.816}
NUM_DRAWS = 20_000


@functools.partial(jax.jit, static_argnums=0)
def law(env, params):
    """`(prob, cell, reward, terminated)` `[M, S, 4, K]`, of every map, cell and action."""

    def outcomes(instance, cell, action):
        state = env.state_at(instance, cell, params)
        prob, after, reward, terminated = env.transitions(state, action, params)
        return prob, after.position, reward, terminated

    return over_all(outcomes, env, params)


@functools.partial(jax.jit, static_argnums=0)
def one_step(env, params, key):
    """`(cell, reward, terminated)` `[M, S, 4]` of one step from every map, cell and action."""

    def step(instance, cell, action):
        state = env.state_at(instance, cell, params)
        _, after, reward, terminated, _ = env.step_env(key, state, action, params)
        return after.position, reward, terminated

    return over_all(step, env, params)


def over_all(function, env, params):
    for axes in ((None, None, 0), (None, 0, None), (0, None, None)):
        function = jax.vmap(function, axes)
    num_maps = params.bank.tiles.shape[0]
    return function(jnp.arange(num_maps), jnp.arange(env.num_states), jnp.arange(4))


def tiles_of(rows):
    return np.array([["SFHG".index(tile) for tile in row] for row in rows], np.int32)


def gymnasium_lake(rows, **config) -> FrozenLakeEnv:
    lake = gymnasium.make("FrozenLake-v1", desc=rows, disable_env_checker=True, **config)
    assert isinstance(lake.unwrapped, FrozenLakeEnv)
    return lake.unwrapped


def gymnasium_law(rows, **config):
    """As `law`, one map; where Gymnasium lists one sure outcome (absorbing), it is repeated."""
    table = gymnasium_lake(rows, **config).P
    k = 3 if config["is_slippery"] else 1
    outcomes = [[(table[s][a] * k)[:k] for a in range(4)] for s in range(len(table))]
    sure = np.array([[len(table[s][a]) == 1 for a in range(4)] for s in range(len(table))])
    prob, cell, reward, terminated = np.moveaxis(np.array(outcomes, np.float64), -1, 0)
    return sure, prob.astype(np.float32), cell, reward.astype(np.float32), terminated


def assert_same_law(env, maps, config):
    ours = law(env, env.params_of([tiles_of(rows) for rows in maps]))
    theirs = [gymnasium_law(rows, **config) for rows in maps]
    sure, prob, *others = (np.stack(parts) for parts in zip(*theirs, strict=True))
    found = np.asarray(ours[0])
    np.testing.assert_array_equal(found[~sure], prob[~sure])
    np.testing.assert_allclose(found[sure].sum(-1), 1, atol=1e-6)
    for name, mine, other in zip(("cell", "reward", "terminated"), ours[1:], others, strict=True):
        np.testing.assert_array_equal(mine, other, name)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("size", [4, 8])
def test_law_equals_gymnasium(size, config):
    # Outcome by outcome, in Gymnasium's order: its preset and fifty of its random maps.
    maps = [generate_random_map(size, p=(0.6, 0.8)[seed % 2], seed=seed) for seed in range(50)]
    assert_same_law(FrozenLake(f"{size}x{size}", **config), [MAPS[f"{size}x{size}"], *maps], config)


@pytest.mark.parametrize("rows", [["SFFHS", "HFFFF", "FFHFG"], ["SG"], ["SF", "FF", "FG"]])
def test_law_equals_gymnasium_on_other_shapes(rows):
    config = CONFIGS["slippery, success, rewards"]
    assert_same_law(FrozenLake(f"{len(rows)}x{len(rows[0])}", **config), [rows], config)


@pytest.mark.parametrize("success_rate", [0.0, 1.0])
def test_law_at_the_ends_of_success_rate(success_rate):
    config = {"is_slippery": True, "success_rate": success_rate}
    assert_same_law(FrozenLake("4x4", **config), [generate_random_map(4, seed=0)], config)


@pytest.mark.parametrize(
    ("name", "horizon", "best"), [("4x4", 100, 0.74419), ("8x8", 200, 0.91322)]
)
def test_optimal_success(name, horizon, best):
    # Finite-horizon value iteration in double precision; known values of Gymnasium's two maps.
    env = FrozenLake(name)
    params = env.default_params
    prob, cell, reward, terminated = (np.asarray(part)[0] for part in law(env, params))
    prob = prob / prob.sum(-1, dtype=np.float64, keepdims=True)
    assert int(params.max_steps_in_episode) == horizon
    value = np.zeros(env.num_states)
    for _ in range(horizon):
        value = (prob * (reward + ~terminated * value[cell])).sum(-1).max(-1)
    assert value[0] == pytest.approx(best, abs=5e-6)


@pytest.mark.parametrize("success_rate", [1 / 3, 0.85])
def test_steps_follow_the_law(success_rate):
    # Chi-square of 20,000 draws: inside, beside holes, and in corners where outcomes coincide.
    env = FrozenLake("4x4", success_rate=success_rate, reward_schedule=(2.5, -0.7, -0.01))
    params = env.default_params
    table = [np.asarray(part)[0] for part in law(env, params)]
    cells, actions = np.array([[9, 0], [9, 3], [14, 2], [0, 0], [3, 1], [8, 2]]).T

    @jax.jit
    def draw(keys, cell, action):
        state = env.state_at(jnp.int32(0), cell, params)
        step = jax.vmap(env.step_env, (0, None, None, None))
        _, after, reward, terminated, _ = step(keys, state, action, params)
        return after.position, reward, terminated

    for i, (cell, action) in enumerate(zip(cells, actions, strict=True)):
        keys = jax.random.split(jax.random.key(i), NUM_DRAWS)
        landed, reward, terminated = map(np.asarray, draw(keys, cell, action))
        prob, after, rewards, ends = (part[cell, action] for part in table)
        successors = np.unique(after)
        assert set(landed) == set(successors)
        expected = np.array([prob[after == s].sum() for s in successors]) * NUM_DRAWS
        found = np.array([(landed == s).sum() for s in successors])
        statistic = ((found - expected) ** 2 / expected).sum()
        assert statistic < CHI_SQUARE[len(successors) - 1], (cell, action, found, expected)
        for s, r, end in zip(after, rewards, ends, strict=True):
            assert (reward[landed == s] == r).all()
            assert (terminated[landed == s] == end).all()


def test_firm_steps_are_the_law():
    # Every map, cell and action, absorbing cells included, whatever the key.
    config = CONFIGS["firm, rewards"]
    env = FrozenLake("8x8", **config)
    params = env.params_of([tiles_of(generate_random_map(8, seed=seed)) for seed in range(50)])
    expected = [part[..., 0] for part in law(env, params)[1:]]
    for seed in range(3):
        for mine, other in zip(one_step(env, params, jax.random.key(seed)), expected, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_plays_as_gymnax_on_firm_ice():
    # A second oracle, auto-reset and a limit of 30 steps included: 64 lakes, 300 random moves each.
    ours = FrozenLake("8x8", is_slippery=False)
    theirs, their_params = gymnax.make("FrozenLake-misc", map_name="8x8", is_slippery=False)
    our_params = dataclasses.replace(ours.default_params, max_steps_in_episode=jnp.int32(30))
    their_params = dataclasses.replace(their_params, max_steps_in_episode=30)

    def play(env, params):
        def step(state, key):
            key_action, key_step = jax.random.split(key)
            action = jax.random.choice(key_action, jnp.array([0, 1, 1, 2, 2, 3]))
            _, state, *outcome, _ = env.step(key_step, state, action, params)
            return state, (state.position, state.time, *outcome)

        def episode(key):
            return jax.lax.scan(step, env.reset(key, params)[1], jax.random.split(key, 300))[1]

        return jax.jit(jax.vmap(episode))(jax.random.split(jax.random.key(0), 64))

    mine, others = play(ours, our_params), play(theirs, their_params)
    for name, x, y in zip(
        ("position", "time", "reward", "terminated", "truncated"), mine, others, strict=True
    ):
        np.testing.assert_array_equal(x, y, name)
        assert name in ("position", "time") or np.any(x), f"{name} never happens"


def test_resets_follow_gymnasium():
    # Starts are drawn as Gymnasium's initial distribution says, here from four S cells.
    rows = ["SFSF", "FHFS", "SFFF", "FFFG"]
    env = FrozenLake("4x4")
    params = env.params_of([tiles_of(rows)])
    keys = jax.random.split(jax.random.key(0), NUM_DRAWS)
    state: EnvState = jax.jit(jax.vmap(lambda key: env.reset(key, params)[1]))(keys)
    found = np.bincount(np.asarray(state.position), minlength=16)
    expected = gymnasium_lake(rows).initial_state_distrib * NUM_DRAWS
    np.testing.assert_array_equal(found[expected == 0], 0)
    cells = expected > 0
    assert ((found - expected)[cells] ** 2 / expected[cells]).sum() < 16.266  # 3 degrees
