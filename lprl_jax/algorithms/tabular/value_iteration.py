"""Exact planning on an environment whose law is known: finite-horizon value iteration.

    Q_1(s, a) = E[r],    Q_{n+1}(s, a) = E[r + gamma (1 - terminated) max_b Q_n(s', b)]

Regularised towards a prior p, with temperature λ, the value of a policy is what it gains less λ
times its divergence from p along the way, E Σ_h r_h - λ KL(π_h(·|s_h) ‖ p(·|s_h)). The best one has

    V_h(s) = λ log Σ_a p(a|s) exp(Q_h(s,a) / λ),    π_h(a|s) ∝ p(a|s) exp(Q_h(s,a) / λ)

As λ falls to 0 it is the optimal policy, as λ grows the prior itself; where the prior is uniform it
is maximum-entropy value iteration.

References: Puterman 1994, Markov Decision Processes, section 4.5; Zhang et al. 2024, How Can LLM
Guide RL? A Value-Based Approach, arXiv 2402.16181, sec. 3.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs import TextEnv, TextEnvParams
from lprl_envs.actions import require_discrete

from lprl_jax.algorithms import losses

TIE = 1e-6
"""Actions whose values differ by less are equally good."""


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
    """Tabulate `env.transitions` of one instance of the bank.

    Raises:
        InvalidInput: if states are not numbered, or actions continuous.
    """
    require_discrete(env, "planning needs")

    def outcome(index: jax.Array, action: jax.Array) -> tuple[jax.Array, ...]:
        state = env.state_at(instance, index, params)
        prob, states, reward, terminated = env.transitions(state, action, params)
        indices = jax.vmap(lambda s: env.state_index(s, params))(states)
        return prob, indices, reward, 1.0 - terminated.astype(jnp.float32)

    def legal(index: jax.Array) -> jax.Array:
        return env.action_mask(env.state_at(instance, index, params), params)

    count = env.numbered_states, env.num_actions
    states, actions = (jnp.arange(n, dtype=jnp.int32) for n in count)
    over_actions = jax.vmap(outcome, in_axes=(None, 0))
    prob, next_state, reward, discount = jax.vmap(over_actions, in_axes=(0, None))(states, actions)
    return Law(prob, next_state, reward, discount, jax.vmap(legal)(states))


def plan(law: Law, horizon: int, discount: float = 1.0) -> jax.Array:
    """Optimal action values `f32[S, A]` with `horizon` steps to go; -inf for illegal actions.

    A backup that changes nothing is the last one: the others would change nothing either.
    """

    def backup(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        count, q, _ = carry
        value = jnp.max(q, axis=-1)
        target = law.reward + discount * law.discount * value[law.next_state]
        after = jnp.where(law.legal, jnp.sum(law.prob * target, axis=-1), -jnp.inf)
        return count + 1, after, jnp.any(after != q)

    def is_open(carry: tuple[jax.Array, ...]) -> jax.Array:
        return (carry[0] < horizon) & carry[2]

    nothing = jnp.zeros(law.legal.shape, jnp.float32)
    return jax.lax.while_loop(is_open, backup, (jnp.int32(0), nothing, jnp.bool_(True)))[1]


class Regularized(NamedTuple):
    """The best values with a prior; h = 0 is the first of H steps."""

    q: jax.Array
    """f32[H, S, A]; -inf for illegal actions."""
    v: jax.Array
    """f32[H, S]"""


class Gain(NamedTuple):
    """What a policy comes to, from every state and step on."""

    total: jax.Array
    """f32[H, S]: expected sum of rewards."""
    kl: jax.Array
    """f32[H, S]: expected sum of its divergences from a prior; inf where it leaves the support."""


def soft_policy(q: jax.Array, log_prior: jax.Array, temperature: jax.Array | float) -> jax.Array:
    """Log-probabilities of the best regularised policy, `[..., A]`."""
    return jax.nn.log_softmax(log_prior + q / temperature, axis=-1)


def plan_regularized(
    law: Law, log_prior: jax.Array, temperature: jax.Array | float, horizon: int
) -> Regularized:
    """The best values with a prior `f32[S, A]` (log-probabilities) and temperature λ."""

    def backup(v: jax.Array, _: None) -> tuple[jax.Array, Regularized]:
        q = jnp.where(law.legal, _expected(law, law.reward, v), -jnp.inf)
        v = losses.soft_value(q, log_prior, temperature)
        return v, Regularized(q, v)

    nothing = jnp.zeros(law.legal.shape[0], jnp.float32)
    return jax.lax.scan(backup, nothing, None, horizon, reverse=True)[1]


def gain_of(law: Law, log_policy: jax.Array, log_prior: jax.Array) -> Gain:
    """What a policy `f32[H, S, A]` (log-probabilities) comes to, and how far from a prior it is."""

    def backup(after: Gain, log_policy: jax.Array) -> tuple[Gain, Gain]:
        policy = jnp.exp(log_policy)
        away = jnp.where(policy > 0, log_policy - log_prior, 0.0)
        total = _expected(law, law.reward, after.total)
        kl = _expected(law, jnp.zeros_like(law.reward), after.kl)
        gain = Gain(_mean(policy, total), _mean(policy, away + kl))
        return gain, gain

    nothing = jnp.zeros(law.legal.shape[0], jnp.float32)
    return jax.lax.scan(backup, Gain(nothing, nothing), log_policy, reverse=True)[1]


def optimal_divergence(law: Law, log_prior: jax.Array, horizon: int) -> jax.Array:
    """ε_LLM of the LINVIT paper: the divergence from the prior of the optimal policy nearest to it.

    That is the least E Σ_h KL(π_h ‖ p) among all policies that are optimal with `horizon` steps:
    the limit, as λ falls to 0, of what regularisation costs them.

    Returns:
        `f32[H, S]`, from every step and state on; inf where no optimal policy is in the support.
    """

    def backup(after: Gain, _: None) -> tuple[Gain, jax.Array]:
        q = jnp.where(law.legal, _expected(law, law.reward, after.total), -jnp.inf)
        best = jnp.max(q, axis=-1)
        further = _expected(law, jnp.zeros_like(law.reward), after.kl)
        optimal = q >= best[:, None] - TIE
        kl = -jax.nn.logsumexp(jnp.where(optimal, log_prior - further, -jnp.inf), axis=-1)
        return Gain(best, kl), kl

    nothing = jnp.zeros(law.legal.shape[0], jnp.float32)
    return jax.lax.scan(backup, Gain(nothing, nothing), None, horizon, reverse=True)[1]


def _expected(law: Law, reward: jax.Array, value: jax.Array) -> jax.Array:
    """`E[reward + value of the next state]`, `[S, A]`; a terminated episode is worth no more."""
    after = jnp.where(law.discount > 0, law.discount * value[law.next_state], 0.0)
    return jnp.sum(jnp.where(law.prob > 0, law.prob * (reward + after), 0.0), axis=-1)


def _mean(policy: jax.Array, values: jax.Array) -> jax.Array:
    """Over the actions that a policy `[S, A]` takes, whatever the values of others."""
    return jnp.sum(jnp.where(policy > 0, policy * values, 0.0), axis=-1)
