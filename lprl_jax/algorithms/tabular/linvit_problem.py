"""What LINVIT plays: the instances of a bank, and a prior for each of their states, as tables."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms.arguments import is_concrete
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.tabular.value_iteration import Law, law_of
from lprl_jax.priors.base import Counters, Prior

STARTS = 1_024
"""Resets from which the distribution of first states is taken."""


class Problem(NamedTuple):
    """What one run plays. Of its law, the learner reads rewards and legal actions alone."""

    law: Law
    """S states, A actions, K outcomes."""
    start: jax.Array
    """f32[S]: probability of beginning there."""
    log_prior: jax.Array
    """f32[S, A]: log-probabilities; -inf for illegal actions."""
    ended: jax.Array
    """bool[S]: where an episode has terminated, and nothing more is to be had."""


def problem_of(law: Law, start: jax.Array, log_prior: jax.Array) -> Problem:
    """An instance with its prior."""
    ends = (law.prob > 0) & (law.discount == 0)
    ended = jnp.zeros(law.legal.shape[0], bool).at[law.next_state].max(ends)
    return Problem(law, start, log_prior, ended)


def of_bank(env: Env, prior: Prior, data: Data) -> tuple[Problem, Counters]:
    """Every instance `[M]`; the prior is asked about every state that is not terminal.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if a reward lies outside of [0, 1].
    """
    found, carry = _of_bank(env, prior, data)
    if is_concrete(found.law):  # of shapes alone nothing is known
        _require_rewards(found.law)
    return found, carry


def _require_rewards(law: Law) -> None:
    possible = law.reward[(law.prob > 0) & law.legal[..., None]]
    low, high = float(possible.min()), float(possible.max())
    if low < 0 or high > 1:
        raise InvalidInput(f"rewards lie in [{low:g}, {high:g}]; LINVIT needs them in [0, 1]")


@functools.partial(jax.jit, static_argnums=(0, 1))
def _of_bank(env: Env, prior: Prior, data: Data) -> tuple[Problem, Counters]:
    params, num_states = data.env_params, env.numbered_states
    instances = jnp.arange(jax.tree.leaves(params.bank)[0].shape[0], dtype=jnp.int32)

    def start(instance: jax.Array) -> jax.Array:
        keys = jax.random.split(jax.random.key(0), STARTS)
        states = jax.vmap(env.initial_state, (0, None, None))(keys, instance, params)
        index = jax.vmap(env.state_index, (0, None))(states, params)
        return jnp.zeros(num_states, jnp.float32).at[index].add(1 / STARTS)

    of_instance = jnp.repeat(instances, num_states)
    index = jnp.tile(jnp.arange(num_states, dtype=jnp.int32), len(instances))
    states = jax.vmap(env.state_at, (0, 0, None))(of_instance, index, params)
    needed = ~jax.vmap(env.is_terminated, (0, None))(states, params)
    asked = data.prior_params, prior.init(), states, params, needed
    log_prior, carry = prior.log_probs(*asked)
    log_prior = log_prior.reshape(len(instances), num_states, -1)
    law = jax.vmap(lambda i: law_of(env, params, i))(instances)
    return jax.vmap(problem_of)(law, jax.vmap(start)(instances), log_prior), carry
