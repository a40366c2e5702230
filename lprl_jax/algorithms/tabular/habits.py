"""The habit of an environment: `HabitPrior`, fitted to what is right in training instances."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.demonstration import Demonstrated

from lprl_jax import memory
from lprl_jax.algorithms.tabular import demonstrations
from lprl_jax.algorithms.tabular.optimal_actions import optimal_actions
from lprl_jax.priors import habit
from lprl_jax.priors.habit import HabitPrior

INSTANCES = 256
"""Training instances of `of_training`."""
SEED = 1_000_003
"""Of their drawing: no experiment's bank is likely to be the same."""
BACKUPS = 1000
"""At most; then a reward of 1 is discounted to less than a float tells from 0 beside it."""
EPISODE, BATCH = 20, 32
"""States of an instance that a demonstrator comes by; instances that are played side by side."""
BYTES = 36
"""What an action of a state takes at most, with what the planner holds meanwhile: 33 measured."""


def fitted(env: TextEnv[Any, Any], env_params: TextEnvParams, name: str = "habit") -> HabitPrior:
    """The habit that is most often right, over all states of all instances of a bank.

    All states count alike from which a reward can be reached; what is right there is planned
    exactly. Where the world knows it by itself (`Demonstrated`), the states are a demonstrator's.

    Args:
        env: The environment, whose states are numbered, or that is `Demonstrated`.
        env_params: A bank of training instances.
        name: For reports.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if an instance is held out, or no reward can be reached.
    """
    habit.require_training(env, env_params)
    return _fitted(env, env_params, name)


@functools.lru_cache(maxsize=16)
def of_training(env: TextEnv[Any, Any], options: tuple[tuple[str, Any], ...] = ()) -> HabitPrior:
    """The habit of random training instances; kept, since it takes seconds to plan in all of them.

    Args:
        env: As for `fitted`.
        options: Of `env.sample_params`, by name; of `families` those count that are taught.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if it has no training instances, or no reward can be reached in them.
    """
    if not isinstance(env, Demonstrated):
        _ = env.numbered_states  # before anything is drawn
    return _fitted(env, training_instances(env, options, INSTANCES), "habit")


def training_instances(
    env: TextEnv[Any, Any],
    options: Sequence[tuple[str, Any]],
    num_instances: int,
    what: str = "a habit is fitted",
) -> TextEnvParams:
    """Random instances for training, drawn as those of a bank are.

    Args:
        env: The environment.
        options: As for `of_training`.
        num_instances: How many.
        what: Is done on them, for the message.

    Raises:
        InvalidInput: if the environment has none.
    """
    chosen = for_training(env, options)
    try:
        return env.sample_params(jax.random.key(SEED), num_instances, "train", **chosen)
    except InvalidInput as error:
        raise InvalidInput(f"{what} on training instances: {error}") from None


def for_training(env: TextEnv[Any, Any], options: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Options of `env.sample_params` by which training instances are drawn; see `of_training`."""
    chosen = dict(options)
    if families := chosen.pop("families", ()):
        taught = [name for name in families if name not in env.held_out_families]
        chosen |= {"families": tuple(taught)} if taught else {}
    return chosen


def _fitted(env: TextEnv[Any, Any], env_params: TextEnvParams, name: str) -> HabitPrior:
    """See `fitted`; of instances that are known to be for training."""
    instances = jax.tree.leaves(env_params.bank)[0].shape[0]
    if isinstance(env, Demonstrated):
        return HabitPrior(env, habit.fit(*_demonstrated(env, env_params, instances)), name)
    shape = {"instances": instances, "states": env.numbered_states, "actions": env.num_actions}
    size = BYTES * math.prod(shape.values())
    memory.require("a habit's answers", [memory.Part(tuple(shape), size)], shape)

    @jax.jit
    def answers(env_params: TextEnvParams) -> tuple[jax.Array, jax.Array]:
        """What is right, and what is legal: `bool[M, num_states, A]`."""

        def of_one(instance: jax.Array) -> tuple[jax.Array, jax.Array]:
            def legal(index: jax.Array) -> jax.Array:
                return env.action_mask(env.state_at(instance, index, env_params), env_params)

            states = jnp.arange(env.numbered_states, dtype=jnp.int32)
            right, _ = optimal_actions(env, env_params, instance, BACKUPS, env.planning_discount)
            return right, jax.vmap(legal)(states)

        return jax.lax.map(of_one, jnp.arange(instances, dtype=jnp.int32))

    right, legal = (np.asarray(x).reshape(-1, env.num_actions) for x in answers(env_params))
    return HabitPrior(env, habit.fit(right, legal), name)


def _demonstrated(
    env: Any, env_params: TextEnvParams, instances: int
) -> tuple[np.ndarray, np.ndarray]:
    """What is right, and what is legal, where a demonstrator comes by: `bool[N, A]`."""

    @jax.jit
    def answers(env_params: TextEnvParams) -> tuple[jax.Array, jax.Array]:
        def of_one(row: tuple[jax.Array, chex.PRNGKey]) -> tuple[jax.Array, jax.Array]:
            instance, key = row
            states, right = demonstrations.met(env, key, env_params, instance, EPISODE)
            return right, jax.vmap(env.action_mask, (0, None))(states, env_params)

        keys = jax.random.split(jax.random.key(SEED), instances)
        rows = jnp.arange(instances, dtype=jnp.int32), keys
        return jax.lax.map(of_one, rows, batch_size=min(BATCH, instances))

    right, legal = (np.asarray(x).reshape(-1, env.num_actions) for x in answers(env_params))
    return right, legal
