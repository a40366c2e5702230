"""Blocks World against its twin in plain Python: legality, transitions, rewards, text, numbers."""

import dataclasses

import envs.blocks_world.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.blocks_world.facts import LETTERS, facts, goal_of
from lprl_envs import CHECKS, BlocksWorld, CheckFailed, check_env
from lprl_envs.blocks_world.rules import (
    ABSENT,
    HAND,
    MOST_BLOCKS,
    TABLE,
    bit_of,
    moves,
    num_satisfied,
    packed_moves,
)
from lprl_envs.blocks_world.search import heuristic

NUM_ENVS, NUM_STEPS = 100, 170
ILLEGAL = -0.25
SIZES = [(2, 2), (3, 3), (4, 4), (5, 4), (8, 8), (12, 12)]


def played(n, num_blocks):
    """Random actions, a third of them legal or not, in instances of `num_blocks` blocks."""
    env = BlocksWorld(n, illegal_reward=ILLEGAL)
    params = env.sample_params(jax.random.key(n), 16, num_blocks=num_blocks)

    def step(state, key):
        key_action, key_any, key_step = jax.random.split(key, 3)
        mask = env.action_mask(state, params)
        is_any = jax.random.uniform(key_any) < 1 / 3
        action = jax.random.categorical(key_action, jnp.where(mask | is_any, 0.0, -jnp.inf))
        _, after, reward, terminated, _, info = env.step(key_step, state, action, params)
        final, value = info["final_state"].on, heuristic(state.on, params.bank.goal[state.instance])
        slots = env.slots(state, params)
        return after, (state, mask, slots, action, final, reward, terminated, value)

    def play(key):
        return jax.lax.scan(step, env.reset(key, params)[1], jax.random.split(key, NUM_STEPS))[1]

    rows = jax.jit(jax.vmap(play))(jax.random.split(jax.random.key(0), NUM_ENVS))
    flat = jax.tree.map(lambda x: np.asarray(x.reshape(-1, *x.shape[2:])), rows)
    return env, np.asarray(params.bank.goal), flat


@pytest.mark.parametrize(("n", "num_blocks"), SIZES)
def test_random_steps_equal_the_twins(n, num_blocks):
    env, goals, (states, masks, slots, actions, finals, rewards, ends, values) = played(
        n, num_blocks
    )
    every, num_legal, num_ended = twin.actions(LETTERS[:n]), 0, 0
    for i, on in enumerate(states.on.tolist()):
        before, goal, action = facts(on), goal_of(goals[states.instance[i]]), every[actions[i]]
        legal = twin.is_legal(before, action)
        after = twin.apply(before, action) if legal else before
        assert masks[i].tolist() == [twin.operator(*a)[0] <= before for a in every]
        assert facts(finals[i].tolist()) == after
        assert ends[i] == (goal <= after)
        assert rewards[i] == (goal <= after) + (0 if legal else ILLEGAL)
        assert values[i] == twin.value(before, goal)
        text = env.template.render(slots[i].tolist())
        assert text.split("\n", 1)[1] == twin.text(before, goal)
        num_legal, num_ended = num_legal + legal, num_ended + (goal <= after)
    assert len(states.on) == NUM_ENVS * NUM_STEPS
    assert 0.6 < num_legal / len(states.on) < 0.95
    assert num_ended > 0 or n > 5
    assert masks.sum(1).max() <= env.max_legal


@pytest.mark.parametrize("n", [2, 5, 12])
def test_action_texts_equal_the_twins(n):
    env = BlocksWorld(n)
    assert env.action_texts == tuple(map(twin.action_text, twin.actions(LETTERS[:n])))
    assert env.num_actions == len(env.action_texts) == 2 * n * n


def test_text_written_out():
    env = BlocksWorld(3)
    params = env.params_of([{"init": ["ca", "b"], "goal": ["ab", "bc"]}])
    state = env.reset(jax.random.key(0), params)[1]
    action = env.action_texts.index(" unstack the red block from on top of the orange block")
    after = env.step_env(jax.random.key(0), state, action, params)[1]
    goal = (
        "I stack blocks with one hand, which holds one block at a time. "
        "I can only take a clear block, and only stack on a clear block.\n"
        "My goal is to have that the red block is on top of the blue block and the blue block is "
        "on top of the orange block.\n"
    )
    assert [env.describe(s, params) for s in (state, after)] == [
        f"{goal}As initial conditions I have that, the red block is clear, the blue block is "
        "clear, the hand is empty, the red block is on top of the orange block, the blue block is "
        "on the table and the orange block is on the table.\nMy next action is to",
        f"{goal}As initial conditions I have that, the blue block is clear, the orange block is "
        "clear, the hand is currently holding the red block, the blue block is on the table and "
        "the orange block is on the table.\nMy next action is to",
    ]


def test_absent_blocks_are_not_mentioned():
    env = BlocksWorld(5)
    params = env.params_of([{"init": ["ba"], "goal": ["ba"]}])
    state = env.reset(jax.random.key(0), params)[1]
    assert env.describe(state, params).split("\n", 1)[1] == twin.text(
        twin.start(["ba"]), twin.goal_facts(["ba"])
    )
    assert int(env.action_mask(state, params).sum()) == 1


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "count"), [(2, 5), (3, 22), (4, 125), (5, 866), (6, 7057)])
def test_state_counts(n, count):
    env = BlocksWorld(n)
    assert env.num_states == count
    params = env.default_params
    states = jax.vmap(env.state_at, (None, 0, None))(jnp.int32(0), jnp.arange(count), params)
    index = jax.jit(jax.vmap(env.state_index, (0, None)))(states, params)
    assert index.tolist() == list(range(count))
    if n < 6:  # the same states as the twin finds
        reached = twin.distances(facts(params.bank.on[0].tolist()), LETTERS[:n])
        assert set(map(facts, states.on.tolist())) == set(reached)


def test_an_absent_block_counts_as_lying_on_the_table():
    env = BlocksWorld(4)
    params = env.params_of([{"init": ["cb", "a"], "goal": ["ab"]}])
    state = env.reset(jax.random.key(0), params)[1]
    index = env.state_index(state, params)
    assert state.on.tolist() == [TABLE, 2, TABLE, ABSENT]
    assert env.state_at(jnp.int32(0), index, params).on.tolist() == [TABLE, 2, TABLE, ABSENT]
    assert env.state_at(jnp.int32(0), index, env.default_params).on.tolist() == [
        TABLE,
        2,
        TABLE,
        TABLE,
    ]


def test_features_tell_what_is_below_and_what_is_wanted():
    env = BlocksWorld(3)
    params = env.params_of([{"init": ["ba"], "goal": ["ba"]}])
    observation, _ = env.reset(jax.random.key(0), params)
    below, wanted = np.split(np.asarray(observation), [3 * 6])
    # Absent, hand, table, a, b, c.
    assert below.reshape(3, 6).argmax(1).tolist() == [4, 2, 0]
    assert wanted.reshape(3, 3).tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert env.num_features == observation.size


def test_satisfied_facts():
    on = jnp.array([1, 2, TABLE, HAND], jnp.int32)
    for goal, count in (([1, 2, -1, -1], 2), ([1, 3, -1, -1], 1), ([-1, 0, -1, 2], 0)):
        assert int(num_satisfied(on, jnp.array(goal, jnp.int32))) == count


# -- the contract --------------------------------------------------------------------------------

MIXED = [
    {"init": ["ba"], "goal": ["ba"]},
    {"init": ["abcd"], "goal": ["ab", "dc"]},
    {"init": ["cb", "a"], "goal": ["ba"]},
]


@pytest.mark.parametrize(("n", "observation"), [(4, "index"), (8, "tokens")])
def test_check_env(n, observation):
    env = BlocksWorld(n, observation=observation)
    assert check_env(env, env.sample_params(jax.random.key(1), 6)) == tuple(CHECKS)


def test_check_env_with_absent_blocks_and_penalty():
    env = BlocksWorld(4, illegal_reward=-0.1, observation="onehot")
    assert check_env(env, env.params_of(MIXED)) == tuple(CHECKS)


def test_sixteen_bits_hold_the_most_blocks():
    """A bit a block; what is no block, and shifts by less than nothing, has none."""
    places = jnp.array([ABSENT, HAND, TABLE, 0, 1, 11], jnp.int16)
    assert bit_of(places).tolist() == [0, 0, 0, 1, 2, 2048]
    assert MOST_BLOCKS == 12
    listed = np.stack(moves(MOST_BLOCKS))
    packed = np.asarray(packed_moves(MOST_BLOCKS))
    np.testing.assert_array_equal([(packed >> 4 * i & 15) + ABSENT for i in range(3)], listed)


def test_rows_follow_the_bank():
    env = BlocksWorld(4)
    params, other = (env.sample_params(jax.random.key(k), 6) for k in (0, 1))
    swapped = params.with_bank(other.bank)
    for x, y in zip(jax.tree.leaves(swapped), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)
    stale = dataclasses.replace(params, bank=other.bank)
    with pytest.raises(CheckFailed, match=r"rows is not what follows from the bank; right: params"):
        check_env(env, stale)
