"""The tasks that the embedded model learns, environment by environment.

A further environment joins by a further entry in `TASKS`.
"""

from __future__ import annotations

import dataclasses

import chex
import jax
import jax.numpy as jnp
from lprl_envs import FrozenLake, TextEnvParams

from lprl_jax.lm.tasks import ActionTask, Task, planned


def _frozen_lake(size: str, is_slippery: bool, instances: int) -> ActionTask:
    env = FrozenLake(size, is_slippery=is_slippery)

    def sample(key: chex.PRNGKey, num_instances: int, split: str) -> TextEnvParams:
        """Half of the maps from corner to corner, half with start and goal anywhere."""
        key_corner, key_anywhere = jax.random.split(key)
        half = num_instances // 2
        corner = env.sample_params(key_corner, num_instances - half, split)
        anywhere = env.sample_params(key_anywhere, half, split, goal="anywhere")
        maps = jax.tree.map(lambda *x: jnp.concatenate(x), corner.bank, anywhere.bank)
        return dataclasses.replace(corner, bank=maps, instances=jnp.arange(num_instances))

    ice = "slippery" if is_slippery else "firm"
    discount, horizon = (0.99, 200) if is_slippery else (0.97, env.numbered_states)
    draw = planned(env, horizon, discount)
    return ActionTask(f"FrozenLake {size}, {ice}", env, sample, draw, instances, 16)


TASKS: tuple[Task, ...] = (
    _frozen_lake("8x8", False, 20),
    _frozen_lake("8x8", True, 10),
    _frozen_lake("4x4", False, 6),
    _frozen_lake("4x4", True, 4),
)
