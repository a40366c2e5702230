"""What learners share that act by a policy and learn it, with critics, from a replay.

Until `learning_starts` steps were taken, actions are drawn uniformly and nothing is learnt. Then
every update is `rollout_length` steps of each environment, and `updates_per_rollout` gradient steps
on transitions drawn from all that is kept. What a gradient step is, a `Learner` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput
from lprl_envs.actions import bounds

from lprl_jax.algorithms import asking, policies, shifting
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.interaction import (
    begin_runs,
    legal_actions,
    observe,
    over_runs,
    step_envs,
)
from lprl_jax.algorithms.playing import play_by
from lprl_jax.algorithms.shifting import Advised
from lprl_jax.algorithms.value_based import replay
from lprl_jax.algorithms.value_based.replay import Replay
from lprl_jax.algorithms.value_based.replay_config import ReplayConfig
from lprl_jax.judges import Judge
from lprl_jax.priors.base import Counters, Prior


class Transition(NamedTuple):
    """What is learnt from: states, not observations."""

    state: Any
    """s_{t-1}"""
    action: jax.Array
    """i32[], or f32[d], a point of the box: a_{t-1}"""
    reward: jax.Array
    """f32[]: r_t, the environment's; where a learner gets it, with the shift."""
    terminated: jax.Array
    """bool[]: whether s_t is terminal. Truncation bootstraps."""
    next_state: Any
    """s_t, before any reset."""
    advice: Any = ()
    """`shifting.Kept`, with a judge."""


class Learnt(NamedTuple):
    """Networks of one run, or of R."""

    params: Any
    """Policy, critics, and whatever else is descended on."""
    target_params: Any
    """What follows them and is bootstrapped from."""
    opt_state: Any
    """Of Adam."""


class Learner(NamedTuple):
    """A kind of learner, of one run; of N states at once, or of B transitions."""

    init: Callable[..., Learnt]
    """`(key, states, hparams, data) -> Learnt`; the states are examples."""
    explore: Callable[..., jax.Array]
    """`(params, key, states [N], hparams, data) -> actions [N]`: to learn from."""
    learn: Callable[..., tuple[Learnt, dict[str, jax.Array]]]
    """`(learnt, key, batch [B], hparams, number, data) -> (learnt, metrics)`: gradient step number
    i32[], counted from 1."""
    policies: Mapping[str, Callable[..., jax.Array]]
    """How to act when nothing is learnt: `(params, key, states [N], data) -> actions [N]`."""
    metrics: tuple[str, ...]
    """Names of what `learn` tells, f32[] each; `loss` is the critics'."""


class ReplayState(NamedTuple):
    """Everything that changes in training."""

    params: Any
    """Leading axis R, like the next two; see `Learnt`."""
    target_params: Any
    opt_state: Any
    replay: Replay
    """Transitions, leading axes R and capacity."""
    env_state: Any
    """Leading axes R and N."""
    prior_carry: Counters
    """What a prior was asked: nothing."""
    advised: Advised
    """What the judge says."""
    key: chex.PRNGKey
    """[R]"""
    num_steps: jax.Array
    """i32[]: environment steps a run."""
    num_updates: jax.Array
    """i32[]: gradient steps a run."""
    hparams: Any
    """[R]"""
    run_instances: jax.Array
    """i32[R, m]: the instances that a run plays."""


def observe_as_vectors(env: Env, state: Any, env_params: Any) -> jax.Array:
    """`f32[..., features]` of states of any leading shape; an index becomes a one-hot vector."""
    no_key = jax.random.key(0)  # observations are functions of the state
    obs = observe(env, no_key, state, env_params)
    if jnp.issubdtype(obs.dtype, jnp.integer):
        return jax.nn.one_hot(obs, env.numbered_states, dtype=jnp.float32)
    return obs


def at_random(env: Env, key: chex.PRNGKey, state: Any, env_params: Any) -> jax.Array:
    """Actions `[N]` for states `[N]`: uniform over the box, or over the legal ones."""
    if not env.is_continuous:
        return policies.uniform(key, legal_actions(env, state, env_params))
    box = bounds(env, env_params)
    shape = (*state.time.shape, *box.low.shape)
    return box.of_unit(jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0))


def require_no_prior(name: str, prior: Prior | None) -> None:
    """Raise InvalidInput if there is a prior, of which an algorithm would make no use."""
    if prior is not None:
        raise InvalidInput(f"{name} learns without a prior, but the prior is {prior.name!r}; None")


def make(config: ReplayConfig, env: Env, learner: Learner, judge: Judge | None = None) -> Algorithm:
    """The algorithm that a kind of learner makes.

    Args:
        config: Of the learner.
        env: The environment.
        learner: Of one run.
        judge: Its verdicts shift the reward that is learnt from; see `shifting`.

    Returns:
        `Algorithm`, whose `data` is `Data((), env_params)`, with a judge also
        `judge_params=judge.params`.
    """
    asker, shift = asking.of(None), shifting.of(judge, config, env)

    def actions(state: ReplayState, keys: chex.PRNGKey, data: Data) -> jax.Array:
        """`[R, N, ...]`: to learn from, where the environments stand."""
        own = state.params, keys, state.env_state, state.hparams

        def explore() -> jax.Array:
            return over_runs(learner.explore, (0, 0, 0, 0, None))(*own, data)

        def draw() -> jax.Array:
            return jax.vmap(lambda k, s: at_random(env, k, s, data.env_params))(*own[1:3])

        return jax.lax.cond(state.num_steps < config.learning_starts, draw, explore)

    def collect(state: ReplayState, data: Data) -> tuple[ReplayState, dict[str, jax.Array]]:
        """One step of every environment, into the replay."""
        keys = jax.vmap(lambda k: jax.random.split(k, 3))(state.key)
        action = actions(state, keys[:, 1], data)
        env_keys = jax.vmap(lambda k: jax.random.split(k, config.num_envs))(keys[:, 2])
        own = state.env_state, action, data.env_params, state.run_instances
        step = step_envs(env, env_keys, *own)
        weight = shift.scale_in_collecting(state.hparams, state.num_steps)
        judged = state.advised, state.key, state.env_state, action, step, weight, data
        advised, advice, said = shift.follow(*judged)
        ended = step.terminated, step.final_state
        seen = Transition(state.env_state, action, step.reward, *ended, advice)
        state = state._replace(
            replay=replay.add(state.replay, seen),
            env_state=step.state,
            advised=advised,
            key=keys[:, 0],
            num_steps=state.num_steps + config.num_envs,
        )
        done = step.terminated | step.truncated
        return state, {"episodes": jnp.sum(done, 1), "reward": jnp.sum(step.reward, 1), **said}

    def learn(state: ReplayState, data: Data) -> tuple[ReplayState, dict[str, jax.Array]]:
        """One gradient step of every run."""
        keys = jax.vmap(lambda k: jax.random.split(k, 3))(state.key)
        batch = replay.sample(state.replay, keys[:, 1], config.batch_size)
        scale = shift.scale(state.hparams, state.num_steps)
        reward = jax.vmap(shift.reward)(batch.reward, batch.advice, scale, state.hparams.gamma)
        batch = batch._replace(reward=reward)
        learnt, number = _learnt(state), state.num_updates + 1
        learnt, told = over_runs(learner.learn, (0, 0, 0, 0, None, None))(
            learnt, keys[:, 2], batch, state.hparams, number, data
        )
        return state._replace(**learnt._asdict(), key=keys[:, 0], num_updates=number), told

    def lessons(state: ReplayState, data: Data) -> tuple[ReplayState, dict[str, jax.Array]]:
        """A learning phase, once there is enough to learn from; metrics are means over it."""

        def study(of: Any) -> Any:
            own = state._replace(**of)
            own, told = jax.lax.scan(
                lambda s, _: learn(s, data), own, None, length=config.updates_per_rollout
            )
            return {name: getattr(own, name) for name in of}, jax.tree.map(_mean, told)

        def wait(of: Any) -> Any:
            return of, {name: jnp.zeros(state.key.shape, jnp.float32) for name in learner.metrics}

        # Not the replay, which a branch would copy.
        changes = (*Learnt._fields, "key", "num_updates")
        is_time = state.num_steps >= config.learning_starts
        of = {name: getattr(state, name) for name in changes}
        of, told = jax.lax.cond(is_time, study, wait, of)
        return state._replace(**of), told

    def update(state: ReplayState, data: Data) -> tuple[ReplayState, dict[str, jax.Array]]:
        """Collect `rollout_length` steps, then learn; metrics are `[R]`, of these steps."""
        state, seen = jax.lax.scan(
            lambda s, _: collect(s, data), state, None, length=config.rollout_length
        )
        state, told = lessons(state, data)
        return state, {**{name: jnp.sum(x, axis=0) for name, x in seen.items()}, **told}

    def init(
        keys: chex.PRNGKey, hparams: Any, data: Data, run_instances: jax.Array | None = None
    ) -> ReplayState:
        """Fresh runs; see `interaction.begin_runs`."""
        runs = begin_runs(env, asker, keys, data, run_instances, config.num_envs)
        learnt = jax.vmap(learner.init, (0, 0, 0, None))(
            runs.key_params, runs.env_state, hparams, data
        )
        one = jax.tree.map(lambda x: x[0, 0], runs.env_state)
        action = at_random(env, keys[0], jax.tree.map(lambda x: x[None], one), data.env_params)[0]
        item = Transition(one, action, jnp.float32(0.0), jnp.bool_(False), one, shift.nothing)
        return ReplayState(
            **learnt._asdict(),
            replay=replay.init(item, keys.shape[0], config.buffer_size),
            env_state=runs.env_state,
            prior_carry=runs.prior_carry,
            advised=shift.begin(keys, runs.env_state, data),
            key=runs.key,
            num_steps=jnp.int32(0),
            num_updates=jnp.int32(0),
            hparams=hparams,
            run_instances=runs.run_instances,
        )

    def restart(
        state: ReplayState, data: Data, run_instances: jax.Array | None = None
    ) -> ReplayState:
        """New episodes in another bank, and an empty replay; what was learnt stays."""
        fresh = init(state.key, state.hparams, data, run_instances)
        kept = {name: getattr(state, name) for name in (*Learnt._fields, "num_steps")}
        advised = fresh.advised.after(state.advised)
        return fresh._replace(**kept, advised=advised, num_updates=state.num_updates)

    def play(act: Callable[..., jax.Array]) -> Any:
        """A way to act, of all runs."""

        def policy(
            state: ReplayState, data: Data, keys: Any, env_state: Any, told: Told
        ) -> jax.Array:
            return over_runs(act, (0, 0, 0, None))(state.params, keys, env_state, data)

        return policy

    ways = {name: play(act) for name, act in learner.policies.items()}
    return Algorithm(
        jax.jit(init),
        jax.jit(restart),
        update,
        **play_by(env, asker, ways),
        asks_in_play=False,
        means=learner.metrics,
    )


def _learnt(state: ReplayState) -> Learnt:
    return Learnt(state.params, state.target_params, state.opt_state)


def _mean(x: jax.Array) -> jax.Array:
    return jnp.mean(x, axis=0)
