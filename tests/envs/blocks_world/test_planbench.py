"""PlanBench's instances: suites, shortest plans, and SLINVIT's search without a language model."""

import functools

import envs.blocks_world.slinvit_twin as slinvit_twin
import envs.blocks_world.twin as twin
import jax
import jax.numpy as jnp
import pytest
from envs.blocks_world.slinvit_twin import letters
from lprl_envs import BlocksWorld
from lprl_envs.blocks_world.instances import SUITES, published

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
    """The library's own search is held against the twin's in `algorithms/test_slinvit`."""

    def is_solved(row) -> bool:
        propose = slinvit_twin.by_heuristic(twin.goal_facts(row["goal"]), letters(row), k=2)
        return slinvit_twin.solve(row, propose, depth).solved

    assert sum(map(is_solved, published(name))) == solved
