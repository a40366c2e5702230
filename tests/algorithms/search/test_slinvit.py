"""SLINVIT on PlanBench's instances: the published figures, and a twin in plain Python."""

import functools
from typing import Any

import envs.blocks_world.slinvit_twin as slinvit_twin
import envs.blocks_world.subgoals_twin as subgoals_twin
import envs.blocks_world.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.blocks_world.slinvit_twin import letters
from lprl_envs import BlocksWorld, BlocksWorldSubgoals, TextEnv
from lprl_envs.blocks_world.instances import published

from lprl_jax import Data
from lprl_jax.algorithms.search import slinvit
from lprl_jax.algorithms.search.slinvit_config import SLINVITConfig
from lprl_jax.experiments import sharding

ENV, SUBGOALS = BlocksWorld(5), BlocksWorldSubgoals(5)
SUITES = ("planbench-4", "planbench-6")
NAMES = [text.strip().replace(" block", "") for text in ENV.action_texts]


@functools.cache
def bank(env: TextEnv[Any, Any] = ENV) -> Any:
    """Both suites as one bank, so that one program serves them; and the budgets.

    One action more than a shortest plan, or as many sub-goals as that has room for.
    """
    rows = [row for name in SUITES for row in published(name)]
    instances = [{"init": row["init"], "goal": row["goal"]} for row in rows]
    actions = jnp.array([row["optimal_length"] + 1 for row in rows])
    budgets = actions if env is ENV else actions // 2
    return rows, Data((), env.params_of(instances)), budgets


@functools.cache
def solved_by(
    env: TextEnv[Any, Any] = ENV, **settings: Any
) -> tuple[slinvit.Outcome, slinvit.Path]:
    """What comes of every instance, and the first search of each."""
    config = SLINVITConfig(**{"proposals": "heuristic", "k": 2, "alpha": 0.0, **settings})
    search = slinvit.make(config, env)
    _, data, budgets = bank(env)

    @jax.jit
    def run(budgets: jax.Array, data: Data) -> Any:
        params, hparams, key = data.env_params, config.hparams(budgets.size), jax.random.key(0)
        states = jax.vmap(env.initial_state, (None, 0, None))(key, params.instances, params)
        every = jnp.ones(budgets.shape, bool)
        path, _, _ = search.plan(key, states, every, hparams, data, search.init())
        return search.solve(key, params.instances, budgets, hparams, data), path

    return jax.device_get(run(budgets, data))


def action_text(action: twin.Fact) -> str:
    return twin.action_text(action).strip().replace(" block", "")


@pytest.mark.parametrize(("depth", "four", "six"), [(1, 50, 71), (2, 57, 92), (3, 57, 114)])
def test_published_figures(depth: int, four: int, six: int) -> None:
    outcome, _ = solved_by(depth=depth)
    assert (outcome.solved[:57].sum(), outcome.solved[57:].sum()) == (four, six)


@pytest.mark.parametrize(("depth", "k"), [(1, 2), (2, 2), (3, 2), (2, 3)])
def test_the_twin_finds_the_same_in_every_instance(depth: int, k: int) -> None:
    outcome, path = solved_by(depth=depth, k=k)
    for i, row in enumerate(bank()[0]):
        goal = twin.goal_facts(row["goal"])
        propose = slinvit_twin.by_heuristic(goal, letters(row), k)
        found = slinvit_twin.solve(row, propose, depth)
        assert NAMES[path.action[i, 0]] == action_text(found.first[0])
        assert (outcome.solved[i], outcome.cost.nodes[i]) == (found.solved, found.nodes)


@pytest.mark.parametrize(("depth", "k", "six"), [(1, 2, 97), (2, 2, 107), (2, 3, 113)])
def test_over_sub_goals_the_twin_finds_the_same(depth: int, k: int, six: int) -> None:
    """The twin executes two actions a sub-goal, within the same budget of actions."""
    outcome, path = solved_by(SUBGOALS, depth=depth, k=k)
    for i, row in enumerate(bank()[0]):
        goal = twin.goal_facts(row["goal"])
        propose = slinvit_twin.by_heuristic(goal, letters(row), k, subgoals_twin.in_order)
        found = slinvit_twin.solve(row, propose, depth, size=2)
        found_text = SUBGOALS.action_texts[path.action[i, 0]]
        assert found_text == subgoals_twin.text(found.first[1])
        assert (outcome.solved[i], outcome.cost.nodes[i]) == (found.solved, found.nodes)
    assert (outcome.solved[:57].sum(), outcome.solved[57:].sum()) == (57, six)


def test_nodes_at_depth_one() -> None:
    """Two children an action, but the one that solves alone: 2 + 2 + 2 + 1.

    It is one less where a single tower stands at the start, of which only the top can be taken.
    """
    outcome, _ = solved_by(depth=1)
    assert [round(x.mean()) for x in np.split(outcome.cost.nodes, [57])] == [7, 12]
    solved = outcome.solved[:57]
    is_tower = np.array([len(row["init"]) == 1 for row in bank()[0][:57]])
    np.testing.assert_array_equal(outcome.cost.nodes[:57][solved], 7 - is_tower[solved])
    assert set(outcome.length[:57][solved]) == {4}
    assert set(outcome.length[:57][~solved]) == {5}
    # The heuristic looks at every legal action, kept or not.
    assert (outcome.cost.valuations > outcome.cost.nodes).all()
    assert outcome.prior_carry == (0, 0)


def test_the_whole_path_is_executed() -> None:
    """A search every three actions; where the first path solves, all that is made is one tree."""
    outcome, path = solved_by(depth=3, execute="path")
    one_by_one, _ = solved_by(depth=3)
    assert (path.length[:57] == 3).all()
    assert (outcome.cost.nodes < one_by_one.cost.nodes).all()
    # At most 2 + 4 + 8 from the start; then the fourth action, alone.
    done = outcome.solved[:57] & (outcome.length[:57] == 4)
    assert done.any()
    assert outcome.cost.nodes[:57][done].max() == 15


def test_lanes_change_nothing() -> None:
    """Twelve at a time, others in their places when they are done: the same of every instance."""
    together, _ = solved_by(depth=1)
    by_turns, _ = solved_by(depth=1, lanes=12)
    for mine, theirs in zip(jax.tree.leaves(by_turns), jax.tree.leaves(together), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_devices_change_nothing() -> None:
    """Each has its share of the rows; nothing is counted twice."""
    together, _ = solved_by(depth=1)
    config = SLINVITConfig(depth=1, k=2, proposals="heuristic", alpha=0.0)
    _, data, budgets = bank()
    budgets = budgets[:-1]  # an even number
    mesh = sharding.make_mesh(budgets.size)
    assert mesh.shape["data"] > 1
    solve = sharding.over_rows(slinvit.make(config, ENV), mesh)
    key, data = sharding.place(mesh, (jax.random.key(0), data))
    instances, hparams = data.env_params.instances[:-1], config.hparams(budgets.size)
    found = sharding.fetch(solve(key, instances, budgets, hparams, data))
    assert found.prior_carry.queries.low.shape == (mesh.shape["data"],)
    assert found.prior_carry.queries == found.prior_carry.evaluations == 0
    expected = jax.tree.map(lambda x: x[:-1], together[:-1])
    for mine, theirs in zip(jax.tree.leaves(found[:-1]), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_success_is_the_environment_s() -> None:
    """Executing the found actions in a fresh environment solves what is said to be solved."""
    _, data, budgets = bank()
    outcome, _ = solved_by(depth=1)
    config = SLINVITConfig(depth=1, k=2, proposals="heuristic", alpha=0.0)
    search = slinvit.make(config, ENV)
    plan = jax.jit(search.plan)
    params, key = data.env_params, jax.random.key(1)
    step = jax.jit(jax.vmap(ENV.step_env, (None, 0, 0, None)))
    states = jax.vmap(ENV.initial_state, (None, 0, None))(key, params.instances, params)
    solved = np.zeros(budgets.shape, bool)
    for turn in range(7):
        searches = ~solved & (turn < budgets)
        hparams = config.hparams(budgets.size)
        path, _, _ = plan(key, states, searches, hparams, data, search.init())
        _, after, _, terminated, _ = step(key, states, path.action[:, 0], params)
        states = jax.tree.map(
            lambda new, old, s=searches: jnp.where(s.reshape(-1, *[1] * (new.ndim - 1)), new, old),
            after, states,
        )  # fmt: skip
        solved |= np.asarray(searches & terminated)
    np.testing.assert_array_equal(outcome.solved, solved)
