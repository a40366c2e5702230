"""How learners meet environments and priors.

Runs are an axis. What belongs to a learner has a leading axis R; environments and prior see one
flat batch of R · N rows, so that the prior is asked once for all of these.
"""

from __future__ import annotations

import dataclasses
import importlib
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import threefry

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.asking import Asker, Told
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.priors.base import Counters


class Step(NamedTuple):
    """What one step of `[R, N]` environments gives."""

    final_state: Any
    """The states reached, before any reset: what a truncated episode bootstraps from."""
    state: Any
    """The states to act in next."""
    reward: jax.Array
    """f32[R, N]"""
    terminated: jax.Array
    """bool[R, N]"""
    truncated: jax.Array
    """bool[R, N]"""


class Runs(NamedTuple):
    """Where R new learners that act begin."""

    env_state: Any
    """Leading axes R and N."""
    told: Told
    """What the prior tells of these states; leading axes R and N."""
    prior_carry: Counters
    """What it was asked for that."""
    key: chex.PRNGKey
    """[R]: to go on with."""
    key_params: chex.PRNGKey
    """[R]: for the networks' first weights."""
    run_instances: jax.Array
    """i32[R, m]: the instances that each run plays."""


def flatten(tree: Any) -> Any:
    """`[R, N, ...]` leaves to `[R * N, ...]`."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)


def unflatten(tree: Any, num_runs: int) -> Any:
    """`[R * N, ...]` leaves to `[R, N, ...]`."""
    return jax.tree.map(lambda x: x.reshape(num_runs, -1, *x.shape[1:]), tree)


def over_runs(function: Callable[..., Any], in_axes: tuple[int | None, ...]) -> Callable[..., Any]:
    """`jax.vmap` over the run axis, but of a single run as it is.

    A batch of one is no batch to XLA either, but it turns the gradients of matrix products round,
    and a network learns a tenth more slowly.
    """

    def call(*arguments: Any) -> Any:
        mapped = [(x, axis) for x, axis in zip(arguments, in_axes, strict=True) if axis is not None]
        leaf, axis = jax.tree.leaves(mapped[0][0])[0], mapped[0][1]
        if leaf.shape[axis] > 1:
            return jax.vmap(function, in_axes)(*arguments)
        own = [
            x if axis is None else jax.tree.map(lambda leaf, i=axis: jnp.squeeze(leaf, i), x)
            for x, axis in zip(arguments, in_axes, strict=True)
        ]
        return jax.tree.map(lambda leaf: leaf[None], function(*own))

    return call


def batch_params(env_params: Any, run_instances: jax.Array, num_envs: int) -> tuple[Any, Any]:
    """Parameters by which environments of run r reset to `run_instances[r]`; their vmap axes."""
    rows = jnp.repeat(run_instances, num_envs, axis=0)
    axes = dataclasses.replace(jax.tree.map(lambda _: None, env_params), instances=0)
    return dataclasses.replace(env_params, instances=rows), axes


def instances_or_all(run_instances: jax.Array | None, env_params: Any, num_runs: int) -> jax.Array:
    """`i32[R, m]`: the instances that each run plays; where they are not given, all."""
    if run_instances is not None:
        return run_instances
    every = env_params.instances
    return jnp.broadcast_to(every, (num_runs, every.shape[0]))


def reset_envs(env: Env, keys: chex.PRNGKey, env_params: Any, run_instances: jax.Array) -> Any:
    """Fresh states `[R, N]`; `keys [R, N]`, `run_instances [R, m]`."""
    params, axes = batch_params(env_params, run_instances, keys.shape[1])
    own = threefry.as_given(flatten(keys))  # a world may be anybody's
    _, state = jax.vmap(env.reset, in_axes=(0, axes))(own, params)
    return unflatten(state, keys.shape[0])


def begin(
    env: Env,
    asker: Asker,
    keys: chex.PRNGKey,
    data: Data,
    run_instances: jax.Array,
    num_envs: int,
    carry: Counters | None = None,
) -> tuple[Any, Told, Counters]:
    """Fresh states `[R, N]`, what the prior tells of them, and its carry, begun without one."""
    env_keys = jax.vmap(lambda k: jax.random.split(k, num_envs))(keys)
    env_state = reset_envs(env, env_keys, data.env_params, run_instances)
    every = jnp.ones(env_keys.shape, bool)
    carry = asker.init() if carry is None else carry
    return env_state, *ask_prior(asker, data, carry, env_state, every)


def begin_runs(
    env: Env,
    asker: Asker,
    keys: chex.PRNGKey,
    data: Data,
    run_instances: jax.Array | None,
    num_envs: int,
) -> Runs:
    """What `Algorithm.init` of a learner that acts begins with.

    Args:
        env: The environment.
        asker: Of the prior.
        keys: `[R]`, one a run.
        data: Of the prior and the environment.
        run_instances: `i32[R, m]`: the instances a run plays; None for all of
            `env_params.instances`.
        num_envs: N.
    """
    run_instances = instances_or_all(run_instances, data.env_params, keys.shape[0])
    asked = begin(env, asker, streams.of(keys, "start"), data, run_instances, num_envs)
    own = streams.of(keys, "training"), streams.of(keys, "weights")
    return Runs(*asked, *own, run_instances)


def step_envs(
    env: Env,
    keys: chex.PRNGKey,
    state: Any,
    action: jax.Array,
    env_params: Any,
    run_instances: jax.Array,
) -> Step:
    """Step `[R, N]` environments, with auto-reset."""
    params, axes = batch_params(env_params, run_instances, keys.shape[1])
    own = threefry.as_given(flatten(keys))  # a world may be anybody's
    _, state, reward, terminated, truncated, info = jax.vmap(env.step, in_axes=(0, 0, 0, axes))(
        own, flatten(state), flatten(action), params
    )
    step = Step(info["final_state"], state, reward, terminated, truncated)
    return unflatten(step, keys.shape[0])


def observe(env: Env, key: chex.PRNGKey, state: Any, env_params: Any) -> jax.Array:
    """Observations of states of any leading shape: vectors `f32[..., features]`, or indices.

    An observation that is one whole number stays what it is, `i32[...]`.
    """
    lead = state.time.shape
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[len(lead) :]), state)
    obs = jax.vmap(lambda s: env.observe(key, s, None, env_params))(rows)
    if obs.ndim == 1 and jnp.issubdtype(obs.dtype, jnp.integer):
        return obs.reshape(lead)
    return obs.reshape(*lead, -1).astype(jnp.float32)


def legal_actions(env: Env, state: Any, env_params: Any) -> jax.Array:
    """`bool[..., A]` in states of any leading shape."""
    lead = state.time.shape
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[len(lead) :]), state)
    mask = jax.vmap(env.action_mask, in_axes=(0, None))(rows, env_params)
    return mask.reshape(*lead, -1)


def ask_prior(
    asker: Asker, data: Data, carry: Counters, state: Any, needed: jax.Array
) -> tuple[Told, Counters]:
    """What the prior tells of states `[R, N]`; `needed bool[R, N]`."""
    told, carry = asker.ask(data, carry, flatten(state), needed.reshape(-1))
    return unflatten(told, needed.shape[0]), carry


def ask_prior_after(
    asker: Asker, data: Data, carry: Counters, step: Step
) -> tuple[Told, Told, Counters]:
    """What the prior tells of the final states and of the next ones: one question a step.

    The two differ only where an episode ended. Rows are interleaved (final, next), so that an
    environment's rows stay together on its device; a final state is asked unless it is terminal, a
    next state only after a reset.
    """
    done = step.terminated | step.truncated
    pairs = jax.tree.map(lambda a, b: jnp.stack([a, b], axis=2), step.final_state, step.state)
    needed = jnp.stack([~step.terminated, done], axis=2)
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[3:]), pairs)
    told, carry = asker.ask(data, carry, rows, needed.reshape(-1))
    told = jax.tree.map(lambda x: x.reshape(*done.shape, 2, *x.shape[1:]), told)
    final, reset = (jax.tree.map(lambda x, i=i: x[:, :, i], told) for i in range(2))

    def choose(reset: jax.Array, final: jax.Array) -> jax.Array:
        return jnp.where(done.reshape(*done.shape, *[1] * (final.ndim - 2)), reset, final)

    return final, jax.tree.map(choose, reset, final), carry


_PLAYING = "Policy", "play_episodes"


def __getattr__(name: str) -> Any:
    """What is in `playing` now; works until the next release."""
    if name not in _PLAYING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    playing = importlib.import_module("lprl_jax.algorithms.playing")  # which imports this module
    here = f"{__name__}.{name} is {playing.__name__}.{name} now"
    warnings.warn(f"{here}; the old name works until the next release", DeprecationWarning, 2)
    return getattr(playing, name)
