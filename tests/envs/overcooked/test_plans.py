"""Shortest plans in macros: against the recorded tables, and the law's own lengths."""

import functools
from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.overcooked.recorded import KITCHENS, first_of, table_of
from lprl_envs import Overcooked
from lprl_envs.overcooked import plans


@functools.cache
def right_of(kitchen):
    env = Overcooked(kitchen)
    return env, jax.jit(lambda params, i: plans.right_actions(env, params, i))


def distances(table):
    """Macros to the delivery by breadth-first search backwards; -1 where it was not recorded."""
    before = [[] for _ in table.ended]
    for state, row in enumerate(table.next):
        for after in row:
            before[after].append(state)
    left = np.full(len(before), -1)
    queue = deque(np.flatnonzero(table.ended).tolist())
    left[table.ended] = 0
    while queue:
        state = queue.popleft()
        for other in before[state]:
            if left[other] < 0:
                left[other] = left[state] + 1
                queue.append(other)
    return left


@pytest.mark.parametrize("kitchen", KITCHENS)
def test_they_are_those_of_a_search_of_the_recorded_law(kitchen):
    env, right = right_of(kitchen)
    found, left = map(np.asarray, right(env.default_params, jnp.int32(0)))
    table = table_of(kitchen)
    recorded, start = distances(table), first_of(kitchen)
    params = env.default_params
    macros = np.asarray(env.macro_of)

    def after(number, action):
        state = env.state_at(0, number, params)
        return env.state_index(env.step_env(jax.random.key(0), state, action, params)[1], params)

    step = jax.jit(jax.vmap(after))
    # Both laws side by side, from the start along right macros and others.
    first = env.initial_state(jax.random.key(0), jnp.int32(0), params)
    numbers, states = [int(env.state_index(first, params))], [start]
    met = {start}
    for number, state in zip(numbers, states, strict=True):
        assert left[number] == recorded[state]
        mask = np.asarray(env.action_mask(env.state_at(0, number, params), params))
        actions = np.flatnonzero(mask)
        nexts = np.asarray(step(jnp.full(len(actions), number), jnp.asarray(actions)))
        for action, own in zip(actions, nexts.tolist(), strict=True):
            other = int(table.next[state, macros[action]])
            is_right = recorded[other] == recorded[state] - 1 and recorded[state] > 0
            assert bool(found[number, action]) == is_right
            if other not in met and not table.ended[other]:
                met.add(other)
                numbers.append(own)
                states.append(other)
    assert len(met) == {"tomato": 24, "salad": 1_156}[kitchen]


@pytest.mark.parametrize("kitchen", KITCHENS)
def test_in_random_kitchens_they_begin_with_the_length_that_the_dish_has(kitchen):
    env, right = right_of(kitchen)
    params = env.sample_params(jax.random.key(2), 6)
    for instance in range(6):
        first = env.initial_state(jax.random.key(0), jnp.int32(instance), params)
        _, left = right(params, jnp.int32(instance))
        assert left[env.state_index(first, params)] == env.plan_lengths(params)[instance]
        assert int(left.max()) < plans.FARTHEST
