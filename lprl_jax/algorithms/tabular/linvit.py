"""LINVIT: optimistic value iteration on an unknown law, regularised towards a prior.

Tabular, with a finite horizon of H steps and rewards in [0, 1] that are known; the law is learnt
from counts of what was seen, `n_h(s, a)` and `n_h(s, a, s')`. Before every episode, with P̂ = n / n
(uniform where nothing was seen), a bonus u that falls with n, and V_{H+1} = 0:

    Q⁺_h = clip(r_h + P̂ V⁺_{h+1} + u_h, 0, H)        Q⁻_h = clip(r_h + P̂ V⁻_{h+1} - u_h, 0, H)
    V±_h(s) = λ log Σ_a p(a|s) exp(Q±_h(s,a) / λ)     π_h(a|s) ∝ p(a|s) exp(Q⁺_h(s,a) / λ)

The episode follows π, but for one step h', drawn uniformly from {0, ..., H}, at which it takes the
action of the widest gap Q⁺ - Q⁻; h' = 0 is π itself. A run stops when V⁺_1 - V⁻_1 ≤ ε at the start.

With a uniform prior it is optimistic maximum-entropy value iteration, UCBVI-Ent.

References: Zhang et al. 2024, How Can LLM Guide RL? A Value-Based Approach, arXiv 2402.16181,
algorithm 1; Tiapkin et al. 2023, Demonstration-Regularized RL, arXiv 2310.17303 (UCBVI-Ent+).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking, streams
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.losses import soft_value
from lprl_jax.algorithms.playing import play_by
from lprl_jax.algorithms.tabular.linvit_config import BONUSES, HParams, LINVITConfig, Spread
from lprl_jax.algorithms.tabular.linvit_problem import Problem, of_bank
from lprl_jax.algorithms.tabular.value_iteration import soft_policy
from lprl_jax.priors.base import Counters, Prior
from lprl_jax.priors.controls import UniformPrior
from lprl_jax.priors.sampling import choose_at, sample_proposals


class Bounds(NamedTuple):
    """On the best regularised values, from what was seen."""

    q_upper: jax.Array
    """f32[H, S, A]: Q⁺"""
    q_lower: jax.Array
    """f32[H, S, A]: Q⁻"""
    v_upper: jax.Array
    """f32[H, S]: V⁺"""
    v_lower: jax.Array
    """f32[H, S]: V⁻"""


class Seen(NamedTuple):
    """One episode."""

    state: jax.Array
    """i32[H]"""
    action: jax.Array
    """i32[H]"""
    outcome: jax.Array
    """i32[H]: which of the law's K outcomes came of it."""
    reward: jax.Array
    """f32[H]"""
    alive: jax.Array
    """bool[H]: whether the episode still went on."""


def bounds(config: LINVITConfig, problem: Problem, counts: jax.Array, hp: HParams) -> Bounds:
    """The recursion at the top of this file.

    Args:
        config: Horizon and kind of the bonus.
        problem: Rewards, legal actions and prior.
        counts: `f32[H, S, A, K]`: how often each outcome was seen. The next states that were ever
            seen are among the law's K, so that these are all of the counts `n_h(s, a, s')`.
        hp: Of this run.
    """
    law, horizon, bonus = problem.law, config.horizon, BONUSES[config.bonus]
    reward = jnp.sum(law.prob * law.reward, axis=-1)
    size = float(horizon * law.legal.size)

    def value(q: jax.Array) -> jax.Array:
        return jnp.where(problem.ended, 0.0, soft_value(q, problem.log_prior, hp.temperature))

    def backup(after: jax.Array, seen: jax.Array) -> tuple[jax.Array, Bounds]:
        visits = jnp.sum(seen, axis=-1)
        reached = after[law.next_state]

        def mean(of_outcomes: jax.Array, anywhere: jax.Array) -> jax.Array:
            """Under P̂: by the counts `[S, A, K]`, or over all states where nothing was seen."""
            by_counts = jnp.sum(seen * of_outcomes, axis=-1) / jnp.maximum(visits, 1.0)
            return jnp.where(visits > 0, by_counts, anywhere)

        upper, lower = (mean(reached[..., i], jnp.mean(after[:, i])) for i in range(2))
        away = jnp.square(reached[..., 0] - upper[..., None])
        spread = Spread(mean(away, jnp.var(after[:, 0])), upper - lower)
        log_term = jnp.log(size * (1.0 + visits) / hp.delta)
        u = jnp.minimum(hp.bonus_scale * bonus(horizon, visits, log_term, spread), horizon)
        q_upper = jnp.clip(reward + upper + u, 0.0, horizon)
        q_lower = jnp.clip(reward + lower - u, 0.0, horizon)
        v_upper, v_lower = value(q_upper), value(q_lower)
        after = jnp.stack([v_upper, v_lower], axis=-1)
        return after, Bounds(q_upper, q_lower, v_upper, v_lower)

    nothing = jnp.zeros((law.legal.shape[0], 2), jnp.float32)
    return jax.lax.scan(backup, nothing, counts, reverse=True)[1]


def play(
    config: LINVITConfig, key: chex.PRNGKey, problem: Problem, known: Bounds, hp: HParams
) -> Seen:
    """One episode by the law: π, with the widest gap at one step h'."""
    key_start, key_explore, key_steps = jax.random.split(key, 3)
    law, horizon = problem.law, config.horizon
    explore_at = jax.random.randint(key_explore, (), 0, horizon + 1, dtype=jnp.int32) - 1
    draws = jax.random.uniform(key_steps, (horizon, 2), dtype=jnp.float32)

    def step(state: jax.Array, now: tuple[jax.Array, ...]) -> tuple[jax.Array, Seen]:
        h, q_upper, q_lower, draw = now
        log_policy = soft_policy(q_upper[state], problem.log_prior[state], hp.temperature)
        gap = jnp.where(law.legal[state], (q_upper - q_lower)[state], -1.0)
        chosen = jnp.where(h == explore_at, jnp.argmax(gap), _pick(jnp.exp(log_policy), draw[0]))
        outcome = _pick(law.prob[state, chosen], draw[1])
        reward = law.reward[state, chosen, outcome]
        seen = Seen(state, chosen.astype(jnp.int32), outcome, reward, ~problem.ended[state])
        return law.next_state[state, chosen, outcome], seen

    start = _pick(problem.start, jax.random.uniform(key_start, dtype=jnp.float32))
    steps = jnp.arange(horizon, dtype=jnp.int32), known.q_upper, known.q_lower, draws
    return jax.lax.scan(step, start, steps)[1]


def count(counts: jax.Array, seen: Seen) -> jax.Array:
    """Counts `f32[H, R, S, A, K]` with an episode of every run `[H, R]` added."""
    step, run = jnp.indices(seen.state.shape, sparse=True)
    return counts.at[step, run, seen.state, seen.action, seen.outcome].add(seen.alive)


def gap_at_start(problem: Problem, known: Bounds) -> jax.Array:
    """`f32[]`: V⁺_1 - V⁻_1, over the states where episodes begin."""
    return jnp.sum(problem.start * (known.v_upper[0] - known.v_lower[0]))


class Policies(NamedTuple):
    """Q⁺ `f32[H, S, A]` of two episodes; with prior and λ each makes a policy."""

    last: jax.Array
    """Of the newest."""
    drawn: jax.Array
    """Of one that was drawn uniformly from all, and so plays the mixture of their policies."""


class LINVITState(NamedTuple):
    """Everything that changes in training."""

    params: Policies
    """[R]"""
    counts: jax.Array
    """f32[R, H, S, A, K]"""
    gap: jax.Array
    """f32[R]: V⁺_1 - V⁻_1 at the start, before the newest episode."""
    num_episodes: jax.Array
    """i32[R]: played; fixed once a run has stopped."""
    problem: Problem
    """[R]: a run may have a prior of its own."""
    prior_carry: Counters
    """What the prior was asked: once about every state of the bank."""
    key: chex.PRNGKey
    """[R]"""
    hparams: HParams
    """[R]"""
    run_instances: jax.Array
    """i32[R, 1]: the instance that a run plays."""


@checked(LINVITConfig)
def make(config: LINVITConfig, env: Env, prior: Prior | None = None) -> Algorithm:
    """LINVIT on an environment whose states are numbered, with a prior or the uniform one.

    The law is simulated from its table; the learner sees none of it but rewards and legal actions.

    Args:
        config: Settings.
        env: The environment.
        prior: Asked about every state beforehand; `None` is the uniform prior.

    Returns:
        `Algorithm`, whose `data` is `Data(prior.params, env_params)`, or `Data((), env_params)`.
        The metric `loss` is the gap at the start.

    Raises:
        InvalidInput: if states are not numbered; by `init`, if a run has several instances, or a
            reward lies outside of [0, 1].
    """
    if env.num_states is None:
        raise InvalidInput(
            f"{env.name} has too many states to number; LINVIT counts visits of each: make it "
            "smaller, or take another algorithm"
        )
    told_by: Prior = UniformPrior(env) if prior is None else prior

    plan, follow = functools.partial(bounds, config), functools.partial(play, config)

    def init(
        keys: chex.PRNGKey, hparams: HParams, data: Data, run_instances: jax.Array | None = None
    ) -> LINVITState:
        """Fresh runs: `keys [R]`, `hparams [R]`, `run_instances i32[R, 1]`."""
        num_runs = keys.shape[0]
        if run_instances is None:
            every = data.env_params.instances
            run_instances = jnp.broadcast_to(every, (num_runs, len(every)))
        if run_instances.shape[1] != 1:
            raise InvalidInput(
                f"a run has {run_instances.shape[1]} instances; LINVIT learns one: set "
                "env_params.instance_per_run=true, or name a bank of one"
            )
        each, carry = of_bank(env, told_by, data)
        problem = jax.tree.map(lambda x: x[run_instances[:, 0]], each)
        shape = num_runs, config.horizon, *problem.law.prob.shape[1:]
        nothing = jnp.zeros(shape[:-1], jnp.float32)
        return LINVITState(
            params=Policies(nothing, nothing),
            counts=jnp.zeros(shape, jnp.float32),
            gap=jnp.full(num_runs, float(config.horizon), jnp.float32),
            num_episodes=jnp.zeros(num_runs, jnp.int32),
            problem=problem,
            prior_carry=carry,
            key=streams.of(keys, "training"),
            hparams=hparams,
            run_instances=run_instances,
        )

    def restart(state: LINVITState, data: Data, run_instances: Any = None) -> LINVITState:
        """Another bank is another law: nothing that was learnt holds there."""
        fresh = init(state.key, state.hparams, data, run_instances)
        asked = state.prior_carry.plus(fresh.prior_carry)
        return fresh._replace(prior_carry=asked)

    def episode(state: LINVITState) -> tuple[LINVITState, dict[str, jax.Array]]:
        """One more of every run that has not stopped; what has a step axis leads with it."""
        keys = jax.vmap(lambda k: jax.random.split(k, 3))(state.key)
        problem, hp = state.problem, state.hparams
        known = jax.vmap(plan, (0, 1, 0), 1)(problem, state.counts, hp)
        gap = jax.vmap(gap_at_start, (0, 1))(problem, known)
        going = (gap > hp.epsilon) | (hp.epsilon == 0)
        seen = jax.vmap(follow, (0, 0, 1, 0), 1)(keys[:, 1], problem, known, hp)
        seen = seen._replace(alive=seen.alive & going[None])
        number = state.num_episodes + going
        # The n-th takes the place of what was drawn before with probability 1 / n.
        taken = going & (jax.vmap(jax.random.uniform)(keys[:, 2]) * number < 1)
        drawn = jnp.where(taken[None, :, None, None], known.q_upper, state.params.drawn)
        state = state._replace(
            params=Policies(known.q_upper, drawn),
            counts=count(state.counts, seen),
            gap=gap,
            num_episodes=number,
            key=keys[:, 0],
        )
        reward = jnp.sum(seen.reward, axis=0, where=seen.alive)
        return state, {"episodes": going, "steps": jnp.sum(seen.alive, axis=0), "reward": reward}

    def update(state: LINVITState, data: Data) -> tuple[LINVITState, dict[str, jax.Array]]:
        """`episodes_per_update` episodes of every run; metrics are `[R]`."""
        del data
        state, seen = jax.lax.scan(
            lambda s, _: episode(s), _swap(state), None, length=config.episodes_per_update
        )
        metrics = {name: jnp.sum(x, axis=0) for name, x in seen.items()}
        return _swap(state), {**metrics, "loss": state.gap}

    def follow_policy(name: str) -> Callable[..., jax.Array]:
        """The newest policy, or one drawn from all; after H steps as in the last."""

        def choose(
            state: LINVITState, data: Data, keys: chex.PRNGKey, env_state: Any, told: Told
        ) -> jax.Array:
            del told
            index = jax.vmap(jax.vmap(env.state_index, (0, None)), (0, None))(
                env_state, data.env_params
            )
            step = jnp.minimum(env_state.time, config.horizon - 1)

            def one(key: Any, q: Any, p: Any, temperature: Any, h: Any, s: Any) -> jax.Array:
                return sample_proposals(key, soft_policy(q[h, s], p[s], temperature), 1)[:, 0]

            q, log_prior = getattr(state.params, name), state.problem.log_prior
            temperature = state.hparams.temperature
            return jax.vmap(one)(keys, q, log_prior, temperature, step, index)

        return choose

    policies = {name: follow_policy(name) for name in Policies._fields}
    played = play_by(env, asking.of(None), policies)
    return Algorithm(init, restart, update, **played, asks_in_play=False)


def _swap(state: LINVITState) -> LINVITState:
    """Steps before runs, where there are steps: what all runs do in a step then lies together."""
    params = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), state.params)
    return state._replace(params=params, counts=jnp.swapaxes(state.counts, 0, 1))


def _pick(weights: jax.Array, draw: jax.Array) -> jax.Array:
    """`i32[]`: an index with probability ∝ `weights [n]`, by a uniform draw from [0, 1)."""
    return choose_at(draw[None], weights)[0]
