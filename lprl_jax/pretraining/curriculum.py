"""The tasks that the embedded model learns, environment by environment.

A further environment joins by a further entry in `TASKS`.
"""

from __future__ import annotations

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import (
    BlocksWorld,
    CubeStacking,
    FrozenLake,
    ImageCompletion,
    ObjectArrangement,
    TextEnvParams,
)
from lprl_envs.patterns.env import PatternEnv

from lprl_jax.pretraining.tasks import ActionTask, CompletionTask, Draw, Population, Task, planned


def _frozen_lake(size: str, is_slippery: bool, instances: int) -> ActionTask:
    env = FrozenLake(size, is_slippery=is_slippery)

    def sample(key: chex.PRNGKey, num_instances: int, split: str) -> TextEnvParams:
        """Half of the maps from corner to corner, half with start and goal anywhere."""
        key_corner, key_anywhere = jax.random.split(key)
        half = num_instances // 2
        corner = env.sample_params(key_corner, num_instances - half, split)
        anywhere = env.sample_params(key_anywhere, half, split, goal="anywhere")
        maps = jax.tree.map(lambda *x: jnp.concatenate(x), corner.bank, anywhere.bank)
        return corner.with_bank(maps)

    ice = "slippery" if is_slippery else "firm"
    discount, horizon = (0.99, 200) if is_slippery else (0.97, env.numbered_states)
    draw = planned(env, horizon, discount)
    anywhere = functools.partial(env.sample_params, goal="anywhere")
    populations = (
        Population("corner to corner", env.sample_params),
        Population("start and goal anywhere", anywhere),
    )
    name = f"FrozenLake {size}, {ice}"
    return ActionTask(name, env, sample, draw, instances, 16, populations=populations)


def _blocks_world(num_blocks: int, instances: int, states: int) -> ActionTask:
    env = BlocksWorld(num_blocks)
    # The longest of shortest plans has four steps a block, but for the first.
    horizon, discount = 4 * num_blocks, 0.9
    return ActionTask(
        f"BlocksWorld {num_blocks}",
        env,
        env.sample_params,
        planned(env, horizon, discount, fade=0.85),
        instances,
        states,
        noise=0.1,
        exam=planned(env, horizon, discount),
        populations=(Population("random goals", env.sample_params),),
    )


def _cubes(num_cubes: int, instances: int) -> tuple[Task, Task]:
    env = CubeStacking(num_cubes)
    draw = planned(env, 2 * num_cubes, 0.9)
    name, shape = f"CubeStacking {num_cubes}", (env, env.sample_params, draw, instances, 8)
    return ActionTask(name, *shape), CompletionTask(f"{name}, whole", *shape)


def _pattern(env: PatternEnv[Any], name: str, instances: int, draw: Draw) -> tuple[Task, Task]:
    name, shape = f"{name} {env.size}", (env, env.sample_params, draw, instances)
    return ActionTask(name, *shape, 4), CompletionTask(f"{name}, whole", *shape, 2)


def _shown_at_random(env: PatternEnv[Any]) -> Draw:
    """A random part of the pattern is shown, and a random cell is asked about."""

    def draw(
        key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int
    ) -> tuple[Any, jax.Array]:
        key_part, key_shown, key_cell = jax.random.split(key, 3)
        part = jax.random.uniform(key_part, (num, 1))
        pattern = params.bank.cells[instance][None]
        shown = pattern & (jax.random.uniform(key_shown, (num, env.num_cells)) < part)
        cell = jax.random.randint(key_cell, (num,), 0, env.num_cells)
        return _ask(env, instance, pattern, shown, cell)

    return draw


def _shown_by_scan(env: PatternEnv[Any]) -> Draw:
    """Half of the states are those of a scan that has missed nothing so far."""

    def draw(
        key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int
    ) -> tuple[Any, jax.Array]:
        key_random, key_scan = jax.random.split(key)
        pattern = params.bank.cells[instance][None]
        cell = jax.random.randint(key_scan, (num // 2,), 0, env.num_cells)
        shown = pattern & (jnp.arange(env.num_cells)[None] < cell[:, None])
        scanned = _ask(env, instance, pattern, shown, cell)
        anyhow = _shown_at_random(env)(key_random, params, instance, num - num // 2)
        return jax.tree.map(lambda *x: jnp.concatenate(x), scanned, anyhow)

    return draw


def _ask(
    env: PatternEnv[Any], instance: jax.Array, pattern: jax.Array, shown: jax.Array, cell: jax.Array
) -> tuple[Any, jax.Array]:
    """States that show these cells `[S, H * W]`; right is to act where the pattern lacks a cell."""
    states = jax.vmap(lambda cells, c: env.state_of(instance, cells, c))(shown, cell)
    missing = jnp.take_along_axis(pattern & ~shown, cell[:, None], axis=1)[:, 0]
    over = jnp.all(shown == pattern, axis=1)
    return states, jnp.stack([~missing, missing], axis=1) & ~over[:, None]


_IMAGE, _OBJECTS = ImageCompletion("10x10"), ObjectArrangement("5x5")

TASKS: tuple[Task, ...] = (
    _frozen_lake("8x8", False, 14),
    _frozen_lake("8x8", True, 8),
    _frozen_lake("4x4", False, 4),
    _frozen_lake("4x4", True, 4),
    _blocks_world(4, 10, 16),
    _blocks_world(5, 22, 16),
    *_cubes(8, 6),
    *_cubes(11, 3),
    *_pattern(_IMAGE, "ImageCompletion", 3, _shown_by_scan(_IMAGE)),
    *_pattern(_OBJECTS, "ObjectArrangement", 6, _shown_at_random(_OBJECTS)),
)
