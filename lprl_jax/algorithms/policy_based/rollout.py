"""Acting by a policy with values, and what there is to learn from it: advantages and targets.

Runs lead, `[R, N]`; a roll-out is T steps of every environment.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.asking import Asker
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import ask_prior, over_runs, step_envs
from lprl_jax.algorithms.policy_based import gae, policy_losses
from lprl_jax.algorithms.policy_based.actor_critic import ActorCritic, Judgement
from lprl_jax.algorithms.policy_based.divergence import Divergence
from lprl_jax.priors.base import evaluate_where_needed
from lprl_jax.priors.sampling import proposals_at, sample_proposals

FINAL_STATES = 64
"""Last states of truncated episodes that are valued at a time."""


class Seen(NamedTuple):
    """What one step of acting leaves behind, `[R, N]`."""

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
    final_inputs: Any
    """What the policy would look at in the state reached, before any reset."""


class Lesson(NamedTuple):
    """What is learnt from, of one step; the first fields are those of `Seen`."""

    inputs: Any
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    kept: Any
    advantage: jax.Array
    """f32"""
    target: jax.Array
    """f32: what the value is moved to."""


class Chance(NamedTuple):
    """What is drawn for a step, `[R, N]`; for a roll-out at once, since drawing little by little
    takes longer than small environments and networks do.
    """

    action: jax.Array
    """f32 in [0, 1): which action is sampled."""
    env_keys: chex.PRNGKey
    """Of the environments' steps."""
    proposal_keys: chex.PRNGKey
    """`[R]`: of what is kept of the prior."""


def draw(keys: chex.PRNGKey, num_steps: int, num_envs: int) -> Chance:
    """For T steps `[T, R, N]`, by keys `[R]`."""

    def of_run(key: chex.PRNGKey) -> Chance:
        action, env, proposal = jax.random.split(key, 3)
        steps = num_steps, num_envs
        return Chance(
            jax.random.uniform(action, steps, dtype=jnp.float32),
            jax.random.split(env, steps),
            jax.random.split(proposal, num_steps),
        )

    return jax.tree.map(_steps_first, jax.vmap(of_run)(keys))


def _steps_first(x: jax.Array) -> jax.Array:
    """`[R, T, ...]` as `[T, R, ...]`. Keys by their words: JAX's check for keys that are used twice
    takes those that were transposed for used.
    """
    if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jnp.swapaxes(x, 0, 1)
    words = jnp.swapaxes(jax.random.key_data(x), 0, 1)
    return jax.random.wrap_key_data(words, impl=jax.random.key_impl(x))


def judge(
    policy: ActorCritic, params: Any, contexts: Any, env_state: Any, data: Data
) -> tuple[Any, Judgement]:
    """What each run's policy looks at in states `[R, N]`, and what it says of them."""
    inputs = jax.vmap(policy.read, in_axes=(0, None))(env_state, data)
    judged = over_runs(policy.apply, in_axes=(0, 0, 0, None))(params, contexts, inputs, data)
    return inputs, judged


def sample(keys: chex.PRNGKey, log_probs: jax.Array) -> jax.Array:
    """`i32[R, N]` draws from `f32[R, N, A]`, by keys `[R]`."""
    return jax.vmap(lambda key, p: sample_proposals(key, p, 1)[:, 0])(keys, log_probs)


def act(
    env: Env,
    asker: Asker,
    policy: ActorCritic,
    divergence: Divergence,
    state: Any,
    contexts: Any,
    chance: Chance,
    data: Data,
) -> tuple[Any, Seen]:
    """One step of every environment of a learner's state."""
    inputs, judged = judge(policy, state.params, contexts, state.env_state, data)
    action = proposals_at(chance.action[..., None], judged.log_probs)[..., 0]
    step = step_envs(
        env, chance.env_keys, state.env_state, action, data.env_params, state.run_instances
    )
    every = jnp.ones(action.shape, bool)
    told, carry = ask_prior(asker, data, state.prior_carry, step.state, every)
    seen = Seen(
        inputs=inputs,
        action=action,
        log_prob=policy_losses.of_action(judged.log_probs, action),
        value=judged.value,
        kept=jax.vmap(divergence.remember)(chance.proposal_keys, state.log_probs),
        reward=step.reward,
        terminated=step.terminated,
        truncated=step.truncated,
        final_inputs=jax.vmap(policy.read, in_axes=(0, None))(step.final_state, data),
    )
    state = state._replace(
        env_state=step.state,
        log_probs=told.log_probs,
        prior_carry=carry,
        num_steps=state.num_steps + action.shape[1],
    )
    return state, seen


def lessons(
    policy: ActorCritic,
    params: Any,
    context: Any,
    gamma: jax.Array,
    gae_lambda: jax.Array,
    seen: Seen,
    env_state: Any,
    data: Data,
) -> Lesson:
    """Of one run's roll-out `seen [T, N]`, which led to `env_state [N]`: `[T * N]`."""

    def value_of(inputs: Any) -> jax.Array:
        return policy.apply(params, context, inputs, data).value

    # An episode out of time goes on from the state that it had reached; few steps end one.
    out_of_time = seen.truncated & ~seen.terminated
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen.final_inputs)
    final = evaluate_where_needed(
        lambda inputs: value_of(inputs)[:, None], rows, out_of_time.reshape(-1), FINAL_STATES, 1
    )
    following = jnp.concatenate([seen.value[1:], value_of(policy.read(env_state, data))[None]])
    advantage = gae.advantages(
        r_t=seen.reward,
        discount_t=gamma * (1.0 - seen.terminated),
        continues_t=1.0 - (seen.terminated | seen.truncated),
        v_tm1=seen.value,
        v_t=jnp.where(out_of_time, final.reshape(out_of_time.shape), following),
        lambda_=gae_lambda,
    )
    lesson = Lesson(*seen[:5], advantage, advantage + seen.value)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), lesson)
