"""SLINVIT with a prior, on a process small enough to search by hand."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables

from lprl_jax import Data, TabularPrior
from lprl_jax.algorithms.search import slinvit
from lprl_jax.algorithms.search.levels import Nodes
from lprl_jax.algorithms.search.slinvit_config import SLINVITConfig
from lprl_jax.algorithms.search.tree import best_path
from lprl_jax.algorithms.tabular.value_iteration import law_of
from lprl_jax.experiments import sharding

GOAL = 4


class Places(TabularMDP):
    """Five places, of which the last is the goal; over is dead. Each place is worth something."""

    def heuristic(self, state: Any, params: Any) -> jax.Array:
        return jnp.array([0.0, 1.0, 2.0, 5.0, 100.0, -10.0])[state.place]

    def is_solved(self, state: Any, params: Any) -> jax.Array:
        return state.place == GOAL


ENV = Places(5, 3)
#         0          1            2            3          the goal
NEXT = [[1, 2, 3], [0, END, 2], [END, 3, 4], [3, 1, 0], [4, 4, 4]]
REWARD = [[0, 1, 0], [0, -1, 0], [0, 0, 4], [0, 0, 0], [0, 0, 0]]
PROBS = [[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.1, 0.6, 0.3], [0.4, 0.5, 0.1], [1 / 3] * 3]
PARAMS = ENV.params_of([tables(NEXT, REWARD)])


def prior_of(probs: Any = PROBS) -> TabularPrior:
    table = jnp.log(jnp.array([[*probs, [1 / 3] * 3]], jnp.float32))
    return TabularPrior(ENV, table, "by hand", evaluations=6)


PRIOR = prior_of()
DATA = Data(PRIOR.params, PARAMS)


@functools.cache
def planner(**settings: Any) -> Any:
    search = slinvit.make(SLINVITConfig(**{"proposals": "best", "k": 2, **settings}), ENV, PRIOR)
    return jax.jit(search.plan), search


def plan(place: int = 0, alpha: float = 0.0, data: Data = DATA, rows: int = 1, **settings: Any):
    """The path, the nodes, the valuations and the counters of a search, a row each."""
    call, search = planner(**settings)
    state = ENV.state_at(0, place, PARAMS)
    states = jax.tree.map(lambda x: jnp.repeat(x[None], rows, axis=0), state)
    hparams = slinvit.HParams(jnp.full(rows, alpha))
    every = jnp.ones(rows, bool)
    return call(jax.random.key(0), states, every, hparams, data, search.init())


@pytest.mark.parametrize(("alpha", "action", "score"), [(0, 1, 2), (4.9, 1, 3.47), (5.1, 0, 3.55)])
def test_one_action_ahead(alpha, action, score):
    """The prior's best two lead to 1 (worth 1, p = .5) and 2 (worth 2, p = .3); never to 3."""
    path, cost, counters = plan(depth=1, alpha=alpha)
    assert (path.action[0, 0], path.length[0]) == (action, 1)
    assert path.score[0] == pytest.approx(score)
    assert (cost.nodes[0], cost.valuations[0], counters.queries) == (2, 2, 1)
    assert counters.evaluations == 6  # the table's


def test_the_heuristic_proposes_what_the_prior_would_not():
    path, cost, _ = plan(depth=1, proposals="heuristic")
    assert (path.action[0, 0], path.score[0]) == (2, 5)
    assert (cost.nodes[0], cost.valuations[0]) == (2, 3)
    # The two kept are worth 5 and 2, with support .2 and .3.
    path, _, _ = plan(depth=1, proposals="heuristic", alpha=31.0)
    assert path.action[0, 0] == 1
    assert path.score[0] == pytest.approx(2 + 31 * 0.3)


@pytest.mark.parametrize(("alpha", "path_", "score"), [
    (0, [1, 2], 100), (1, [1, 2], 100.6), (195, [1, 2], 217), (200, [0, 2], 222),
])  # fmt: skip
def test_two_actions_ahead(alpha, path_, score):
    """Under 1: back to 2 (p .6), to 0 (p .2, before the death of equal p). Under 2: the goal alone.

    Scores: 2 + 1.1 α, 0 + .7 α, 100 + .6 α; they cross at α = 196.
    """
    path, cost, counters = plan(depth=2, alpha=alpha)
    assert path.action[0].tolist() == path_
    assert path.score[0] == pytest.approx(score, rel=1e-5)
    assert (cost.nodes[0], cost.valuations[0], counters.queries) == (2 + 2 + 1, 3, 3)


def test_the_dead_and_the_solved_have_no_children():
    """Three actions from 2, all three kept: dead, 3 and the goal, which is the only child."""
    path, cost, counters = plan(place=2, depth=3, k=3)
    assert (path.action[0, 0], path.length[0], path.score[0]) == (2, 1, 100)
    assert (cost.nodes[0], cost.valuations[0], counters.queries) == (1, 1, 1)
    # From 1: 0, dead and 2, of which 0 has three children and 2 has one.
    _, cost, counters = plan(place=1, depth=2, k=3)
    assert (cost.nodes[0], cost.valuations[0], counters.queries) == (3 + 3 + 1, 1 + 3 + 1, 3)


def test_more_children_than_actions():
    _, cost, _ = plan(depth=1, k=5)
    assert cost.nodes[0] == 3


def test_no_search_costs_nothing():
    call, search = planner(depth=2)
    states = jax.tree.map(lambda x: x[None], ENV.state_at(0, 0, PARAMS))
    none = jnp.zeros(1, bool)
    _, cost, counters = call(
        jax.random.key(0), states, none, slinvit.HParams(jnp.zeros(1)), DATA, search.init()
    )
    assert (cost.nodes[0], cost.valuations[0], counters.queries) == (0, 0, 0)


def test_draws_follow_the_prior():
    """The better of two drawn children: 3 unless both draws miss it, then 2 unless both do."""
    rows = 4_000
    path, cost, counters = plan(depth=1, proposals="draws", rows=rows)
    share = np.bincount(path.action[:, 0], minlength=3) / rows
    expected = [0.5**2, 0.8**2 - 0.5**2, 1 - 0.8**2]
    np.testing.assert_allclose(share, expected, atol=4 * (0.25 / rows) ** 0.5)
    assert (cost.nodes == 2).all()  # a duplicate is a child like others
    assert counters.queries == rows


def exact_value(place: int, length: int, gamma: float) -> float:
    """Expected return of the prior's policy from a place; the goal ends it."""
    law = law_of(ENV, PARAMS, jnp.int32(0))
    after, reward = np.asarray(law.next_state[..., 0]), np.asarray(law.reward[..., 0])
    goes_on = np.asarray(law.discount[..., 0]) * (after != GOAL)
    value = np.zeros(6)
    for _ in range(length):
        target = reward + gamma * goes_on * value[after]
        value = (np.array([*PROBS, [1 / 3] * 3]) * target).sum(1)
    return value[place]


def test_rollouts_estimate_the_prior_s_value():
    """From 0 the children are 1 and 2, the latter at a reward of 1 on the way."""
    rows, num, gamma, length = 64, 64, 0.9, 6
    settings = {"value": "rollouts", "num_rollouts": num, "rollout_length": length}
    path, cost, counters = plan(depth=1, k=1, gamma=gamma, rows=rows, place=1, **settings)
    # The only child of 1 is 2.
    expected = gamma * exact_value(2, length, gamma)
    deviation = 4 * gamma / (rows * num) ** 0.5  # returns lie in [-1, 4], and so within 4 of a mean
    assert abs(float(path.score.mean()) - expected) < 4 * deviation
    assert float(path.score.std()) > 0
    assert (cost.valuations == 1).all()
    assert rows < int(counters.queries) <= rows + rows * num * length


def test_rollouts_of_a_certain_prior_are_exact():
    """Always action 2 from everywhere: 0 to 3 to 0 ...; 1 to 2 to the goal with a reward of 4."""
    certain = prior_of(jnp.eye(3)[jnp.array([2, 2, 2, 2, 2])])
    data = Data(certain.params, PARAMS)
    settings = {"value": "rollouts", "num_rollouts": 2, "rollout_length": 3, "gamma": 0.5}
    path, cost, counters = plan(place=1, depth=1, k=1, data=data, **settings)
    # To 2 for nothing, then at once to the goal: ½ · 4. Two roll-outs of one action each.
    assert path.score[0] == pytest.approx(2.0)
    assert (cost.valuations[0], counters.queries) == (1, 1 + 2)
    # From 2 the goal is reached on the path itself, and there is no roll-out.
    path, cost, counters = plan(place=2, depth=1, k=1, data=data, **settings)
    assert path.score[0] == pytest.approx(4.0)
    assert (cost.valuations[0], counters.queries) == (0, 1)


def test_solve_stops_at_goal_and_budget():
    """From 0 by way of 2 to the goal: 5 nodes, then 1. Support leads by way of 1 and 2.

    The last row begins at the goal, where there is nothing to do.
    """
    params = ENV.params_of([tables(NEXT, REWARD), tables(NEXT, REWARD, starts=(GOAL, GOAL))])
    twice = dataclasses.replace(PRIOR, table=jnp.tile(PRIOR.table, (2, 1, 1)))
    data = Data(twice.params, params)
    search = slinvit.make(SLINVITConfig(depth=2, k=2, proposals="best"), ENV, PRIOR)
    instances, budgets = jnp.array([0, 0, 0, 0, 1]), jnp.array([0, 1, 2, 100, 100])
    hparams = slinvit.HParams(jnp.array([0, 0, 0, 1e6, 0]))
    outcome = jax.jit(search.solve)(jax.random.key(0), instances, budgets, hparams, data)
    assert outcome.solved.tolist() == [False, False, True, True, True]
    assert outcome.length.tolist() == [0, 1, 2, 3, 0]
    # 1 has two children, of which 0 has two and 2 has one.
    assert outcome.cost.nodes.tolist() == [0, 5, 5 + 1, 5 + 5 + 1, 0]


def test_solve_stops_at_death_and_the_time_limit():
    """The prior's best alone: 0, 1, 2, 3, 1, ..., for ever; or dead after three actions."""
    search = slinvit.make(SLINVITConfig(depth=1, k=1, proposals="best"), ENV, PRIOR)
    solve = jax.jit(search.solve)
    deadly = prior_of([*PROBS[:2], [0.8, 0.1, 0.1], *PROBS[3:]])
    for prior, length in ((PRIOR, 100), (deadly, 3)):
        data, alpha = Data(prior.params, PARAMS), slinvit.HParams(jnp.zeros(1))
        start = jnp.zeros(1, jnp.int32)
        outcome = solve(jax.random.key(0), start, jnp.array([1000]), alpha, data)
        assert (outcome.solved[0], outcome.length[0]) == (False, length)
        assert outcome.cost.nodes[0] == int(outcome.prior_carry.queries) == length


def test_over_devices_a_table_s_evaluations_count_once():
    search = slinvit.make(SLINVITConfig(depth=1, k=2, proposals="best"), ENV, PRIOR)
    rows = 2 * jax.device_count()
    mesh = sharding.make_mesh(rows)
    solve = sharding.over_rows(search, mesh)
    instances, budgets = jnp.zeros(rows, jnp.int32), jnp.full(rows, 1)
    key, data = sharding.place(mesh, (jax.random.key(0), DATA))
    hparams = slinvit.HParams(jnp.zeros(rows))
    counters = sharding.fetch(solve(key, instances, budgets, hparams, data)).prior_carry
    assert mesh.shape["data"] == jax.device_count() > 1
    assert (counters.queries, counters.evaluations) == (rows, 6)


def test_the_best_of_very_many_paths():
    """59,049 leaves: places of levels above are found without leaving 32 bits."""
    places = [3**depth for depth in range(1, 11)]
    levels = []
    for w in places:
        there, none = jnp.ones((w, 1), bool), jnp.zeros((w, 1))
        length, action = jnp.full((w, 1), 10), jnp.arange(w)[:, None]
        levels.append(Nodes((), there, there, length, none, none, none, action))
    score = jnp.zeros((places[-1], 1)).at[50_000, 0].set(1.0)
    path = best_path(levels, score)
    assert path.action[0].tolist() == [50_000 // 3**above for above in range(9, -1, -1)]
    assert (path.length[0], path.score[0]) == (10, 1)
