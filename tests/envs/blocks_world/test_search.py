"""What a search asks of Blocks World: the order of moves, the heuristic, and both at once."""

from typing import Any

import envs.blocks_world.slinvit_twin as slinvit_twin
import envs.blocks_world.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.blocks_world.facts import facts, goal_of
from lprl_envs import BlocksWorld, CubeStacking, FrozenLake, InvalidInput, TextEnv

ENV = BlocksWorld(4)
NAMES = dict(enumerate(text.strip() for text in ENV.action_texts))


@pytest.fixture(scope="module")
def states():
    """Every state of four blocks, as rows and as facts, each with one of eight goals."""
    params = ENV.sample_params(jax.random.key(0), 8)
    numbers = jnp.arange(ENV.num_states, dtype=jnp.int32)
    rows = jax.jit(jax.vmap(lambda i: ENV.state_at(i % 8, i, params)))(numbers)
    return rows, list(map(facts, rows.on.tolist())), params


def test_legal_actions_come_in_order(states):
    rows, found, params = states
    action, is_any = jax.jit(jax.vmap(ENV.legal_actions, (0, None)))(rows, params)
    assert action.shape == is_any.shape == (ENV.num_states, ENV.max_legal)
    for i, state in enumerate(found):
        expected = [twin.action_text(child.step[0]).strip()
                    for child in slinvit_twin.in_order(state, "abcd")]  # fmt: skip
        assert [NAMES[a] for a in action[i][is_any[i]].tolist()] == expected


def test_the_heuristic_is_the_twin_s(states):
    rows, found, params = states
    values = jax.jit(jax.vmap(ENV.heuristic, (0, None)))(rows, params)
    goals = [goal_of(params.bank.goal[i].tolist()) for i in rows.instance.tolist()]
    expected = [twin.value(state, goal) for state, goal in zip(found, goals, strict=True)]
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("num_blocks", [2, 5, 7])
def test_looking_ahead_and_going_there(num_blocks):
    """One by one, under vmap along any axis, and nested: as every environment does it.

    Instances of the environment of seven blocks have five.
    """
    env = BlocksWorld(num_blocks)
    params = env.sample_params(jax.random.key(1), 64, num_blocks=min(num_blocks, 5))
    _, starts = jax.vmap(env.reset, (0, None))(jax.random.split(jax.random.key(2), 64), params)
    first, _ = jax.vmap(env.legal_actions, (0, None))(starts, params)
    _, held, *_ = jax.vmap(env.step_env, (0, 0, 0, None))(
        jax.random.split(jax.random.key(3), 64), starts, first[:, 0], params
    )
    places = jnp.arange(env.max_legal)

    def both(own: Any) -> Any:
        def of(state: Any) -> Any:
            go = jax.vmap(lambda place: own.successor(env, state, place, params))
            return go(places), own.look_ahead(env, state, params)

        return of

    for states in (starts, held):
        found, ahead = jax.jit(jax.vmap(both(BlocksWorld)))(states)
        expected, plain = jax.jit(jax.vmap(both(TextEnv)))(states)
        listed, there = jax.device_get(jax.vmap(env.legal_actions, (0, None))(states, params))
        masks = np.asarray(jax.vmap(env.action_mask, (0, None))(states, params))
        for i, mask in enumerate(masks):
            assert sorted(listed[i][there[i]]) == np.flatnonzero(mask).tolist()
        for mine, theirs in zip(ahead, plain, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert ((np.asarray(ahead[0]) > -np.inf) == there).all()
        for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(np.asarray(mine)[there], np.asarray(theirs)[there])
    last = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), held)
    other_way, _ = jax.jit(jax.vmap(both(BlocksWorld), in_axes=-1, out_axes=-1))(last)
    for mine, theirs in zip(jax.tree.leaves(other_way), jax.tree.leaves(found), strict=True):
        np.testing.assert_array_equal(np.moveaxis(np.asarray(mine), -1, 0), theirs)
    alone = env.look_ahead(jax.tree.map(lambda x: x[0], held), params)
    for mine, theirs in zip(alone, ahead, strict=True):
        np.testing.assert_array_equal(mine, theirs[0])


@pytest.mark.parametrize("env", [CubeStacking(), FrozenLake("4x4")])
def test_other_environments_list_their_mask(env):
    params = env.default_params
    _, state = env.reset(jax.random.key(0), params)
    action, is_any = env.legal_actions(state, params)
    np.testing.assert_array_equal(action[is_any], np.flatnonzero(env.action_mask(state, params)))
    with pytest.raises(InvalidInput, match="has no heuristic"):
        env.heuristic(state, params)
    with pytest.raises(InvalidInput, match="shortest plans are not known"):
        env.shortest_plans("paper-8")
