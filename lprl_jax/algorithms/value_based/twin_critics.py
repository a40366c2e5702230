"""Two critics of points in a box, and transitions as they read them.

An action is a point of [-1, 1]^d wherever networks meet it; the environment's box is stretched over
that cube.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs.actions import bounds

from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.networks import ReluNetwork
from lprl_jax.algorithms.value_based import from_replay
from lprl_jax.algorithms.value_based.from_replay import Transition


class Batch(NamedTuple):
    """Transitions as networks read them, `[B, ...]`."""

    obs: jax.Array
    """f32[B, F]"""
    action: jax.Array
    """f32[B, d], in [-1, 1]^d"""
    reward: jax.Array
    """f32[B]"""
    discount: jax.Array
    """f32[B]: 0 where the episode terminated."""
    next_obs: jax.Array
    """f32[B, F]"""


class Critics(NamedTuple):
    """The function that both critics' parameters, leading axis 2, belong to."""

    network: ReluNetwork
    """Of an observation and an action behind it, to one value."""

    def init(self, key: chex.PRNGKey, obs: jax.Array, action: jax.Array) -> Any:
        """Parameters, leading axis 2, for observations and actions like these `[B, ...]`."""
        keys, inputs = jax.random.split(key), _joined(obs, action)
        return jax.vmap(self.network.init, (0, None))(keys, inputs)

    def values(self, params: Any, obs: jax.Array, action: jax.Array) -> jax.Array:
        """`f32[B, 2]`"""
        q: Any = jax.vmap(self.network.apply, (0, None), 1)(params, _joined(obs, action))
        return q[..., 0]


def read(env: Env, batch: Transition, gamma: jax.Array, data: Data) -> Batch:
    """Transitions `[B]` of one run; `gamma f32[]`."""
    see = functools.partial(from_replay.observe_as_vectors, env, env_params=data.env_params)
    return Batch(
        obs=see(batch.state),
        action=bounds(env, data.env_params).to_unit(batch.action),
        reward=batch.reward,
        discount=gamma * (1.0 - batch.terminated),
        next_obs=see(batch.next_state),
    )


def _joined(obs: jax.Array, action: jax.Array) -> jax.Array:
    return jnp.concatenate([obs, action], axis=-1)
