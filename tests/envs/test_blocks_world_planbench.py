"""PlanBench's instances: suites, shortest plans, and SLINVIT's search without a language model."""

import functools
from collections.abc import Mapping

import envs.blocks_twin as twin
import jax
import jax.numpy as jnp
import pytest
from envs.blocks_facts import facts
from lprl_envs import BlocksWorld, from_stacks
from lprl_envs.blocks_world_instances import SUITES, published
from lprl_envs.blocks_world_rules import heuristic

SIZES = {
    "planbench-4": 57,
    "planbench-6": 114,
    "planbench": 602,
    "planbench-length-2": 47,
    "planbench-length-4": 86,
    "planbench-length-6": 155,
    "planbench-length-8": 153,
    "planbench-length-10": 113,
    "planbench-length-12": 46,
    "planbench-length-14": 1,
    "planbench-length-16": 1,
}


def letters(instance) -> str:
    return "".join(sorted("".join(instance["init"])))


def test_sizes_of_the_suites():
    assert {name: len(published(name)) for name in SUITES} == SIZES


@pytest.mark.parametrize("name", ["planbench-4", "planbench-6", "planbench"])
def test_a_suite_is_a_bank(name):
    env = BlocksWorld(5)
    params = env.suite(name)
    assert params.bank.on.shape == (SIZES[name], 5)
    for i in (0, SIZES[name] // 2, SIZES[name] - 1):
        row = published(name)[i]
        state = env.initial_state(jax.random.key(0), jnp.int32(i), params)
        expected = twin.text(twin.start(row["init"]), twin.goal_facts(row["goal"]))
        assert env.describe(state, params).split("\n", 1)[1] == expected


def test_shortest_plans():
    """Breadth-first search gives the length that is published with each of the 602."""

    @functools.cache
    def distances(stacks, blocks):
        return twin.distances(twin.start(stacks), blocks)

    for row in published("planbench"):
        found, goal = distances(tuple(row["init"]), letters(row)), twin.goal_facts(row["goal"])
        assert min(d for state, d in found.items() if goal <= state) == row["optimal_length"]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_time_limit_is_twice_the_longest_of_the_shortest_plans(n):
    blocks = "abcd"[:n]
    states = [s for s in twin.distances(twin.start(blocks), blocks) if twin.EMPTY in s]
    goals = {frozenset(fact for fact in state if fact[0] == "on") for state in states}
    longest = 0
    for state in states:
        found = twin.distances(state, blocks)
        longest = max(longest, *(min(found[s] for s in found if goal <= s) for goal in goals))
    assert longest == 4 * (n - 1)
    assert int(BlocksWorld(n).default_params.max_steps_in_episode) == 2 * longest


# -- SLINVIT's search ----------------------------------------------------------------------------


Values = Mapping[twin.State, float]


@functools.cache
def all_states(n) -> tuple[list[twin.State], jax.Array]:
    """Every state of n blocks, as facts and as rows of the library."""
    env = BlocksWorld(n)
    at = jax.vmap(env.state_at, (None, 0, None))
    on = at(jnp.int32(0), jnp.arange(env.num_states), env.default_params).on
    return list(map(facts, on.tolist())), on


def values_of(row) -> Values:
    """The library's heuristic in every state of an instance."""
    states, on = all_states(len(letters(row)))
    goal = from_stacks(row["init"], row["goal"]).goal
    return dict(zip(states, evaluate(on, goal).tolist(), strict=True))


evaluate = jax.jit(jax.vmap(heuristic, (0, None)))


def children(values: Values, state, goal, blocks) -> list[tuple[twin.Fact, twin.State]]:
    """The two of highest value, first those of a colour named first, put-down last."""

    def order(child):
        action, after = child
        chosen = action[2] if action[0] == "stack" else action[1]
        return -values[after], action[0] == "put-down", twin.COLOUR[chosen]

    found = sorted(twin.successors(state, blocks), key=order)
    return found[:1] if goal <= found[0][1] else found[:2]


def best_path(values: Values, state, goal, blocks, depth) -> tuple[float, int, twin.Fact]:
    """Value of its end, its length with a minus sign, its first action."""
    paths = []
    for action, after in children(values, state, goal, blocks):
        score, length = values[after], -1
        if depth > 1 and not goal <= after:
            score, length, _ = best_path(values, after, goal, blocks, depth - 1)
            length -= 1
        paths.append((score, length, action))
    return max(paths, key=lambda path: path[:2])  # the first of equal ones


def is_solved(row, depth) -> bool:
    """Whether the first actions of the best paths solve an instance within L + 1 steps."""
    state, goal, values = twin.start(row["init"]), twin.goal_facts(row["goal"]), values_of(row)
    for _ in range(row["optimal_length"] + 1):
        action = best_path(values, state, goal, letters(row), depth)[2]
        state = twin.apply(state, action)
        if goal <= state:
            return True
    return False


@pytest.mark.parametrize(
    ("name", "depth", "solved"),
    [
        ("planbench-4", 1, 50),
        ("planbench-6", 1, 71),
        ("planbench-4", 2, 57),
        ("planbench-6", 2, 92),
    ],
)
def test_search_without_a_language_model(name, depth, solved):
    assert sum(is_solved(row, depth) for row in published(name)) == solved
