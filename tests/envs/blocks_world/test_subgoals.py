"""Sub-goals of Blocks World against pairs of actions: the twin's in plain Python, and our own."""

import functools

import envs.blocks_world.subgoals_twin as subgoals_twin
import envs.blocks_world.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.blocks_world.facts import LETTERS, facts, goal_of
from envs.blocks_world.slinvit_twin import letters
from lprl_envs import CHECKS, BlocksWorld, BlocksWorldSubgoals, InvalidInput, check_env
from lprl_envs.blocks_world.instances import published
from lprl_envs.errors import NotNumbered

ILLEGAL = -0.25
MIXED = [
    {"init": ["ba"], "goal": ["ba"]},
    {"init": ["abcd"], "goal": ["ab", "dc"]},
    {"init": ["cb", "a"], "goal": ["ba"]},
]
ENV = BlocksWorldSubgoals(4, illegal_reward=ILLEGAL)


def all_steps(env, states, params):
    """Mask and law of states `[X]`, for every action `[X, A]`."""

    def steps(state):
        actions = jnp.arange(env.num_actions)
        _, after, reward, ends = jax.vmap(env.transitions, (None, 0, None))(state, actions, params)
        return env.action_mask(state, params), after.on[:, 0], reward[:, 0], ends[:, 0]

    return jax.device_get(jax.jit(jax.vmap(steps))(states))


def assert_as_the_twin(env, states, params):
    """Every sub-goal of these states is its two actions, or illegal and nothing."""
    every = subgoals_twin.subgoals(LETTERS[: env.num_blocks])
    masks, afters, rewards, ends = all_steps(env, states, params)
    goals = [goal_of(goal) for goal in params.bank.goal.tolist()]
    for i, on in enumerate(states.on.tolist()):
        before, goal = facts(on), goals[states.instance[i]]
        for a, subgoal in enumerate(every):
            after = subgoals_twin.apply(before, subgoal)
            assert masks[i, a] == (after is not None)
            assert facts(afters[i, a].tolist()) == (after or before)
            reached = goal <= (after or before)
            assert ends[i, a] == reached
            assert rewards[i, a] == reached + (ILLEGAL if after is None else 0)
    return masks


@pytest.fixture(scope="module")
def four():
    """Every state of four blocks, each with one of eight goals."""
    params = ENV.sample_params(jax.random.key(0), 8)
    numbers = jnp.arange(ENV.num_states, dtype=jnp.int32)
    return jax.jit(jax.vmap(lambda i: ENV.state_at(i % 8, i, params)))(numbers), params


def test_every_sub_goal_is_its_two_actions(four):
    masks = assert_as_the_twin(ENV, *four)
    assert masks.sum(1).max() == 4 * 3  # all on the table
    assert masks.sum(1).min() == 1  # a tower


@pytest.mark.parametrize("n", [2, 12])
def test_sub_goals_of_few_and_many_blocks(n):
    env = BlocksWorldSubgoals(n, illegal_reward=ILLEGAL)
    params = env.sample_params(jax.random.key(1), 8)
    starts = jax.vmap(env.initial_state, (None, 0, None))(
        jax.random.key(0), params.instances, params
    )
    assert_as_the_twin(env, starts, params)


def test_the_law_is_that_of_two_actions_of_blocks_world():
    """In all numbered states, also those in which a block that an instance lacks is stacked."""
    world, params = BlocksWorld(4), ENV.params_of(MIXED)
    instance, number = (
        x.ravel() for x in jnp.meshgrid(jnp.arange(3), jnp.arange(ENV.num_states), indexing="ij")
    )
    states = jax.vmap(ENV.state_at, (0, 0, None))(instance, number, params)
    masks, afters, rewards, ends = all_steps(ENV, states, params)
    every = subgoals_twin.subgoals("abcd")
    names = {text: i for i, text in enumerate(world.action_texts)}
    pairs = [
        [[names[twin.action_text(a)] for a in subgoals_twin.actions(facts(on), s)] for s in every]
        for on in states.on.tolist()
    ]

    def both(state, pair):
        _, held, _, _ = world.transitions(state, pair[0], params)
        held = jax.tree.map(lambda x: x[0], held)
        may = world.action_mask(state, params)[pair[0]] & world.action_mask(held, params)[pair[1]]
        _, after, reward, terminated = world.transitions(held, pair[1], params)
        return may, after.on[0], reward[0], terminated[0]

    every_pair = jax.jit(jax.vmap(jax.vmap(both, (None, 0))))
    may, after, reward, terminated = jax.device_get(every_pair(states, jnp.array(pairs)))
    changes = (after != np.asarray(states.on)[:, None]).any(-1)
    np.testing.assert_array_equal(masks, may & changes)
    np.testing.assert_array_equal(afters[masks], after[masks])
    np.testing.assert_array_equal(rewards[masks], reward[masks])
    np.testing.assert_array_equal(ends[masks], terminated[masks])
    assert masks.any(1).all()


def test_texts():
    for n in (2, 5, 12):
        every = subgoals_twin.subgoals(LETTERS[:n])
        expected = tuple(subgoals_twin.text(subgoals_twin.lay(subgoal)) for subgoal in every)
        assert BlocksWorldSubgoals(n).action_texts == expected
    assert BlocksWorldSubgoals(2).action_texts == (
        " put the red block on the table",
        " put the blue block on the table",
        " put the red block on top of the blue block",
        " put the blue block on top of the red block",
    )


def test_states_read_and_look_as_in_blocks_world():
    world, params = BlocksWorld(4), ENV.params_of(MIXED)
    state = ENV.reset(jax.random.key(0), params)[1]
    assert ENV.describe(state, params) == world.describe(state, params)
    mine, theirs = (env.render(state, params).rgb for env in (ENV, world))
    np.testing.assert_array_equal(mine, theirs)


# -- what a search asks --------------------------------------------------------------------------


def test_legal_actions_come_in_order_and_are_looked_ahead_of(four):
    states, params = four
    listed, look = (
        jax.jit(jax.vmap(function, (0, None))) for function in (ENV.legal_actions, ENV.look_ahead)
    )
    actions, is_any = jax.device_get(listed(states, params))
    values, solved = jax.device_get(look(states, params))
    np.testing.assert_array_equal(values > -np.inf, is_any)
    texts = np.array(ENV.action_texts)
    for i, on in enumerate(states.on.tolist()):
        goal = goal_of(params.bank.goal[states.instance[i]].tolist())
        children = subgoals_twin.in_order(facts(on), "abcd")
        expected = [subgoals_twin.text(child.step[1]) for child in children]
        assert texts[actions[i][is_any[i]]].tolist() == expected
        found = values[i][is_any[i]].tolist()
        assert found == [twin.value(child.state, goal) for child in children]
        assert solved[i][is_any[i]].tolist() == [goal <= child.state for child in children]


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "count"), [(2, 3), (3, 13), (4, 73), (5, 501), (6, 4051)])
def test_numbers_are_those_of_blocks_world_in_their_order(n, count):
    env, world = BlocksWorldSubgoals(n), BlocksWorld(n)
    params, numbers = env.default_params, jnp.arange(count)
    assert env.num_states == count
    states = jax.vmap(env.state_at, (None, 0, None))(0, numbers, params)
    index = jax.jit(jax.vmap(env.state_index, (0, None)))
    np.testing.assert_array_equal(index(states, params), numbers)
    assert (np.diff(jax.vmap(world.state_index, (0, None))(states, params)) > 0).all()
    if n < 5:  # the same states as the twin finds
        reached = subgoals_twin.distances(facts(params.bank.on[0].tolist()), LETTERS[:n])
        assert set(map(facts, states.on.tolist())) == set(reached)


def test_states_of_many_blocks_have_no_numbers():
    env = BlocksWorldSubgoals(7)
    params = env.default_params
    state = env.reset(jax.random.key(0), params)[1]
    assert env.num_states is None
    for ask in (
        lambda: env.numbered_states,
        lambda: env.state_index(state, params),
        lambda: env.state_at(0, 0, params),
    ):
        with pytest.raises(NotNumbered, match="BlocksWorldSubgoals-lprl has too many states"):
            ask()


# -- instances and plans -------------------------------------------------------------------------


def test_shortest_plans_have_half_as_many_sub_goals_as_actions():
    """Breadth-first search over sub-goals, of two actions each, finds the published lengths."""

    @functools.cache
    def distances(stacks, blocks):
        return subgoals_twin.distances(twin.start(stacks), blocks)

    for name in ("planbench-4", "planbench-6"):
        lengths = []
        for row in published(name):
            found, goal = distances(tuple(row["init"]), letters(row)), twin.goal_facts(row["goal"])
            lengths.append(min(d for state, d in found.items() if goal <= state))
        assert ENV.shortest_plans(name).tolist() == lengths
        assert [2 * length for length in lengths] == [r["optimal_length"] for r in published(name)]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_time_limit_is_twice_the_longest_of_the_shortest_plans(n):
    blocks = "abcd"[:n]
    states = list(subgoals_twin.distances(twin.start(blocks), blocks))
    goals = {frozenset(fact for fact in state if fact[0] == "on") for state in states}
    longest = 0
    for state in states:
        found = subgoals_twin.distances(state, blocks)
        longest = max(longest, *(min(found[s] for s in found if goal <= s) for goal in goals))
    env = BlocksWorldSubgoals(n)
    assert int(env.default_params.max_steps_in_episode) == 2 * longest
    assert 2 * env.default_params.max_steps_in_episode == (
        BlocksWorld(n).default_params.max_steps_in_episode
    )


@pytest.mark.parametrize("draw", [
    lambda env: env.suite("planbench"),
    lambda env: env.params_of(MIXED),
    lambda env: env.sample_params(jax.random.key(3), 32, "train", num_blocks=4),
    lambda env: env.default_params,
])  # fmt: skip
def test_instances_are_those_of_blocks_world(draw):
    env, world = BlocksWorldSubgoals(5), BlocksWorld(5)
    mine, theirs = draw(env), draw(world)
    jax.tree.map(np.testing.assert_array_equal, mine.bank, theirs.bank)
    held_out = jax.vmap(env.held_out)(mine.bank)
    np.testing.assert_array_equal(held_out, jax.vmap(world.held_out)(theirs.bank))
    assert int(mine.max_steps_in_episode) == 16


# -- bad input and the contract ------------------------------------------------------------------

BAD = [
    (lambda: BlocksWorldSubgoals(13), ["num_blocks is 13", "2 to 12"]),
    (lambda: BlocksWorldSubgoals(True), ["num_blocks is True", "whole number"]),
    (lambda: BlocksWorldSubgoals(4, float("nan")), ["illegal_reward is nan", "finite number"]),
    (lambda: BlocksWorldSubgoals(7, 0.0, "index"), ["'index'", "up to 6 blocks, not 7"]),
    (lambda: BlocksWorldSubgoals(4, 0.0, "x"), ["observation 'x'", "onehot, features, tokens"]),
    (lambda: ENV.suite("planbench-5"), ["suite 'planbench-5'", "planbench-4"]),
    (lambda: ENV.suite("planbench"), ["5 blocks, the environment 4", "num_blocks: 5"]),
    (lambda: ENV.shortest_plans("mine"), ["suite 'mine'", "planbench-4"]),
    (lambda: ENV.params_of([{"init": ["ab"]}]), ["found {'init': ['ab']}", "'goal': ['ba']"]),
    (lambda: ENV.params_of([]), ["no instances", "at least one"]),
    (lambda: ENV.sample_params(jax.random.key(0), 1, "x"), ["unknown split 'x'", "held-out"]),
    (lambda: ENV.sample_params(jax.random.key(0), 1, num_blocks=5), ["is 5", "2 to 4"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), BAD)
def test_bad_input_is_one_line(call, words):
    with pytest.raises(InvalidInput) as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("observation", ["index", "tokens"])
def test_check_env(observation):
    env = BlocksWorldSubgoals(4, illegal_reward=-0.1, observation=observation)
    assert check_env(env, env.params_of(MIXED)) == tuple(CHECKS)
