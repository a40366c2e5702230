"""What policies of `gflan.py` come to on maps: exact, by dynamic programming on the maps' law."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import FrozenLake
from lprl_envs.frozen_lake.env import EnvParams

from lprl_jax import Data
from lprl_jax.algorithms.policy_based.actor_critic import ActorCritic
from lprl_jax.algorithms.tabular import value_iteration
from lprl_jax.results import statistics
from lprl_jax.results.statistics import Interval

LAKE = FrozenLake("4x4", is_slippery=False)


class Played(NamedTuple):
    """What a policy does on M maps, `f64[R, M]`, exact."""

    success: np.ndarray
    """Actions drawn."""
    greedy: np.ndarray
    """The likeliest actions."""
    kl: np.ndarray
    """KL(π ‖ p) from the frozen start, summed over an episode of drawn actions."""
    length: np.ndarray
    """Its steps."""


def every_state(params: EnvParams) -> Any:
    """`[M * S]`"""
    count = params.instances.shape[0]
    instance = jnp.repeat(jnp.arange(count, dtype=jnp.int32), LAKE.num_states)
    index = jnp.tile(jnp.arange(LAKE.num_states, dtype=jnp.int32), count)
    return jax.vmap(lambda i, s: LAKE.state_at(i, s, params))(instance, index)


@functools.partial(jax.jit, static_argnums=0)
def log_probs_of(actor: ActorCritic, params: Any, data: Data) -> jax.Array:
    """`f32[R, M, S, A]` of runs' parameters, everywhere in a bank."""
    states = every_state(data.env_params)

    def one(params: Any) -> jax.Array:
        context = actor.prepare(params, data.env_params.instances, data)
        judged = actor.apply(params, context, actor.read(states, data), data)
        return judged.log_probs.reshape(-1, LAKE.num_states, LAKE.num_actions)

    return jax.lax.map(one, params)


@jax.jit
def play(log_policy: jax.Array, log_prior: jax.Array, params: EnvParams) -> Played:
    """What policies `[R, M, S, A]` come to on the maps, by their law."""
    horizon = 100

    def on_map(policy: jax.Array, prior: jax.Array, instance: jax.Array) -> Played:
        law = value_iteration.law_of(LAKE, params, instance)
        start = LAKE.initial_state(jax.random.key(0), instance, params).position

        def gain(policy: jax.Array, law: Any) -> Any:
            always = jnp.broadcast_to(policy, (horizon, *policy.shape))
            return jax.tree.map(lambda x: x[0, start], value_iteration.gain_of(law, always, prior))

        steps = law._replace(reward=jnp.ones_like(law.reward))
        likeliest = jnp.log(jax.nn.one_hot(jnp.argmax(policy, axis=-1), policy.shape[-1]))
        drawn = gain(policy, law)
        return Played(drawn.total, gain(likeliest, law).total, drawn.kl, gain(policy, steps).total)

    over_maps = jax.vmap(on_map)
    return jax.lax.map(lambda policy: over_maps(policy, log_prior, params.instances), log_policy)


def summary(played: Played, frozen: Played) -> dict[str, Any]:
    """Over runs: IQM with interval; the gain also over maps, for the runs' maps are the same."""
    gains = np.mean(played.success - frozen.success, axis=0)
    return {
        "success": interval(played.success.mean(1)),
        "greedy": interval(played.greedy.mean(1)),
        "gain over maps": as_list(statistics.bootstrap_interval(gains, np.mean)),
        "kl a step": interval(played.kl.sum(1) / played.length.sum(1)),
    }


def interval(scores: np.ndarray) -> list[float | None]:
    """IQM, and its 95 % bootstrap interval."""
    return as_list(statistics.bootstrap_interval(scores))


def as_list(found: Interval) -> list[float | None]:
    """For JSON."""
    return found.rounded()


def on_own_maps(
    actor: ActorCritic, params: Any, data: Data, log_prior: jax.Array, instances: jax.Array
) -> np.ndarray:
    """Success of each run on the maps it was trained on, `[R]`."""
    played = jax.device_get(play(log_probs_of(actor, params, data), log_prior, data.env_params))
    return np.take_along_axis(played.success, np.asarray(instances), axis=1).mean(1)
