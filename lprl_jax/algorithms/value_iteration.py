"""Exact planning on an environment whose law is known: finite-horizon value iteration.

    Q_1(s, a) = E[r],    Q_{n+1}(s, a) = E[r + gamma (1 - terminated) max_b Q_n(s', b)]

Used as an oracle in tests and as the demonstrator that the embedded model is trained on.
Reference: Puterman 1994, Markov Decision Processes, section 4.5.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs import TextEnv, TextEnvParams


class Law(NamedTuple):
    """Every transition of one instance: S states, A actions, K outcomes."""

    prob: jax.Array
    """f32[S, A, K]"""
    next_state: jax.Array
    """i32[S, A, K]"""
    reward: jax.Array
    """f32[S, A, K]"""
    discount: jax.Array
    """f32[S, A, K]: 0 where the episode terminates, else 1."""
    legal: jax.Array
    """bool[S, A]"""


def law_of(env: TextEnv, params: TextEnvParams, instance: jax.Array) -> Law:
    """Tabulate `env.transitions` of one instance of the bank."""

    def outcome(index: jax.Array, action: jax.Array) -> tuple[jax.Array, ...]:
        state = env.state_at(instance, index, params)
        prob, states, reward, terminated = env.transitions(state, action, params)
        indices = jax.vmap(lambda s: env.state_index(s, params))(states)
        return prob, indices, reward, 1.0 - terminated

    def legal(index: jax.Array) -> jax.Array:
        return env.action_mask(env.state_at(instance, index, params), params)

    states, actions = jnp.arange(env.numbered_states), jnp.arange(env.num_actions)
    over_actions = jax.vmap(outcome, in_axes=(None, 0))
    prob, next_state, reward, discount = jax.vmap(over_actions, in_axes=(0, None))(states, actions)
    return Law(prob, next_state, reward, discount, jax.vmap(legal)(states))


def plan(law: Law, horizon: int, discount: float = 1.0) -> jax.Array:
    """Optimal action values `f32[S, A]` with `horizon` steps to go; -inf for illegal actions."""

    def backup(q: jax.Array) -> jax.Array:
        value = jnp.max(q, axis=-1)
        target = law.reward + discount * law.discount * value[law.next_state]
        return jnp.where(law.legal, jnp.sum(law.prob * target, axis=-1), -jnp.inf)

    nothing = jnp.zeros(law.legal.shape)
    return jax.lax.fori_loop(0, horizon, lambda _, q: backup(q), nothing)
