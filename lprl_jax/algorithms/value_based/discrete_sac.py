"""SAC among numbered actions: as `sac`, with every expectation over actions exact.

    y = r + γ (1 - terminated) Σ_a π(a|s') [min_i Q̄_i(s', a) - α log π(a|s')]

The critics descend on Σ_i (Q_i(s, a) - y)², the policy, Q being held fixed, on

    Σ_a π(a|s) [α log π(a|s) - min_i Q_i(s, a)]

and log α on α (H(π(·|s)) - H̄(s)). The policy is the softmax over legal actions; to others it gives
nothing. The entropy wanted in a state with L of them is H̄(s) = c log L, and so nothing is wanted
where there is no choice.

An algorithm of its own, and not `sac` by another kind of space: nothing is sampled here where that
one samples, and what its settings mean differs, the target entropy's above all.

Reference: Christodoulou 2019, Soft Actor-Critic for Discrete Action Settings, arXiv 1910.07207.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from lprl_jax.algorithms import descent, policies
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.interaction import legal_actions
from lprl_jax.algorithms.networks import ReluNetwork
from lprl_jax.algorithms.value_based import from_replay, twin_losses
from lprl_jax.algorithms.value_based.from_replay import Learner, Learnt, Transition
from lprl_jax.algorithms.value_based.sac import METRICS, Params
from lprl_jax.algorithms.value_based.sac_config import DiscreteSACConfig, HParams
from lprl_jax.judges import Judge
from lprl_jax.priors.base import Prior, normalize
from lprl_jax.priors.sampling import sample_proposals


class Networks(NamedTuple):
    """The functions that parameters belong to; B states at once, A actions."""

    policy: ReluNetwork
    critic: ReluNetwork

    def log_probs(self, policy: Any, obs: jax.Array, legal: jax.Array) -> jax.Array:
        """`f32[B, A]`, -inf of illegal actions."""
        logits: Any = self.policy.apply(policy, obs)
        return normalize(logits, legal)

    def values(self, critics: Any, obs: jax.Array) -> jax.Array:
        """`f32[B, 2, A]`"""
        return jax.vmap(self.critic.apply, (0, None), 1)(critics, obs)  # pyright: ignore


class Batch(NamedTuple):
    """Transitions as networks read them, `[B, ...]`."""

    obs: jax.Array
    """f32[B, F]"""
    legal: jax.Array
    """bool[B, A]"""
    action: jax.Array
    """i32[B]"""
    reward: jax.Array
    """f32[B]"""
    discount: jax.Array
    """f32[B]: 0 where the episode terminated."""
    next_obs: jax.Array
    """f32[B, F]"""
    next_legal: jax.Array
    """bool[B, A]"""


def networks(env: Env, hidden_sizes: tuple[int, ...]) -> Networks:
    """Of an environment of A actions."""
    network = ReluNetwork(hidden_sizes, env.num_actions)
    return Networks(network, network)


def read(env: Env, batch: Transition, gamma: jax.Array, data: Data) -> Batch:
    """Transitions `[B]` of one run."""
    see = functools.partial(from_replay.observe_as_vectors, env, env_params=data.env_params)
    may = functools.partial(legal_actions, env, env_params=data.env_params)
    return Batch(
        obs=see(batch.state),
        legal=may(batch.state),
        action=batch.action,
        reward=batch.reward,
        discount=gamma * (1.0 - batch.terminated),
        next_obs=see(batch.next_state),
        next_legal=may(batch.next_state),
    )


def critics_loss(
    nets: Networks, critics: Any, params: Params, targets: Any, batch: Batch
) -> jax.Array:
    """Mean of `twin_td_loss`: f32[]; `params` has the policy and temperature, `targets` Q̄."""
    log_pi = nets.log_probs(params.policy, batch.next_obs, batch.next_legal)
    q_t = nets.values(targets, batch.next_obs)
    temperature = jnp.exp(params.log_temperature)
    v_t = jax.vmap(twin_losses.expected_soft_value, (0, 0, None))(q_t, log_pi, temperature)
    q_tm1 = jax.vmap(lambda q, a: q[:, a])(nets.values(critics, batch.obs), batch.action)
    return jnp.mean(jax.vmap(twin_losses.twin_td_loss)(q_tm1, batch.reward, batch.discount, v_t))


def policy_loss(
    nets: Networks, policy: Any, params: Params, batch: Batch
) -> tuple[jax.Array, jax.Array]:
    """Mean of `expected_soft_policy_loss`, f32[], and the entropies f32[B]."""
    log_pi = nets.log_probs(policy, batch.obs, batch.legal)
    q, temperature = nets.values(params.critics, batch.obs), jnp.exp(params.log_temperature)
    loss = jax.vmap(twin_losses.expected_soft_policy_loss, (0, 0, None))(q, log_pi, temperature)
    return jnp.mean(loss), jax.vmap(twin_losses.entropy)(log_pi)


@checked(DiscreteSACConfig)
def make(
    config: DiscreteSACConfig, env: Env, prior: Prior | None = None, judge: Judge | None = None
) -> Algorithm:
    """SAC on an environment with numbered actions.

    Args:
        config: Settings.
        env: The environment.
        prior: None.
        judge: Its verdicts shift the reward that is learnt from; see `shifting`.

    Returns:
        `Algorithm`, whose `data` is `Data((), env_params)`. It acts by its likeliest action, or by
        sampling.

    Raises:
        InvalidInput: if actions are continuous, or there is a prior.
    """
    from_replay.require_no_prior("discrete_sac", prior)
    nets = networks(env, config.hidden_sizes)
    optimizer = descent.optimizer(config.max_grad_norm)

    def init(key: chex.PRNGKey, states: Any, hp: HParams, data: Data) -> Learnt:
        key_policy, key_critics = jax.random.split(key)
        obs = from_replay.observe_as_vectors(env, states, data.env_params)
        critics = jax.vmap(nets.critic.init, (0, None))(jax.random.split(key_critics), obs)
        params = Params(nets.policy.init(key_policy, obs), critics, jnp.log(hp.temperature))
        moments: Any = map(optimizer.init, params)
        return Learnt(params, critics, Params(*moments))

    def learn(
        learnt: Learnt,
        key: chex.PRNGKey,
        transitions: Transition,
        hp: HParams,
        number: jax.Array,
        data: Data,
    ) -> tuple[Learnt, dict[str, jax.Array]]:
        del key, number
        params, targets, moments = learnt
        batch = read(env, transitions, hp.gamma, data)
        of = optimizer, hp.learning_rate
        critics, of_critics, loss = descent.descend(
            lambda own: critics_loss(nets, own, params, targets, batch),
            *of, params.critics, moments.critics,
        )  # fmt: skip
        params = params._replace(critics=critics)
        (climbed, entropy), gradient = jax.value_and_grad(policy_loss, 1, has_aux=True)(
            nets, params.policy, params, batch
        )
        policy, of_policy = descent.follow(gradient, *of, params.policy, moments.policy)
        target = hp.target_entropy * jnp.log(jnp.sum(batch.legal, axis=-1).astype(jnp.float32))
        log_temperature, of_temperature, _ = descent.descend(
            lambda own: twin_losses.temperature_loss(own, jnp.mean(entropy), jnp.mean(target)),
            *of, params.log_temperature, moments.log_temperature,
        )  # fmt: skip
        targets = optax.incremental_update(critics, targets, hp.tau)
        told = loss, climbed, jnp.mean(entropy), jnp.exp(params.log_temperature)
        params = Params(policy, critics, log_temperature)
        learnt = Learnt(params, targets, Params(of_policy, of_critics, of_temperature))
        return learnt, dict(zip(METRICS, told, strict=True))

    def log_probs(params: Params, states: Any, data: Data) -> jax.Array:
        obs = from_replay.observe_as_vectors(env, states, data.env_params)
        return nets.log_probs(params.policy, obs, legal_actions(env, states, data.env_params))

    def greedy(params: Params, key: Any, states: Any, data: Data) -> jax.Array:
        own = log_probs(params, states, data)
        return policies.greedy(own, own > -jnp.inf)

    def sample(params: Params, key: Any, states: Any, data: Data) -> jax.Array:
        return sample_proposals(key, log_probs(params, states, data), 1)[:, 0]

    def explore(params: Params, key: Any, states: Any, hp: HParams, data: Data) -> jax.Array:
        return sample(params, key, states, data)

    ways = {"greedy": greedy, "sample": sample}
    learner = Learner(init, explore, learn, ways, METRICS)
    return from_replay.make(config, env, learner, judge)
