"""Which states a prior is asked about to find out what it knows, and what is right there.

All states count from which a reward can be reached, in every instance alike. Where an instance has
more of them than are to be asked about, some are drawn.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.algorithms.tabular.habits import BACKUPS
from lprl_jax.algorithms.tabular.optimal_actions import optimal_actions
from lprl_jax.priors.base import Prior

STATES = 64
"""Of an instance, at most: all of a map of 8 x 8."""


class Exam(NamedTuple):
    """S states of each of M instances."""

    states: Any
    """`[M, S]` leaves."""
    right: jax.Array
    """bool[M, S, A]; none in a row that only fills up, which is not asked about."""
    legal: jax.Array
    """bool[M, S, A]"""

    @property
    def asked(self) -> jax.Array:
        """bool[M, S]"""
        return jnp.any(self.right, axis=-1)


def draw(
    env: TextEnv[Any, Any], env_params: TextEnvParams, key: chex.PRNGKey, num_states: int = STATES
) -> Exam:
    """An exam in every instance of a bank; what is right is planned exactly.

    Args:
        env: The environment.
        env_params: The bank.
        key: By which states are drawn.
        num_states: S; where an instance has no more to ask about, these are all of them.

    Raises:
        NotNumbered: if the environment has too many states.
    """
    return _draw(env, min(num_states, env.numbered_states), env_params, key)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _draw(env: TextEnv[Any, Any], num: int, env_params: TextEnvParams, key: chex.PRNGKey) -> Exam:
    def of_one(given: tuple[jax.Array, chex.PRNGKey]) -> Exam:
        instance, key = given
        right, _ = optimal_actions(env, env_params, instance, BACKUPS, env.planning_discount)
        asked = jnp.any(right, axis=-1)
        lots = jnp.where(asked, jax.random.uniform(key, asked.shape), -1.0)
        lots, index = jax.lax.top_k(lots, num)
        # What fills up is a state that is asked about too, if there is any.
        index = jnp.where(lots >= 0, index, index[0])
        states = jax.vmap(lambda i: env.state_at(instance, i, env_params))(index)
        legal = jax.vmap(env.action_mask, in_axes=(0, None))(states, env_params)
        return Exam(states, right[index] & (lots >= 0)[:, None], legal)

    instances = jnp.arange(jax.tree.leaves(env_params.bank)[0].shape[0], dtype=jnp.int32)
    return jax.lax.map(of_one, (instances, jax.random.split(key, len(instances))))


class Examiner:
    """Asks a prior, of whichever bank; compiled once for banks of one size."""

    def __init__(self, prior: Prior):
        def answers(params: Any, exam: Exam, env_params: Any) -> jax.Array:
            rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), exam.states)
            asked = params, prior.init(), rows, env_params, exam.asked.reshape(-1)
            return prior.log_probs(*asked)[0].reshape(exam.right.shape)

        self._answers = jax.jit(answers)

    def ask(self, params: Any, exam: Exam, env_params: TextEnvParams) -> jax.Array:
        """Log-probabilities `f32[M, S, A]`; rows that are not asked mean nothing.

        Args:
            params: The prior's, for this bank.
            exam: Of this bank.
            env_params: The bank.
        """
        return self._answers(params, exam, env_params)
