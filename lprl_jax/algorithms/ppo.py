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

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms import (
    actor_critic,
    asking,
    descent,
    divergence,
    gae,
    policy_losses,
)
from lprl_jax.algorithms.actor_critic import Judgement
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.interaction import (
    ask_prior,
    begin,
    evaluation,
    instances_or_all,
    step_envs,
)
from lprl_jax.algorithms.ppo_config import HParams, PPOConfig
from lprl_jax.priors.base import Counters, Prior, evaluate_where_needed, sample_proposals

FINAL_STATES = 64
"""Truncated episodes' last states that are valued at a time."""


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
    key: chex.PRNGKey
    """[R]"""
    num_steps: jax.Array
    """i32[]: environment steps a run."""
    hparams: HParams
    """[R]"""
    run_instances: jax.Array
    """i32[R, m]: the instances that a run plays."""


class Seen(NamedTuple):
    """What acting leaves behind, `[R, N]` a step, stacked over the steps."""

    inputs: Any
    """What the policy looked at."""
    action: jax.Array
    """i32"""
    log_prob: jax.Array
    """f32: of the action, by the policy that took it."""
    value: jax.Array
    """f32: of the state acted in."""
    kept: Any
    """Of the prior there; see `Divergence.remember`."""
    reward: jax.Array
    """f32"""
    terminated: jax.Array
    """bool"""
    truncated: jax.Array
    """bool"""
    final_state: Any
    """The state reached, before any reset."""


class Lesson(NamedTuple):
    """What is learnt from, of one step."""

    inputs: Any
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    kept: Any
    advantage: jax.Array
    """f32[]"""
    target: jax.Array
    """f32[]: what the value is moved to."""


def make(config: PPOConfig, env: Env, prior: Prior | None = None) -> Algorithm:
    """PPO on an environment, with a prior or without.

    Args:
        config: Settings.
        env: The environment.
        prior: `None` is the baseline.

    Returns:
        `Algorithm`, whose `data` is `Data(prior.params, env_params)`, or `Data((), env_params)`.
    """
    asker = asking.of(prior)
    kind = divergence.of(prior, config.k)
    policy = actor_critic.of_observations(env, config.hidden_sizes)
    optimizer = descent.optimizer(config.max_grad_norm, config.adam_epsilon)
    names = ("value_loss", "entropy") if prior is None else ("value_loss", "entropy", "kl")

    def contexts(state: PPOState, data: Data) -> Any:
        """What each run's policy has to know of its instances, leading axis R."""
        prepare = jax.vmap(policy.prepare, in_axes=(0, 0, None))
        return prepare(state.params, state.run_instances, data)

    def judge(state: PPOState, context: Any, inputs: Any, data: Data) -> Judgement:
        """Of inputs `[R, N]`."""
        apply = jax.vmap(policy.apply, in_axes=(0, 0, 0, None))
        return apply(state.params, context, inputs, data)

    def act(state: PPOState, context: Any, data: Data) -> tuple[PPOState, Seen]:
        """One step of every environment."""
        keys = jax.vmap(lambda k: jax.random.split(k, 4))(state.key)
        inputs = jax.vmap(policy.read, in_axes=(0, None))(state.env_state, data)
        judged = judge(state, context, inputs, data)
        action = _sample(keys[:, 1], judged.log_probs)
        env_keys = jax.vmap(lambda k: jax.random.split(k, config.num_envs))(keys[:, 2])
        step = step_envs(
            env, env_keys, state.env_state, action, data.env_params, state.run_instances
        )
        told, carry = ask_prior(
            asker, data, state.prior_carry, step.state, jnp.ones(action.shape, bool)
        )
        seen = Seen(
            inputs=inputs,
            action=action,
            log_prob=jnp.take_along_axis(judged.log_probs, action[..., None], axis=-1)[..., 0],
            value=judged.value,
            kept=jax.vmap(kind.remember)(keys[:, 3], state.log_probs),
            reward=step.reward,
            terminated=step.terminated,
            truncated=step.truncated,
            final_state=step.final_state,
        )
        state = state._replace(
            env_state=step.state,
            log_probs=told.log_probs,
            prior_carry=carry,
            key=keys[:, 0],
            num_steps=state.num_steps + config.num_envs,
        )
        return state, seen

    def lessons(
        params: Any, context: Any, hp: HParams, seen: Seen, env_state: Any, data: Data
    ) -> Lesson:
        """Of one run: advantages by GAE; `seen [T, N]`, then `env_state [N]`."""

        def value_of(states: Any) -> jax.Array:
            return policy.apply(params, context, policy.read(states, data), data).value

        # An episode out of time goes on from the state that it had reached; most steps end none.
        rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen.final_state)
        out_of_time = seen.truncated & ~seen.terminated
        final = evaluate_where_needed(
            lambda states: value_of(states)[:, None], rows, out_of_time.reshape(-1), FINAL_STATES, 1
        )
        following = jnp.concatenate([seen.value[1:], value_of(env_state)[None]])
        v_t = jnp.where(out_of_time, final.reshape(out_of_time.shape), following)
        advantage = gae.advantages(
            seen.reward,
            hp.gamma * (1.0 - seen.terminated),
            1.0 - (seen.terminated | seen.truncated),
            seen.value,
            v_t,
            hp.gae_lambda,
        )
        target = advantage + seen.value
        lesson = Lesson(*seen[:5], advantage, target)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), lesson)

    def loss(
        params: Any, instances: jax.Array, hp: HParams, batch: Lesson, data: Data
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Of one run's minibatch, `f32[]`, and the means that it is made of."""
        context = policy.prepare(params, instances, data)
        log_pi, value = policy.apply(params, context, batch.inputs, data)
        log_pi_a = jnp.take_along_axis(log_pi, batch.action[:, None], axis=-1)[:, 0]
        advantage = batch.advantage
        if config.normalize_advantages:
            advantage = (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)
        surrogate = jax.vmap(policy_losses.clipped_surrogate_loss, (0, 0, 0, None))(
            log_pi_a, batch.log_prob, advantage, hp.clip_epsilon
        )
        value_loss = jax.vmap(policy_losses.clipped_value_loss, (0, 0, 0, None))(
            value, batch.value, batch.target, hp.value_clip
        )
        entropy = jax.vmap(policy_losses.entropy)(log_pi)
        kl = jax.vmap(kind.measure)(log_pi, batch.kept)
        total = surrogate + hp.value_coef * value_loss - hp.entropy_coef * entropy + hp.alpha * kl
        parts = {"value_loss": value_loss, "entropy": entropy, "kl": kl}
        return jnp.mean(total), {name: jnp.mean(parts[name]) for name in names}

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

        def on_minibatch(own: Any, rows: jax.Array) -> Any:
            params, opt_state = own
            batch = jax.tree.map(lambda x: x[rows], lesson)
            (total, means), gradient = jax.value_and_grad(loss, has_aux=True)(
                params, instances, hp, batch, data
            )
            own = descent.follow(gradient, optimizer, learning_rate, params, opt_state)
            return own, {"loss": total, **means}

        def shuffle(key: chex.PRNGKey) -> jax.Array:
            order = jax.random.permutation(key, config.steps_per_update)
            return order.reshape(config.num_minibatches, -1)

        order = jax.vmap(shuffle)(jax.random.split(key, config.num_epochs))
        rows = order.reshape(-1, order.shape[-1])
        (params, opt_state), metrics = jax.lax.scan(on_minibatch, (params, opt_state), rows)
        return params, opt_state, jax.tree.map(jnp.mean, metrics)

    def update(state: PPOState, data: Data) -> tuple[PPOState, dict[str, jax.Array]]:
        """Act for `rollout_length` steps, then learn; metrics are `[R]`, of these steps."""
        rate = state.hparams.learning_rate
        rate *= jnp.maximum(1.0 - state.num_steps / state.hparams.anneal_steps, 0.0)
        context = contexts(state, data)
        state, seen = jax.lax.scan(
            lambda s, _: act(s, context, data), state, None, length=config.rollout_length
        )
        own = state.params, context, state.hparams, seen, state.env_state
        lesson = jax.vmap(lessons, in_axes=(0, 0, 0, 1, 0, None))(*own, data)
        keys = jax.vmap(jax.random.split)(state.key)
        params, opt_state, means = jax.vmap(learn, in_axes=(0,) * 7 + (None,))(
            keys[:, 1],
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
        state = state._replace(params=params, opt_state=opt_state, key=keys[:, 0])
        return state, {**metrics, **means}

    def init(
        keys: chex.PRNGKey, hparams: HParams, data: Data, run_instances: jax.Array | None = None
    ) -> PPOState:
        """Fresh runs.

        Args:
            keys: `[R]`, one a run.
            hparams: `[R]`.
            data: Of the prior and the environment.
            run_instances: `i32[R, m]`: the instances a run plays; default, all of
                `env_params.instances`.
        """
        run_instances = instances_or_all(run_instances, data.env_params, keys.shape[0])
        split = jax.vmap(lambda k: jax.random.split(k, 3))(keys)
        env_state, told, carry = begin(
            env, asker, split[:, 1], data, run_instances, config.num_envs
        )
        # One run after another: jaxlib factorises a batch (of orthogonal weights) over threads that
        # several devices' programs hold, and hangs.
        params = jax.lax.map(lambda x: policy.init(*x, data), (split[:, 2], env_state))
        return PPOState(
            params=params,
            opt_state=jax.vmap(optimizer.init)(params),
            env_state=env_state,
            log_probs=told.log_probs,
            prior_carry=carry,
            key=split[:, 0],
            num_steps=jnp.int32(0),
            hparams=hparams,
            run_instances=run_instances,
        )

    def restart(state: PPOState, data: Data, run_instances: jax.Array | None = None) -> PPOState:
        """New episodes in another bank; what was learnt stays."""
        fresh = init(state.key, state.hparams, data, run_instances)
        asked = jax.tree.map(jnp.add, state.prior_carry, fresh.prior_carry)
        return fresh._replace(
            params=state.params,
            opt_state=state.opt_state,
            prior_carry=asked,
            num_steps=state.num_steps,
        )

    def played(state: PPOState, data: Data) -> tuple[PPOState, Any]:
        return state, contexts(state, data)

    def sample(
        own: tuple[PPOState, Any], data: Data, keys: Any, env_state: Any, told: Told
    ) -> jax.Array:
        return _sample(keys, log_probs(own, env_state, data))

    def greedy(
        own: tuple[PPOState, Any], data: Data, keys: Any, env_state: Any, told: Told
    ) -> jax.Array:
        return jnp.argmax(log_probs(own, env_state, data), axis=-1).astype(jnp.int32)

    def log_probs(own: tuple[PPOState, Any], env_state: Any, data: Data) -> jax.Array:
        inputs = jax.vmap(policy.read, in_axes=(0, None))(env_state, data)
        return judge(*own, inputs, data).log_probs

    policies = {"sample": sample, "greedy": greedy}
    return Algorithm(
        jax.jit(init),
        jax.jit(restart),
        update,
        evaluation(env, asking.of(None), policies, played),
        tuple(policies),
        asks_in_play=False,
        means=("loss", *names),
    )


def _sample(keys: chex.PRNGKey, log_probs: jax.Array) -> jax.Array:
    """`i32[R, N]` draws from `f32[R, N, A]`, by keys `[R]`."""
    return jax.vmap(lambda key, p: sample_proposals(key, p, 1)[:, 0])(keys, log_probs)
