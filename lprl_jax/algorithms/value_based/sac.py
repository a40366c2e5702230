"""SAC: a policy in a box that is paid for its entropy, and two critics of what it does.

    y = r + γ (1 - terminated) [min_i Q̄_i(s', a') - α log π(a'|s')],    a' ~ π(·|s')

The critics descend on Σ_i (Q_i(s, a) - y)², the policy on α log π(ã|s) - min_i Q_i(s, ã) with
ã ~ π(·|s) as a function of its noise, and log α on α (-log π(ã|s) - H̄): entropy is dear while there
is too little of it. The target critics Q̄ then follow the critics. The policy is a squashed
Gaussian (`squashed`), actions are points of [-1, 1]^d wherever networks or densities meet them, and
the environment's box is stretched over them.

In this order: critics; the policy, by the new critics; the temperature, by what that same policy
drew before its step; the targets. Time limits bootstrap. Numbered actions: `discrete_sac`.

Reference: Haarnoja et al. 2018, Soft Actor-Critic Algorithms and Applications, arXiv 1812.05905.
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
from lprl_jax.algorithms.value_based import from_replay, squashed, twin_critics, twin_losses
from lprl_jax.algorithms.value_based.from_replay import Learner, Learnt, Transition
from lprl_jax.algorithms.value_based.sac_config import HParams, SACConfig
from lprl_jax.algorithms.value_based.squashed import Gaussian
from lprl_jax.algorithms.value_based.twin_critics import Batch, Critics
from lprl_jax.judges import Judge
from lprl_jax.priors.base import Prior

METRICS = ("loss", "policy_loss", "entropy", "temperature")


class Params(NamedTuple):
    """Of one run."""

    policy: Any
    critics: Any
    """Leading axis 2."""
    log_temperature: jax.Array
    """f32[]"""


class Networks(NamedTuple):
    """The functions that parameters belong to."""

    policy: ReluNetwork
    critics: Critics

    def gaussian(self, policy: Any, obs: jax.Array) -> Gaussian:
        """Of observations `f32[B, F]`."""
        outputs: Any = self.policy.apply(policy, obs)
        return squashed.of_outputs(outputs)


def networks(env: Env, hidden_sizes: tuple[int, ...]) -> Networks:
    """Of an environment with a box of d numbers."""
    size = bounds(env).low.shape[0]
    return Networks(ReluNetwork(hidden_sizes, 2 * size), Critics(ReluNetwork(hidden_sizes, 1)))


def critics_loss(
    nets: Networks, critics: Any, params: Params, targets: Any, key: chex.PRNGKey, batch: Batch
) -> jax.Array:
    """Mean of `twin_td_loss`: f32[]; `params` has the policy and temperature, `targets` Q̄."""
    action, log_pi = squashed.sample(key, nets.gaussian(params.policy, batch.next_obs))
    q_t = nets.critics.values(targets, batch.next_obs, action)
    temperature = jnp.exp(params.log_temperature)
    v_t = jax.vmap(twin_losses.soft_value, (0, 0, None))(q_t, log_pi, temperature)
    q_tm1 = nets.critics.values(critics, batch.obs, batch.action)
    return jnp.mean(jax.vmap(twin_losses.twin_td_loss)(q_tm1, batch.reward, batch.discount, v_t))


def policy_loss(
    nets: Networks, policy: Any, params: Params, key: chex.PRNGKey, batch: Batch
) -> tuple[jax.Array, jax.Array]:
    """Mean of `soft_policy_loss`, f32[], and the log-densities, f32[B], of what was drawn."""
    action, log_pi = squashed.sample(key, nets.gaussian(policy, batch.obs))
    q = nets.critics.values(params.critics, batch.obs, action)
    temperature = jnp.exp(params.log_temperature)
    loss = jax.vmap(twin_losses.soft_policy_loss, (0, 0, None))(q, log_pi, temperature)
    return jnp.mean(loss), log_pi


@checked(SACConfig, in_boxes=True)
def make(
    config: SACConfig, env: Env, prior: Prior | None = None, judge: Judge | None = None
) -> Algorithm:
    """SAC on an environment with continuous actions.

    Args:
        config: Settings.
        env: The environment.
        prior: None.
        judge: Its verdicts shift the reward that is learnt from; see `shifting`.

    Returns:
        `Algorithm`, whose `data` is `Data((), env_params)`. It acts by its mean, or by sampling.

    Raises:
        InvalidInput: if actions are numbered, or there is a prior.
    """
    from_replay.require_no_prior("sac", prior)
    nets = networks(env, config.hidden_sizes)
    optimizer = descent.optimizer(config.max_grad_norm)

    def init(key: chex.PRNGKey, states: Any, hp: HParams, data: Data) -> Learnt:
        key_policy, key_critics = jax.random.split(key)
        obs = from_replay.observe_as_vectors(env, states, data.env_params)
        policy = nets.policy.init(key_policy, obs)
        action = squashed.mode(nets.gaussian(policy, obs))
        critics = nets.critics.init(key_critics, obs, action)
        params = Params(policy, critics, jnp.log(hp.temperature))
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
        del number
        params, targets, moments = learnt
        key_next, key_now = jax.random.split(key)
        batch = twin_critics.read(env, transitions, hp.gamma, data)
        of = optimizer, hp.learning_rate
        critics, of_critics, loss = descent.descend(
            lambda own: critics_loss(nets, own, params, targets, key_next, batch),
            *of, params.critics, moments.critics,
        )  # fmt: skip
        params = params._replace(critics=critics)
        (climbed, log_pi), gradient = jax.value_and_grad(policy_loss, 1, has_aux=True)(
            nets, params.policy, params, key_now, batch
        )
        policy, of_policy = descent.follow(gradient, *of, params.policy, moments.policy)
        entropy, target = -jnp.mean(log_pi), hp.target_entropy * batch.action.shape[-1]
        log_temperature, of_temperature, _ = descent.descend(
            lambda own: twin_losses.temperature_loss(own, entropy, target),
            *of, params.log_temperature, moments.log_temperature,
        )  # fmt: skip
        targets = optax.incremental_update(critics, targets, hp.tau)
        told = loss, climbed, entropy, jnp.exp(params.log_temperature)
        params = Params(policy, critics, log_temperature)
        learnt = Learnt(params, targets, Params(of_policy, of_critics, of_temperature))
        return learnt, dict(zip(METRICS, told, strict=True))

    def gaussian(params: Params, states: Any, data: Data) -> Gaussian:
        obs = from_replay.observe_as_vectors(env, states, data.env_params)
        return nets.gaussian(params.policy, obs)

    def greedy(params: Params, key: Any, states: Any, data: Data) -> jax.Array:
        unit = squashed.mode(gaussian(params, states, data))
        return bounds(env, data.env_params).of_unit(unit)

    def sample(params: Params, key: Any, states: Any, data: Data) -> jax.Array:
        unit, _ = squashed.sample(key, gaussian(params, states, data))
        return bounds(env, data.env_params).of_unit(unit)

    def explore(params: Params, key: Any, states: Any, hp: HParams, data: Data) -> jax.Array:
        return sample(params, key, states, data)

    ways = {"greedy": greedy, "sample": sample}
    learner = Learner(init, explore, learn, ways, METRICS)
    return from_replay.make(config, env, learner, judge)
