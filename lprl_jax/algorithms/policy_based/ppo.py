"""PPO, and KL-PPO: a policy that is kept near a prior.

N environments are acted in for T steps by the policy π. Then, for some epochs, minibatches of these
steps are descended on

    clipped surrogate + value_coef · value loss - entropy_coef · entropy + α KL(π(·|s) ‖ p(·|s))

with the divergence from the prior exact, or estimated from k proposals. Where nothing else pulls,
the best policy of a state is π ∝ p exp(A / α), which is the prior as α grows; with α = 0, or
without a prior, this is PPO. With one epoch of one minibatch it is A2C.

The policy is a network that reads observations, or a language model that is fine-tuned
(GFlan-Prior): see `PPOConfig.policy`. Once trained it acts alone; the prior is not asked any more.

References: Schulman et al. 2017, Proximal Policy Optimization Algorithms, arXiv 1707.06347; Yan et
al. 2024, Efficient Reinforcement Learning with Large Language Model Priors, arXiv 2410.07927.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking, descent, shifting
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.interaction import Step, begin_runs, over_runs
from lprl_jax.algorithms.playing import play_by
from lprl_jax.algorithms.policy_based import actor_critic, divergence, policy_losses, rollout
from lprl_jax.algorithms.policy_based.actor_critic import ActorCritic
from lprl_jax.algorithms.policy_based.divergence import Divergence
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy, require_same_vocabulary
from lprl_jax.algorithms.policy_based.ppo_config import NETWORK, HParams, PPOConfig
from lprl_jax.algorithms.policy_based.rollout import Chance, Lesson
from lprl_jax.algorithms.shifting import Advised
from lprl_jax.judges import Judge
from lprl_jax.priors.base import Counters, Prior


class PPOState(NamedTuple):
    """Everything that changes in training."""

    params: Any
    """Policies and values, leading axis R."""
    opt_state: Any
    """Of Adam, leading axis R."""
    env_state: Any
    """Leading axes R and N."""
    log_probs: Any
    """f32[R, N, A]: the prior in `env_state`; () without one."""
    prior_carry: Counters
    """What the prior was asked, by all runs together."""
    advised: Advised
    """What the judge says."""
    key: chex.PRNGKey
    """[R]"""
    num_steps: jax.Array
    """i32[]: environment steps a run."""
    hparams: HParams
    """[R]"""
    run_instances: jax.Array
    """i32[R, m]: the instances that a run plays."""


def loss(
    policy: ActorCritic,
    divergence: Divergence,
    config: PPOConfig,
    params: Any,
    instances: jax.Array,
    hparams: HParams,
    batch: Lesson,
    data: Data,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Of one run's minibatch, `f32[]`; and the means of its parts."""
    instances = policy.to_prepare(instances, batch.inputs)
    context = policy.prepare(params, instances, data)
    log_pi, value = policy.apply(params, context, batch.inputs, data)
    log_pi_a = policy_losses.of_action(log_pi, batch.action)
    advantage = batch.advantage
    if config.normalize_advantages:
        advantage = (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)
    surrogate = jax.vmap(policy_losses.clipped_surrogate_loss, (0, 0, 0, None))(
        log_pi_a, batch.log_prob, advantage, hparams.clip_epsilon
    )
    value_loss = jax.vmap(policy_losses.clipped_value_loss, (0, 0, 0, None))(
        value, batch.value, batch.target, hparams.value_clip
    )
    entropy = jax.vmap(policy_losses.entropy)(log_pi)
    kl = jax.vmap(divergence.measure)(log_pi, batch.kept)
    total = (
        surrogate
        + hparams.value_coef * value_loss
        - hparams.entropy_coef * entropy
        + hparams.alpha * kl
    )
    parts = {"value_loss": value_loss, "entropy": entropy, "kl": kl}
    return jnp.mean(total), {name: jnp.mean(x) for name, x in parts.items()}


def policy_of(
    config: PPOConfig, env: Env, language_policy: LanguagePolicy | None = None
) -> ActorCritic:
    """The policy that a config names.

    Raises:
        InvalidInput: if there is no language model where the config names one, or the reverse, or
            it lacks matrices that are to have adapters.
    """
    if (config.policy == NETWORK) != (language_policy is None):
        raise InvalidInput(
            f"the config's policy is {config.policy!r}; a LanguagePolicy is given where that is a "
            "language model, and only there"
        )
    if language_policy is None:
        return actor_critic.of_observations(env, config.hidden_sizes)
    return language_policy.actor_critic(config.adapters)


@checked(PPOConfig)
def make(
    config: PPOConfig,
    env: Env,
    prior: Prior | None = None,
    language_policy: LanguagePolicy | None = None,
    judge: Judge | None = None,
) -> Algorithm:
    """PPO on an environment, with a prior or without, with a judge or without.

    Args:
        config: Settings.
        env: The environment.
        prior: `None` is the baseline.
        language_policy: What acts, where `config.policy` is a language model.
        judge: Its verdicts shift the reward that is learnt from; see `shifting`.

    Returns:
        `Algorithm`, whose `data` is `Data(prior.params, env_params)`, or `Data((), env_params)`;
        with `policy_params=language_policy.params`, where a language model acts, and
        `judge_params=judge.params` with a judge.

    Raises:
        InvalidInput: if the policy is not the kind that the config names, it lacks matrices that
            are to have adapters, or it has another vocabulary than the prior.
    """
    asker = asking.of(prior)
    kind = divergence.of(prior, config.k)
    policy = policy_of(config, env, language_policy)
    shift = shifting.of(judge, config, env)
    if language_policy is not None:
        require_same_vocabulary(language_policy, prior)
    optimizer = descent.optimizer(config.max_grad_norm, config.adam_epsilon)
    names = ("loss", "value_loss", "entropy") + ("kl",) * (prior is not None)

    def contexts(state: PPOState, data: Data) -> Any:
        """What each run's policy has to know of its instances, leading axis R."""
        prepare = jax.vmap(policy.prepare, in_axes=(0, 0, None))
        return prepare(state.params, state.run_instances, data)

    def learn(
        key: chex.PRNGKey,
        params: Any,
        opt_state: Any,
        instances: jax.Array,
        hp: HParams,
        learning_rate: jax.Array,
        lesson: Lesson,
        data: Data,
    ) -> tuple[Any, Any, dict[str, jax.Array]]:
        """All epochs of one run on its steps `[T * N]`."""

        def of_params(params: Any, batch: Lesson) -> Any:
            return loss(policy, kind, config, params, instances, hp, batch, data)

        def on_minibatch(own: Any, batch: Lesson) -> Any:
            params, opt_state = own
            (total, parts), gradient = jax.value_and_grad(of_params, has_aux=True)(params, batch)
            own = descent.follow(gradient, optimizer, learning_rate, params, opt_state)
            return own, {"loss": total, **parts}

        def shuffled(number: jax.Array) -> jax.Array:
            return jax.random.permutation(jax.random.fold_in(key, number), config.steps_per_update)

        def epoch(own: Any, order: jax.Array) -> Any:
            batches = jax.tree.map(
                lambda x: x[order].reshape(config.num_minibatches, -1, *x.shape[1:]), lesson
            )
            return jax.lax.scan(on_minibatch, own, batches)

        orders = jax.vmap(shuffled)(jnp.arange(config.num_epochs, dtype=jnp.int32))
        (params, opt_state), metrics = jax.lax.scan(epoch, (params, opt_state), orders)
        return params, opt_state, jax.tree.map(jnp.mean, metrics)

    def act(state: PPOState, chance: Chance, context: Any, data: Data) -> Any:
        """A step of every environment: what was seen, the reward with the shift, metrics."""
        before, scale = state.env_state, shifting.scale_at(state.hparams, state.num_steps)
        state, seen = rollout.act(env, asker, policy, kind, state, context, chance, data)
        step = Step((), state.env_state, seen.reward, seen.terminated, seen.truncated)
        asked = chance.proposal_keys, before, seen.action, step, scale, data
        advised, advice, said = shift.follow(state.advised, *asked)
        one, gamma = jnp.ones_like(scale), state.hparams.gamma
        reward = jax.vmap(shift.reward)(seen.reward, advice, one, gamma)
        return state._replace(advised=advised), (seen, reward, said)

    def update(state: PPOState, data: Data) -> tuple[PPOState, dict[str, jax.Array]]:
        """Act for `rollout_length` steps, then learn; metrics are `[R]`, of these steps."""
        rate = state.hparams.learning_rate
        rate *= jnp.maximum(1.0 - state.num_steps / state.hparams.anneal_steps, 0.0)
        context = contexts(state, data)
        keys = jax.vmap(lambda k: jax.random.split(k, 3))(state.key)
        state, (seen, shifted, said) = jax.lax.scan(
            lambda s, chance: act(s, chance, context, data),
            state,
            rollout.draw(keys[:, 1], config.rollout_length, config.num_envs),
        )
        learn_from = functools.partial(rollout.lessons, policy)
        lesson = over_runs(learn_from, in_axes=(0, 0, 0, 0, 1, 0, None))(
            state.params,
            context,
            state.hparams.gamma,
            state.hparams.gae_lambda,
            seen._replace(reward=shifted),
            state.env_state,
            data,
        )
        params, opt_state, means = over_runs(learn, in_axes=(0,) * 7 + (None,))(
            keys[:, 2],
            state.params,
            state.opt_state,
            state.run_instances,
            state.hparams,
            rate,
            lesson,
            data,
        )
        done = seen.terminated | seen.truncated
        seen_here = {"episodes": done, "reward": seen.reward}
        metrics = {name: jnp.sum(x, axis=(0, 2)) for name, x in seen_here.items()}
        metrics |= {name: jnp.sum(x, axis=0) for name, x in said.items()}
        state = state._replace(params=params, opt_state=opt_state, key=keys[:, 0])
        return state, {**metrics, **{name: means[name] for name in names}}

    def init(
        keys: chex.PRNGKey, hparams: HParams, data: Data, run_instances: jax.Array | None = None
    ) -> PPOState:
        """Fresh runs; see `interaction.begin_runs`."""
        runs = begin_runs(env, asker, keys, data, run_instances, config.num_envs)
        # One run after another: jaxlib factorises a batch (of orthogonal weights) over threads that
        # several devices' programs hold, and hangs.
        own = runs.key_params, runs.env_state
        params = jax.lax.map(lambda x: policy.init(x[0], x[1], data), own)
        return PPOState(
            params=params,
            opt_state=jax.vmap(optimizer.init)(params),
            env_state=runs.env_state,
            log_probs=runs.told.log_probs,
            prior_carry=runs.prior_carry,
            advised=shift.begin(keys, runs.env_state, data),
            key=runs.key,
            num_steps=jnp.int32(0),
            hparams=hparams,
            run_instances=runs.run_instances,
        )

    def restart(state: PPOState, data: Data, run_instances: jax.Array | None = None) -> PPOState:
        """New episodes in another bank; what was learnt stays."""
        fresh = init(state.key, state.hparams, data, run_instances)
        asked = state.prior_carry.plus(fresh.prior_carry)
        return fresh._replace(
            params=state.params,
            opt_state=state.opt_state,
            prior_carry=asked,
            advised=fresh.advised.after(state.advised),
            num_steps=state.num_steps,
        )

    def played(state: PPOState, data: Data) -> tuple[PPOState, Any]:
        return state, contexts(state, data)

    def sample(
        own: tuple[PPOState, Any], data: Data, keys: Any, env_state: Any, told: Told
    ) -> jax.Array:
        return rollout.sample(keys, log_probs(own, env_state, data))

    def greedy(
        own: tuple[PPOState, Any], data: Data, keys: Any, env_state: Any, told: Told
    ) -> jax.Array:
        return jnp.argmax(log_probs(own, env_state, data), axis=-1).astype(jnp.int32)

    def log_probs(own: tuple[PPOState, Any], env_state: Any, data: Data) -> jax.Array:
        state, context = own
        return rollout.judge(policy, state.params, context, env_state, data)[1].log_probs

    policies = {"sample": sample, "greedy": greedy}
    return Algorithm(
        jax.jit(init),
        jax.jit(restart),
        update,
        **play_by(env, asking.of(None), policies, played),
        asks_in_play=False,
        means=names,
    )
