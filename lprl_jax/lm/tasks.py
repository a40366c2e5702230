"""What the embedded model is trained on: a list of tasks, one entry an environment.

A task is an environment, a way to draw instances that may be trained on, and the discount at which
its demonstrator plans. A further environment joins by a further entry in `TASKS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import FrozenLake, TextEnv, TextEnvParams

from lprl_jax.algorithms.value_iteration import law_of, plan


@dataclasses.dataclass(frozen=True)
class Task:
    """One environment to learn."""

    name: str
    """For reports."""
    env: TextEnv[Any, Any]
    """Writes the texts; states are drawn from its finite state space."""
    sample: Callable[[chex.PRNGKey, int, str], TextEnvParams]
    """`(key, num_instances, split)` to a bank of that split."""
    instances: int
    """Instances a training step."""
    discount: float
    """Of the demonstrator's planner; below 1, so that shorter is better."""
    horizon: int
    """Backups of the demonstrator's planner."""


def demonstrator(task: Task, params: TextEnvParams, instance: jax.Array) -> jax.Array:
    """`bool[S, A]`: the optimal actions, ties included; none where no reward can be reached."""
    q = plan(law_of(task.env, params, instance), task.horizon, task.discount)
    best = jnp.max(q, axis=-1, keepdims=True)
    return (q >= best - 1e-4 * jnp.abs(best)) & (best > 1e-6)


def askable(task: Task, params: TextEnvParams, instance: jax.Array) -> jax.Array:
    """`bool[S]`: the states in which an action is due, that is those that are not terminal."""
    states = jnp.arange(task.env.numbered_states)
    return ~jax.vmap(
        lambda i: task.env.is_terminated(task.env.state_at(instance, i, params), params)
    )(states)


def _frozen_lake(size: str, is_slippery: bool, instances: int) -> Task:
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
    return Task(f"FrozenLake {size}, {ice}", env, sample, instances, discount, horizon)


TASKS = (
    _frozen_lake("8x8", False, 20),
    _frozen_lake("8x8", True, 10),
    _frozen_lake("4x4", False, 6),
    _frozen_lake("4x4", True, 4),
)
