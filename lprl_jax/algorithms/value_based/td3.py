"""TD3: a deterministic policy in a box, and two critics of what it does.

    y = r + γ (1 - terminated) min_i Q̄_i(s', clip(μ̄(s') + clip(ε, -c, c), -1, 1)),    ε ~ N(0, σ²)

Noise on the target policy's action smooths what is bootstrapped from. The critics descend on
Σ_i (Q_i(s, a) - y)² at every gradient step; at every second one the policy μ descends on
-Q_1(s, μ(s)) after them, and then all targets follow. What is learnt from is acted by μ(s) with
noise, clipped. Actions are points of [-1, 1]^d wherever networks and noise meet them, and the
environment's box is stretched over them. Time limits bootstrap.

Reference: Fujimoto et al. 2018, Addressing Function Approximation Error in Actor-Critic Methods,
arXiv 1802.09477, algorithm 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from lprl_envs.actions import bounds

from lprl_jax.algorithms import descent
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.networks import ReluNetwork
from lprl_jax.algorithms.value_based import from_replay, twin_critics, twin_losses
from lprl_jax.algorithms.value_based.from_replay import Learner, Learnt, Transition
from lprl_jax.algorithms.value_based.td3_config import HParams, TD3Config
from lprl_jax.algorithms.value_based.twin_critics import Batch, Critics
from lprl_jax.judges import Judge
from lprl_jax.priors.base import Prior

METRICS = ("loss", "policy_loss")


class Params(NamedTuple):
    """Of one run."""

    policy: Any
    critics: Any
    """Leading axis 2."""


class Networks(NamedTuple):
    """The functions that parameters belong to."""

    policy: ReluNetwork
    critics: Critics

    def action(self, policy: Any, obs: jax.Array) -> jax.Array:
        """μ, `f32[B, d]` in [-1, 1]^d, of observations `f32[B, F]`."""
        outputs: Any = self.policy.apply(policy, obs)
        return jnp.tanh(outputs)


def networks(env: Env, hidden_sizes: tuple[int, ...]) -> Networks:
    """Of an environment with a box of d numbers."""
    size = bounds(env).low.shape[0]
    return Networks(ReluNetwork(hidden_sizes, size), Critics(ReluNetwork(hidden_sizes, 1)))


def with_noise(
    key: chex.PRNGKey, action: jax.Array, deviation: jax.Array, clip: jax.Array | float
) -> jax.Array:
    """Points `f32[..., d]` of [-1, 1]^d, moved by normal noise that is clipped to ±`clip`."""
    noise = deviation * jax.random.normal(key, action.shape, action.dtype)
    return jnp.clip(action + jnp.clip(noise, -clip, clip), -1.0, 1.0)


def critics_loss(
    nets: Networks, critics: Any, targets: Params, key: chex.PRNGKey, batch: Batch, hp: HParams
) -> jax.Array:
    """Mean of `twin_td_loss`: f32[]; `targets` are μ̄ and Q̄."""
    action = nets.action(targets.policy, batch.next_obs)
    action = with_noise(key, action, hp.target_noise, hp.noise_clip)
    v_t = jax.vmap(twin_losses.twin_value)(
        nets.critics.values(targets.critics, batch.next_obs, action)
    )
    q_tm1 = nets.critics.values(critics, batch.obs, batch.action)
    return jnp.mean(jax.vmap(twin_losses.twin_td_loss)(q_tm1, batch.reward, batch.discount, v_t))


def policy_loss(nets: Networks, policy: Any, critics: Any, batch: Batch) -> jax.Array:
    """Mean of -Q_1(s, μ(s)): f32[]."""
    action = nets.action(policy, batch.obs)
    return -jnp.mean(nets.critics.values(critics, batch.obs, action)[:, 0])


@checked(TD3Config, in_boxes=True)
def make(
    config: TD3Config, env: Env, prior: Prior | None = None, judge: Judge | None = None
) -> Algorithm:
    """TD3 on an environment with continuous actions.

    Args:
        config: Settings.
        env: The environment.
        prior: None.
        judge: Its verdicts shift the reward that is learnt from; see `shifting`.

    Returns:
        `Algorithm`, whose `data` is `Data((), env_params)`. It acts without noise.

    Raises:
        InvalidInput: if actions are numbered, or there is a prior.
    """
    from_replay.require_no_prior("td3", prior)
    nets = networks(env, config.hidden_sizes)
    optimizer = descent.optimizer(config.max_grad_norm)

    def init(key: chex.PRNGKey, states: Any, hp: HParams, data: Data) -> Learnt:
        del hp
        key_policy, key_critics = jax.random.split(key)
        obs = from_replay.observe_as_vectors(env, states, data.env_params)
        policy = nets.policy.init(key_policy, obs)
        params = Params(policy, nets.critics.init(key_critics, obs, nets.action(policy, obs)))
        return Learnt(params, params, Params(*map(optimizer.init, params)))

    def learn(
        learnt: Learnt,
        key: chex.PRNGKey,
        transitions: Transition,
        hp: HParams,
        number: jax.Array,
        data: Data,
    ) -> tuple[Learnt, dict[str, jax.Array]]:
        params, targets, moments = learnt
        batch = twin_critics.read(env, transitions, hp.gamma, data)
        of = optimizer, hp.learning_rate
        critics, of_critics, loss = descent.descend(
            lambda own: critics_loss(nets, own, targets, key, batch, hp),
            *of, params.critics, moments.critics,
        )  # fmt: skip

        def climb() -> tuple[Any, ...]:
            policy, of_policy, value = descent.descend(
                lambda own: policy_loss(nets, own, critics, batch),
                *of, params.policy, moments.policy,
            )  # fmt: skip
            followed = optax.incremental_update(Params(policy, critics), targets, hp.tau)
            return policy, of_policy, followed, value

        def stay() -> tuple[Any, ...]:
            return params.policy, moments.policy, targets, jnp.float32(0.0)

        is_time = number % config.policy_delay == 0
        policy, of_policy, targets, value = jax.lax.cond(is_time, climb, stay)
        # Of the steps that only some are: times their delay, for a mean over all steps.
        told = loss, value * config.policy_delay
        learnt = Learnt(Params(policy, critics), targets, Params(of_policy, of_critics))
        return learnt, dict(zip(METRICS, told, strict=True))

    def greedy(params: Params, key: Any, states: Any, data: Data) -> jax.Array:
        obs = from_replay.observe_as_vectors(env, states, data.env_params)
        return bounds(env, data.env_params).of_unit(nets.action(params.policy, obs))

    def explore(params: Params, key: Any, states: Any, hp: HParams, data: Data) -> jax.Array:
        obs = from_replay.observe_as_vectors(env, states, data.env_params)
        action = nets.action(params.policy, obs)
        action = with_noise(key, action, hp.exploration_noise, jnp.inf)
        return bounds(env, data.env_params).of_unit(action)

    learner = Learner(init, explore, learn, {"greedy": greedy}, METRICS)
    return from_replay.make(config, env, learner, judge)
