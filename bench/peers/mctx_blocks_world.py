"""mctx's Gumbel MuZero on Blocks World: `mctx_blocks_world.py --simulations S`.

For an interpreter that has it beside our package:

    pip install -e . mctx==0.0.71 jax==0.10.2 jaxlib==0.10.2

The model is our environment's law, by the functions with which SLINVIT searches it, so that a tree
has as many branches as there are moves (5 with five blocks, not 50 actions). A solved state's
discount is 0, and its reward, 1, is what the heuristic is worth there on the scale of all values.
The prior's logits are the heuristic after each move, or with `--prior uniform` the same for each.
There is no noise at the root, as mctx advises where all is known; with it less is solved.

Whole instances are played: a lane searches, acts, and takes the next instance when its own is done.
It is one program over all devices, a share of the instances each. How many lanes a device has is
found before the clock starts, and so is whether XLA's wide vectors, which ours is compiled with,
are faster. It takes turns (`turns.serve`), all instances a turn.

What says how the model is and how it is played needs no mctx; `gumbel` does.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
from jax.sharding import AxisType, PartitionSpec
from lprl_envs.blocks_world.search import SOLVED

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import turns

BLOCKS = 5
SUITE = "planbench"
PRIORS = ("heuristic", "uniform")
VERSIONS = ("mctx", "jax", "jaxlib")
AXIS = "devices"
LANES = (64, 128, 256, 512, 1024)
"""Of a device: what is tried. With more of them more wait for the deepest tree of a simulation."""
TRIAL = 28
"""Copies of the suite that are played to find the settings."""
WIDE = {"xla_cpu_prefer_vector_width": 512}
"""As `lprl_jax.experiments.sharding` has it."""


class Settings(NamedTuple):
    """What is found before the clock starts."""

    lanes: int
    """Of a device."""
    is_wide: bool
    """Whether XLA's vectors are."""


class Node(NamedTuple):
    """What a search is told of B states."""

    logits: jax.Array
    """f32[B, n]: of each move; the lowest number where there is none."""
    value: jax.Array
    """f32[B]: the heuristic, on a scale on which a solved state is worth 1."""


class Edge(NamedTuple):
    """What a search is told of B moves."""

    reward: jax.Array
    """f32[B]: the environment's."""
    discount: jax.Array
    """f32[B]: 0 where the episode ends."""


class Found(NamedTuple):
    """What came of M instances."""

    solved: jax.Array
    """bool[M]: within the budget."""
    length: jax.Array
    """i32[M]: actions, and so searches."""


Model = Callable[[Any, Any], Node]
"""`(params, states [B]) -> node`"""
Decide = Callable[[Any, jax.Array, Any], jax.Array]
"""`(params, key, states [B]) -> moves i32[B]`"""


def model(env: Any, prior: str) -> Model:
    """What is said of states, with one of PRIORS."""

    def of_one(state: Any, params: Any) -> Node:
        after, _ = env.look_ahead(state, params)
        logits = after if prior == "heuristic" else jnp.zeros_like(after)
        lowest = jnp.finfo(jnp.float32).min
        logits = jnp.where(after > -jnp.inf, logits, lowest)
        return Node(logits, env.heuristic(state, params) / SOLVED)

    return lambda params, states: jax.vmap(of_one, in_axes=(0, None))(states, params)


def move(env: Any, params: Any, states: Any, place: jax.Array) -> tuple[Edge, Any]:
    """The law: what the moves `place [B]` are worth, and the states `[B]` that they lead to."""
    found = jax.vmap(env.successor, in_axes=(0, 0, None))(states, place, params)
    return Edge(found.reward, jnp.where(found.is_over, 0.0, 1.0)), found.state


def gumbel(env: Any, simulations: int, prior: str) -> Decide:
    """What mctx does, without noise at the root."""
    import mctx  # pyright: ignore[reportMissingImports]

    look = model(env, prior)

    def recurrent(params: Any, key: jax.Array, place: jax.Array, states: Any) -> tuple[Any, Any]:
        edge, after = move(env, params, states, place)
        node = look(params, after)
        told = mctx.RecurrentFnOutput(
            reward=edge.reward,
            discount=edge.discount,
            prior_logits=node.logits,
            value=node.value,
        )
        return told, after

    def decide(params: Any, key: jax.Array, states: Any) -> jax.Array:
        node = look(params, states)
        root = mctx.RootFnOutput(prior_logits=node.logits, value=node.value, embedding=states)
        none = node.logits == jnp.finfo(jnp.float32).min
        found = mctx.gumbel_muzero_policy(
            params, key, root, recurrent, simulations, none, gumbel_scale=0.0
        )
        return found.action

    return decide


def play(
    env: Any,
    decide: Decide,
    lanes: int,
    key: jax.Array,
    instances: jax.Array,
    budgets: jax.Array,
    params: Any,
) -> Found:
    """Play instances `[M]` to their budgets `[M]`, so many at the same time.

    An instance is not solved at its start, and has a budget above 0.
    """
    count = len(instances)
    budgets = jnp.minimum(budgets, params.max_steps_in_episode)
    begin = jax.vmap(env.initial_state, in_axes=(None, 0, None))

    def turn(loop: tuple[Any, ...]) -> tuple[Any, ...]:
        key, row, states, length, waiting, found = loop
        key, own = jax.random.split(key)
        edge, states = move(env, params, states, decide(params, own, states))
        length += 1
        solved = edge.discount == 0
        done = (row < count) & (solved | (length >= budgets.at[row].get(mode="clip")))
        ended = jnp.where(done, row, count)
        found = jax.tree.map(
            lambda x, y: x.at[ended].set(y, mode="drop"), found, Found(solved, length)
        )
        row = jnp.where(done, waiting + jnp.cumsum(done, dtype=jnp.int32) - 1, row)
        fresh = begin(key, instances.at[row].get(mode="clip"), params)

        def renew(x: jax.Array, y: jax.Array) -> jax.Array:
            return jnp.where(done.reshape(-1, *[1] * (x.ndim - 1)), x, y)

        states, length = jax.tree.map(renew, fresh, states), jnp.where(done, 0, length)
        waiting += jnp.sum(done, dtype=jnp.int32)
        return key, jnp.minimum(row, count), states, length, waiting, found

    row = jnp.minimum(jnp.arange(lanes, dtype=jnp.int32), count)
    states = begin(key, instances.at[row].get(mode="clip"), params)
    none = jnp.zeros(count, jnp.int32)
    start = key, row, states, jnp.zeros(lanes, jnp.int32), jnp.int32(lanes), Found(none > 0, none)
    return jax.lax.while_loop(lambda loop: jnp.any(loop[1] < count), turn, start)[-1]


def over_devices(env: Any, decide: Decide, lanes: int, count: int) -> Any:
    """`(key, instances, budgets, params) -> found`, jitted: a share of `count` rows a device."""
    devices = max(n for n in range(1, jax.device_count() + 1) if count % n == 0)
    used = jax.devices()[:devices]
    mesh = jax.make_mesh((devices,), (AXIS,), (AxisType.Auto,), devices=used)

    def share(*given: Any) -> Found:
        return play(env, decide, lanes, *given)

    everywhere, rows = PartitionSpec(), PartitionSpec(AXIS)
    placed = everywhere, rows, rows, everywhere
    return jax.jit(
        jax.shard_map(share, mesh=mesh, in_specs=placed, out_specs=rows, check_vma=False)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="mctx's Gumbel MuZero on Blocks World.")
    parser.add_argument("--simulations", type=int, required=True, help="of a decision")
    parser.add_argument("--prior", choices=PRIORS, default=PRIORS[0])
    parser.add_argument("--copies", type=int, default=1, help="of the suite")
    options = parser.parse_args()
    env = lprl_envs.BlocksWorld(BLOCKS)
    params = env.suite(SUITE)
    decide = gumbel(env, options.simulations, options.prior)

    def program(settings: Settings, copies: int) -> tuple[Callable[[], Found], float]:
        """A call that plays so many copies of the suite, and the seconds of its compilation."""
        instances = jnp.tile(params.instances, copies)
        budgets = jnp.tile(env.shortest_plans(SUITE) + 1, copies)
        given = jax.random.key(0), instances, budgets, params
        start = time.perf_counter()
        jitted = over_devices(env, decide, settings.lanes, len(instances))
        compiled = jitted.lower(*given).compile(compiler_options=WIDE if settings.is_wide else None)
        compiling = time.perf_counter() - start
        return lambda: jax.block_until_ready(compiled(*given)), compiling

    def seconds(settings: Settings) -> float:
        """Of the best of three, of a part of the work."""
        call, _ = program(settings, min(TRIAL, options.copies))
        call()
        return min(turns.seconds_of(call) for _ in range(3))

    best = fastest([Settings(lanes, False) for lanes in LANES], seconds)
    call, compiling = program(best, options.copies)
    found = call()
    decisions = int(np.sum(found.length))
    turns.serve(
        call,
        compile_seconds=compiling,
        nodes=options.simulations * decisions,
        decisions=decisions,
        instances=len(found.solved),
        solved=float(np.mean(found.solved)),
        settings=best._asdict(),
        versions={name: importlib.metadata.version(name) for name in VERSIONS},
    )


def fastest(settings: Sequence[Settings], seconds: Callable[[Settings], float]) -> Settings:
    """Of these the one that takes the least, or that with wide vectors if it takes less."""
    taken = {one: seconds(one) for one in settings}
    best = min(taken, key=lambda one: taken[one])
    wide = best._replace(is_wide=True)
    return wide if seconds(wide) < taken[best] else best


if __name__ == "__main__":
    main()
