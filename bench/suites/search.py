"""Nodes a second of SLINVIT's search, beside the same search in vectorised NumPy.

PlanBench's 602 instances, 112 times over: 67,424 rows of one program, over all devices, as `lprl
plan` has them, here with 512 lanes each. Each row is searched until it is solved or has made one
action more than its shortest plan has. The heuristic proposes, so that no model's speed is in the
figures. NumPy runs on one core. Both sides find the same before they are timed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from lprl_envs.blocks_world.text import by_colour
from peers import numpy_slinvit
from tools.timing import REPEATS, Contender, Measured, compiled, race, ratio, rows

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.search import slinvit
from lprl_jax.algorithms.search.slinvit_config import SLINVITConfig
from lprl_jax.experiments import sharding
from lprl_jax.lm.partition import DATA

BLOCKS = 5
SUITE = "planbench"
COPIES = 112
"""Of the suite."""
LANES = 512
"""A device's; of 128 to 1,024 the best here."""
POINTS = ((2, 3), (1, 2), (3, 2), (3, 5))
"""Depth and k: the paper's, and others."""


def bank(copies: int = COPIES) -> tuple[Any, Data, jax.Array, jax.Array]:
    """The environment, its bank, and of every row its instance and its budget."""
    env = lprl_envs.BlocksWorld(BLOCKS)
    params = env.suite(SUITE)
    budgets = jnp.tile(env.shortest_plans(SUITE) + 1, copies)
    return env, Data((), params), jnp.tile(params.instances, copies), budgets


def ours(depth: int, k: int, copies: int = COPIES) -> tuple[Contender, Any]:
    """A contender, and what it finds: solved, length, nodes."""
    env, data, instances, budgets = bank(copies)
    config = SLINVITConfig(depth=depth, k=k, proposals="heuristic", alpha=0.0, lanes=LANES)
    mesh = sharding.make_mesh(instances.size)
    solve = sharding.over_rows(slinvit.make(config, env), mesh)
    rows = instances, budgets, config.hparams(instances.size)
    rows = jax.device_put(rows, NamedSharding(mesh, PartitionSpec(DATA)))
    key, data = sharding.place(mesh, (jax.random.key(0), data))
    call = compiled(solve, key, *rows, data, amount=1, unit="nodes/s")
    found = call.call()
    return call, (found.solved, found.length, found.cost.nodes)


def numpys(depth: int, k: int, copies: int = COPIES) -> tuple[Contender, Any]:
    """The same of the peer."""
    _, data, instances, budgets = bank(copies)
    problems = data.env_params.bank
    on, goal = (np.asarray(x, np.int64)[instances] for x in (problems.on, problems.goal))
    given = on, goal, np.asarray(budgets), np.array(by_colour(BLOCKS)), depth, k
    contender = Contender(lambda: numpy_slinvit.solve(*given), 1, "nodes/s")
    return contender, contender.call()


def contenders(depth: int, k: int, copies: int = COPIES) -> dict[str, Contender]:
    """Both sides at a point, by their names' endings, once they are seen to find the same."""
    (call, found), (peer, expected) = ours(depth, k, copies), numpys(depth, k, copies)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    work = int(np.sum(expected[2]))
    note = f"depth {depth}, k = {k}, {len(expected[0]):,} instances, {work:,} nodes; "
    note += f"{jax.device_count()} devices"
    return {
        name: dataclasses.replace(contender, amount=work, note=note)
        for name, contender in (("slinvit", call), ("numpy", peer))
    }


def measure(points: Sequence[tuple[int, int]], copies: int, repeats: int) -> Measured:
    """Rows and ratios; the first point's have no suffix."""
    found, ratios = [], {}
    for i, (depth, k) in enumerate(points):
        suffix = f"/N{depth}_k{k}" * (i > 0)
        sides = contenders(depth, k, copies)
        seconds = race(sides, repeats)
        ratios[f"search/slinvit_vs_numpy{suffix}"] = ratio(sides, seconds, "slinvit", "numpy")
        found += [
            dataclasses.replace(row, name=f"search/{row.name}{suffix}")
            for row in rows(sides, seconds)
        ]
    return found, ratios


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    return measure(POINTS[:2] if quick else POINTS, COPIES, REPEATS)
