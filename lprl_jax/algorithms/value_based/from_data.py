"""What learners share that do not act: their state, and batches of their own transitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from lprl_envs import InvalidInput

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.asking import Asker
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import instances_or_all
from lprl_jax.priors.base import Counters


class LearnerState(NamedTuple):
    """Everything that changes in training; the data itself does not."""

    params: Any
    """Networks, leading axis R."""
    target_params: Any
    """Target networks, leading axis R; () where there are none."""
    opt_state: Any
    """Of Adam, leading axis R."""
    prior_carry: Counters
    """What the prior was asked here: nothing, as the dataset holds its answers."""
    key: chex.PRNGKey
    """[R]"""
    num_steps: jax.Array
    """i32[]: gradient steps a run."""
    hparams: Any
    """[R]"""
    run_instances: jax.Array
    """i32[R, m]: the instances that a run plays where it is evaluated."""
    own: jax.Array
    """i32[R]: whose transitions a run learns from, modulo the runs of the dataset."""


def require_size(dataset_size: float) -> None:
    """Raise InvalidInput unless this is a number of transitions."""
    if not (dataset_size >= 0 and float(dataset_size).is_integer()):
        raise InvalidInput(
            f"dataset_size is {dataset_size}; it must be a whole number, 0 for all transitions"
        )
    if (nearest := float(np.float32(dataset_size))) != dataset_size:
        raise InvalidInput(
            f"dataset_size is {dataset_size:.0f}; it must be a whole number that float32 holds, "
            f"such as {nearest:.0f}"
        )


def begin(
    env: Env,
    asker: Asker,
    new: Callable[[chex.PRNGKey, Any], Any],
    optimizer: optax.GradientTransformation,
    keys: chex.PRNGKey,
    hparams: Any,
    data: Data,
    run_instances: jax.Array | None,
) -> LearnerState:
    """Fresh runs.

    Args:
        env: The environment.
        asker: Of the prior.
        new: `(key, some state) -> params` of one run's network.
        optimizer: Of the network.
        keys: `[R]`, one a run.
        hparams: `[R]`.
        data: Of the prior and the environment; the dataset may be missing.
        run_instances: `i32[R, m]`; default, all of `env_params.instances`.
    """
    num_runs = keys.shape[0]
    _, some_state = env.reset(streams.of(keys[0], "start"), data.env_params)
    params = jax.vmap(lambda k: new(k, some_state))(streams.of(keys, "weights"))
    return LearnerState(
        params=params,
        target_params=(),
        opt_state=jax.vmap(optimizer.init)(params),
        prior_carry=asker.init(),
        key=streams.of(keys, "training"),
        num_steps=jnp.int32(0),
        hparams=hparams,
        run_instances=instances_or_all(run_instances, data.env_params, num_runs),
        own=jnp.arange(num_runs, dtype=jnp.int32),
    )


def restart(state: Any, data: Data, run_instances: jax.Array | None = None) -> Any:
    """The same learners, to be evaluated in another bank."""
    num_runs = state.own.shape[0]
    return state._replace(run_instances=instances_or_all(run_instances, data.env_params, num_runs))


def sample(
    dataset: Any, own: jax.Array, size: jax.Array, key: chex.PRNGKey, batch_size: int
) -> Any:
    """A batch of one run's own transitions, uniformly, with replacement.

    Args:
        dataset: Pytree of `[runs, T, ...]` arrays.
        own: i32[]: whose transitions; modulo the runs.
        size: f32[]: of the first so many; 0 for all T.
        key: Of the draw.
        batch_size: B.

    Returns:
        The same pytree, `[B, ...]`.
    """
    num_runs, most = jax.tree.leaves(dataset)[0].shape[:2]
    first = jnp.where(size > 0, jnp.minimum(size, most), most).astype(jnp.int32)
    index = jax.random.randint(key, (batch_size,), 0, first, dtype=jnp.int32)
    return jax.tree.map(lambda leaf: leaf[own % num_runs, index], dataset)
