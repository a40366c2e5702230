"""The law of KeyRooms: a twin in plain Python, exact planning, what random play meets."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.key_rooms import twin
from lprl_envs import KeyRooms

from lprl_jax.algorithms.tabular.value_iteration import law_of, plan

NUM_MAPS = 8
SIZES = ((2, 2), (3, 2), (6, 1))
"""Rooms, pits."""
GAMMA = 0.95


@functools.cache
def drawn(rooms, pits):
    """Environment, parameters with random instances, and these as rows."""
    env = KeyRooms(rooms, pits)
    params = env.sample_params(jax.random.key(rooms), NUM_MAPS)
    return env, params, twin.rows_of(params.bank.tiles)


def told(state, env):
    """`[..., 3]`: row, column, has key."""
    parts = state.position // env.width, state.position % env.width, state.has_key
    return jnp.stack([jnp.asarray(part, jnp.int32) for part in parts], axis=-1)


# -- the twin ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rooms", "pits"), SIZES)
def test_every_transition_equals_the_twins(rooms, pits):
    # Every state of eight maps, numbered as the twin lists them, those that no play meets included.
    env, params, maps = drawn(rooms, pits)

    def outcome(instance, index, action):
        state = env.state_at(instance, index, params)
        prob, after, reward, terminated = env.transitions(state, action, params)
        _, stepped, *paid, _ = env.step_env(jax.random.key(0), state, action, params)
        law = told(after, env)[0], reward[0], terminated[0]
        return told(state, env), prob, law, (told(stepped, env), *paid)

    for axes in ((None, None, 0), (None, 0, None), (0, None, None)):
        outcome = jax.vmap(outcome, axes)
    here, prob, law, played = jax.jit(outcome)(
        jnp.arange(NUM_MAPS), jnp.arange(env.num_states), jnp.arange(4)
    )
    states = [twin.states_of(rows) for rows in maps]
    assert {len(found) for found in states} == {env.num_states} == {2 * (26 * rooms - 1)}
    np.testing.assert_array_equal(here[:, :, 0], np.array(states))
    np.testing.assert_array_equal(prob, 1)
    right = [
        [[twin.step(rows, state, action) for action in range(4)] for state in found]
        for rows, found in zip(maps, states, strict=True)
    ]
    for found in (law, played):
        for i, part in enumerate(found):
            expected = np.array([[[out[i] for out in s] for s in m] for m in right])
            np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize(("rooms", "pits"), SIZES)
def test_plays_as_the_twin(rooms, pits):
    # 3,000 steps of eight environments with auto-reset; half of them by shortest plans, as random
    # play alone would meet no treasure.
    env, params, maps = drawn(rooms, pits)
    params = dataclasses.replace(params, max_steps_in_episode=jnp.int32(20 * rooms))
    best = jnp.asarray([[best_action(rows, s) for s in twin.states_of(rows)] for rows in maps])

    def step(state, key):
        key_step, key_coin, key_action = jax.random.split(key, 3)
        planned = best[state.instance, env.state_index(state, params)]
        drawn = jax.random.randint(key_action, (), 0, 4)
        action = jnp.where(jax.random.bernoulli(key_coin, 0.6), planned, drawn)
        _, after, *paid, info = env.step(key_step, state, action, params)
        return after, (state, action, after, *paid, info["final_state"])

    def episode(key):
        return jax.lax.scan(step, env.reset(key, params)[1], jax.random.split(key, 3000))[1]

    before, action, after, reward, terminated, truncated, final = jax.jit(jax.vmap(episode))(
        jax.random.split(jax.random.key(1), 8)
    )
    assert bool(terminated.any() and truncated.any() and before.has_key.any() and reward.any())
    columns = (
        *(before.instance, told(before, env), action, told(final, env), reward, terminated),
        *(before.time, truncated, after.instance, told(after, env)),
    )
    start = [(*twin.place_of(rows, "S"), False) for rows in maps]
    flat = (np.asarray(x).reshape(-1, *x.shape[2:]).tolist() for x in columns)
    for which, here, move, ended, paid, over, time, late, following, there in zip(
        *flat, strict=True
    ):
        right = twin.step(maps[which], tuple(here), move)
        assert (tuple(ended), paid, over) == right
        assert late == (time + 1 >= 20 * rooms)
        assert tuple(there) == (start[following] if over or late else right[0])


def best_action(rows, state) -> int:
    """The first that is on a shortest plan; left where there is none."""
    plans = twin.plans(rows)
    after = [plans.get(twin.step(rows, state, action)[0], 10**6) for action in range(4)]
    return int(np.argmin(after))


# -- exact planning ----------------------------------------------------------------------------


@pytest.mark.parametrize(("rooms", "pits"), SIZES)
def test_optimal_values_are_those_of_shortest_plans(rooms, pits):
    # gamma^(d - 1) in every state whose shortest plan has d steps, by breadth-first search.
    env, params, maps = drawn(rooms, pits)
    q = jax.jit(jax.vmap(lambda i: plan(law_of(env, params, i), 200, GAMMA)))(params.instances)
    value = np.asarray(q.max(-1))
    for rows, found in zip(maps, value, strict=True):
        steps = [twin.plans(rows).get(state, 0) for state in twin.states_of(rows)]
        expected = [GAMMA ** (d - 1) if d else 0.0 for d in steps]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    start = jax.vmap(env.initial_state, (None, 0, None))(
        jax.random.key(0), params.instances, params
    )
    index = jax.vmap(env.state_index, (0, None))(start, params)
    at_start = value[np.arange(NUM_MAPS), index]
    plans = [GAMMA ** (twin.plans(rows)[(*twin.place_of(rows, "S"), False)] - 1) for rows in maps]
    np.testing.assert_allclose(at_start, plans, rtol=1e-5)


@pytest.mark.parametrize("rooms", [2, 3, 6])
def test_the_heuristic_is_the_distance_without_pits(rooms):
    # Of every state that a play may meet: exact where there are no pits; else no more than is left.
    rng = np.random.default_rng(rooms)
    env = KeyRooms(rooms, 0)
    bare = [twin.draw(rng, rooms, 0) for _ in range(4)]
    dug = [twin.draw(rng, rooms, 3) for _ in range(4)]
    params = twin.params_of(env, [*bare, *dug])

    def value(instance, index):
        return env.heuristic(env.state_at(instance, index, params), params)

    every = jax.vmap(jax.vmap(value, (None, 0)), (0, None))
    found = -np.asarray(jax.jit(every)(params.instances, jnp.arange(env.num_states)))
    for rows, values in zip([*bare, *dug], found, strict=True):
        left, (_, locked) = twin.plans(rows), twin.place_of(rows, "L")
        for state, guess in zip(twin.states_of(rows), values.tolist(), strict=True):
            row, column, has_key = state
            met = has_key or (column < locked and rows[row][column] != "K")
            if rows[row][column] == "P":
                assert guess > max(left.values())
            elif met and state in left:
                assert guess == left[state] if rows in bare else guess <= left[state]


# -- random play -------------------------------------------------------------------------------

# L, pits: mean and most steps of shortest plans, and what random play comes to: success, finding
# the key, death. Of another implementation in plain Python, over 120 instances and 2,400 episodes.
KNOWN = {
    (2, 1): (12.7, 20, 0.021, 0.46, 0.82),
    (2, 2): (12.9, 23, 0.0075, 0.36, 0.96),
    (3, 2): (19.7, 32, 0.0, 0.17, 0.993),
    (4, 2): (27.1, 38, 0.0, 0.065, 0.999),
}


@pytest.fixture(scope="module", params=KNOWN, ids=lambda size: f"{size[0]}-{size[1]}")
def known(request):
    env = KeyRooms(*request.param)
    params = jax.jit(lambda key: env.sample_params(key, 600))(jax.random.key(0))
    return env, params, KNOWN[request.param]


def test_shortest_plans(known):
    _, params, (mean, most, *_) = known
    steps = [twin.shortest(rows) or 0 for rows in twin.rows_of(params.bank.tiles)]
    assert min(steps) > 0
    assert np.mean(steps) == pytest.approx(mean, abs=1.0)  # 3 standard errors of two samples
    assert max(steps[:120]) == pytest.approx(most, abs=6)


def test_what_random_play_meets(known):
    # 4 episodes of each of 600 instances: most of the chance is in which instances are drawn.
    env, params, (_, _, success, finds, dies) = known

    def episode(key, instance):
        def step(carry, key):
            state, over, solved = carry
            action = jax.random.randint(key, (), 0, 4)
            _, after, reward, terminated, _ = env.step_env(key, state, action, params)
            after = jax.tree.map(lambda x, y: jnp.where(over, x, y), state, after)
            return (after, over | terminated, solved | (~over & (reward > 0))), None

        keys = jax.random.split(key, 50 * env.rooms)
        start = env.initial_state(key, instance, params), jnp.bool_(False), jnp.bool_(False)
        (state, over, solved), _ = jax.lax.scan(step, start, keys)
        return solved, state.has_key, over & ~solved

    keys = jax.random.split(jax.random.key(2), 2400)
    found = jax.jit(jax.vmap(episode))(keys, jnp.arange(2400) % 600)
    solved, has_key, dead = (float(jnp.mean(x)) for x in found)
    if env.config[:2] == (2, 2):
        assert 0.003 < solved < 0.015
    assert solved == pytest.approx(success, abs=0.012 if success else 0.002)
    assert has_key == pytest.approx(finds, abs=0.08)
    assert dead == pytest.approx(dies, abs=0.05 if env.pits == 1 else 0.02)
