"""DQN, and DQN-Prior: acting and bootstrapping among actions that a prior proposes.

With a prior, k actions are drawn from it in every state, with replacement, and one of them is taken
with probability softmax(Q / α): posterior sampling in control as inference. The target takes the
maximum over the k proposals at the next state, drawn when the transition was collected:

    y = r + γ (1 - terminated) max_{a' in C_k(s')} Q̄(s', a')

With k = "exact" both are exact: behaviour ∝ p(a|s) exp(Q(s,a) / α), which is what the above tends
to as k grows, and target r + γ (1 - terminated) α log Σ_a p(a|s') exp(Q̄(s',a) / α).

Without a prior it is DQN: ε-greedy, maximum over the legal actions. With `count_bonus` learning is
paid for what was seldom done beside r, whoever acts.

Q-networks read the environment's observation, or what the prior's own model reads in the state's
text.

References: Mnih et al. 2015, Human-level control through deep reinforcement learning; Yan et al.
2024, Efficient Reinforcement Learning with Large Language Model Priors, arXiv 2410.07927, sec. 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from lprl_jax.algorithms import asking, descent, shifting, streams
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.interaction import (
    ask_prior_after,
    begin_runs,
    legal_actions,
    over_runs,
    step_envs,
)
from lprl_jax.algorithms.playing import play_by
from lprl_jax.algorithms.shifting import Advised
from lprl_jax.algorithms.value_based import control, count_bonus, q_learning
from lprl_jax.algorithms.value_based.dqn_config import DQNConfig, HParams
from lprl_jax.algorithms.value_based.q_learning import Transition
from lprl_jax.judges import Judge
from lprl_jax.priors.base import Counters, Prior


class DQNState(NamedTuple):
    """Everything that changes in training."""

    params: Any
    """Q-networks, leading axis R."""
    target_params: Any
    """Target networks, leading axis R."""
    opt_state: Any
    """Of Adam, leading axis R."""
    replay: Any
    """Transitions, leading axes R and capacity; with a bonus also counts: see `count_bonus`."""
    env_state: Any
    """Leading axes R and N."""
    log_probs: Any
    """f32[R, N, A]: the prior in `env_state`; () without one."""
    features: Any
    """f32[R, N, *feature_shape]: there too; () where Q-networks read observations."""
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


class Chance(NamedTuple):
    """What is drawn for a step, leading axis R; for a roll-out at once, see `Control`."""

    key: chex.PRNGKey
    """[R]: of the learner before the step."""
    acting: Any
    """[R, N, ...]: `Control.chances`."""
    env_keys: chex.PRNGKey
    """[R, N]: of the environments' steps."""
    keeping: Any
    """[R, N, ...]: `Control.chances_kept`."""


@checked(DQNConfig)
def make(
    config: DQNConfig, env: Env, prior: Prior | None = None, judge: Judge | None = None
) -> Algorithm:
    """DQN on an environment, with a prior or without, with a judge or without.

    Args:
        config: Settings.
        env: The environment.
        prior: `None` is the baseline.
        judge: Its verdicts shift the reward that is learnt from; see `shifting`.

    Returns:
        `Algorithm`, whose `data` is `Data(prior.params, env_params)`, or `Data((), env_params)`;
        with a judge also `judge_params=judge.params`.

    Raises:
        InvalidInput: if Q-networks are to read features and the prior has none, or a bonus is to be
            paid by counts of states that are not numbered.
    """
    asker = asking.of(prior, config.reads_features)
    q_function = q_learning.q_function(env, asker, config.hidden_sizes, config.optimism)
    optimizer = descent.optimizer(config.max_grad_norm)
    kind = control.of(prior, config.k)
    shift = shifting.of(judge, config, env)
    store = count_bonus.store(config.count_bonus, env)

    def values(state: DQNState, data: Data) -> tuple[jax.Array, jax.Array]:
        """Q-values `f32[R, N, A]` where the environments stand, and legal actions."""
        own = state.params, state.env_state, state.features
        q = jax.vmap(lambda p, s, f: q_function.apply(p, s, f, data))(*own)
        return q, legal_actions(env, state.env_state, data.env_params)

    def draw(keys: chex.PRNGKey) -> tuple[chex.PRNGKey, Chance]:
        """The next keys `[R]`, and what the steps until then draw, leading axis T."""

        def step_on(keys: chex.PRNGKey, _: None) -> tuple[chex.PRNGKey, tuple[Any, ...]]:
            own = jax.vmap(lambda k: jax.random.split(k, 4))(keys)
            return own[:, 0], (keys, own[:, 1], own[:, 2], own[:, 3])

        last, own = jax.lax.scan(step_on, keys, None, length=config.rollout_length)
        first, acting, envs, keeping = own

        def of_each(make: Callable[[chex.PRNGKey, int], Any], keys: chex.PRNGKey) -> Any:
            return jax.vmap(jax.vmap(lambda k: make(k, config.num_envs)))(keys)

        drawn = of_each(kind.chances, acting), of_each(jax.random.split, envs)
        return last, Chance(first, *drawn, of_each(kind.chances_kept, keeping))

    def collect(
        state: DQNState, chance: Chance, data: Data
    ) -> tuple[DQNState, dict[str, jax.Array]]:
        """One step of every environment, into the replay buffer."""
        fraction = jnp.minimum(state.num_steps / state.hparams.epsilon_steps, 1.0)
        epsilon = 1.0 + fraction * (state.hparams.epsilon - 1.0)
        q, mask = values(state, data)
        scale = shifting.scale_at(state.hparams, state.num_steps)
        q += shift.bonus(state.advised.verdicts, state.env_state, scale, data)
        action = jax.vmap(kind.behave)(
            chance.acting, q, state.log_probs, mask, epsilon, state.hparams.alpha
        )
        step = step_envs(
            env, chance.env_keys, state.env_state, action, data.env_params, state.run_instances
        )
        final, told, carry = ask_prior_after(asker, data, state.prior_carry, step)
        weight = shift.scale_in_collecting(state.hparams, state.num_steps)
        advised, advice, said = shift.follow(
            state.advised, chance.key, state.env_state, action, step, weight, data
        )
        transition = Transition(
            state=state.env_state,
            action=action,
            reward=step.reward,
            terminated=step.terminated,
            next_state=step.final_state,
            next_prior=jax.vmap(kind.remember)(chance.keeping, final.log_probs),
            features=state.features,
            next_features=final.features,
            advice=advice,
        )
        state = state._replace(
            replay=store.add(state.replay, transition, state.run_instances, data.env_params),
            env_state=step.state,
            log_probs=told.log_probs,
            features=told.features,
            prior_carry=carry,
            advised=advised,
            num_steps=state.num_steps + config.num_envs,
        )
        done = step.terminated | step.truncated
        return state, {"episodes": jnp.sum(done, 1), "reward": jnp.sum(step.reward, 1), **said}

    def learn(state: DQNState, data: Data) -> tuple[DQNState, jax.Array]:
        """One gradient step of every run."""
        keys = jax.vmap(jax.random.split)(state.key)
        drawn = keys[:, 1], config.batch_size, state.run_instances, data.env_params
        batch = store.sample(state.replay, *drawn)

        def one(params: Any, target: Any, opt_state: Any, hp: HParams, batch: Transition) -> Any:
            scale = shift.scale(hp, state.num_steps)
            reward = shift.reward(batch.reward, batch.advice, scale, hp.gamma)
            shifted, ahead = batch._replace(reward=reward), shift.ahead(batch.advice, scale)

            def loss(params: Any) -> jax.Array:
                of = env, q_function, kind, params, target, hp, shifted, data, ahead
                return jnp.mean(q_learning.td_losses(*of)[1])

            params, opt_state, value = descent.descend(
                loss, optimizer, hp.learning_rate, params, opt_state
            )
            return params, optax.incremental_update(params, target, hp.tau), opt_state, value

        own = state.params, state.target_params, state.opt_state, state.hparams, batch
        params, target, opt_state, value = over_runs(one, (0,) * 5)(*own)
        state = state._replace(
            params=params, target_params=target, opt_state=opt_state, key=keys[:, 0]
        )
        return state, value

    def init(
        keys: chex.PRNGKey, hparams: HParams, data: Data, run_instances: jax.Array | None = None
    ) -> DQNState:
        """Fresh runs; see `interaction.begin_runs`."""
        runs = begin_runs(env, asker, keys, data, run_instances, config.num_envs)
        one, of_one = _first(runs.env_state), _first(runs.told)
        params = jax.vmap(lambda k: q_function.init(k, one, of_one.features, data))(runs.key_params)
        drawn = kind.chances_kept(streams.of(keys[0], "start"), config.num_envs)
        kept = kind.remember(drawn, of_one.log_probs)
        none, no, features = jnp.float32(0.0), jnp.bool_(False), _first(of_one.features)
        advised = shift.begin(keys, runs.env_state, data)
        of_state = _first(one), _first(kept), features, features
        item = Transition(_first(one), jnp.int32(0), none, no, *of_state, shift.nothing)
        return DQNState(
            params=params,
            target_params=params,
            opt_state=jax.vmap(optimizer.init)(params),
            replay=store.init(item, runs.run_instances, config.buffer_size),
            env_state=runs.env_state,
            log_probs=runs.told.log_probs,
            features=runs.told.features,
            prior_carry=runs.prior_carry,
            advised=advised,
            key=runs.key,
            num_steps=jnp.int32(0),
            hparams=hparams,
            run_instances=runs.run_instances,
        )

    def restart(state: DQNState, data: Data, run_instances: jax.Array | None = None) -> DQNState:
        """New episodes in another bank, and an empty replay; what was learnt stays.

        The replay holds states of the old bank, which mean nothing in the new one.
        """
        fresh = init(state.key, state.hparams, data, run_instances)
        asked = state.prior_carry.plus(fresh.prior_carry)
        return fresh._replace(
            params=state.params,
            target_params=state.target_params,
            opt_state=state.opt_state,
            prior_carry=asked,
            advised=fresh.advised.after(state.advised),
            num_steps=state.num_steps,
        )

    def update(state: DQNState, data: Data) -> tuple[DQNState, dict[str, jax.Array]]:
        """Collect `rollout_length` steps, then learn; metrics are `[R]`, of these steps."""
        key, chances = draw(state.key)
        state, seen = jax.lax.scan(lambda s, chance: collect(s, chance, data), state, chances)
        state = state._replace(key=key)
        state, value = jax.lax.scan(
            lambda s, _: learn(s, data), state, None, length=config.updates_per_rollout
        )
        metrics = {name: jnp.sum(x, axis=0) for name, x in seen.items()}
        return state, {**metrics, "loss": jnp.mean(value, axis=0)}

    def play(act: control.Policy) -> Any:
        """A policy of `control` with the learner's values."""

        def policy(state: DQNState, data: Data, keys: Any, env_state: Any, told: Told) -> jax.Array:
            q, mask = values(state._replace(env_state=env_state, features=told.features), data)
            scale = shifting.scale_at(state.hparams, state.num_steps)
            q += shift.bonus(told.advice, env_state, scale, data)
            return jax.vmap(act)(keys, q, told.log_probs, mask, state.hparams.alpha)

        return policy

    policies = {name: play(act) for name, act in kind.policies.items()}
    return Algorithm(
        jax.jit(init),
        jax.jit(restart),
        update,
        **play_by(env, shift.in_play(asker), policies),
    )


def _first(tree: Any) -> Any:
    """The first of each leaf's rows."""
    return jax.tree.map(lambda x: x[0], tree)
