"""How learners play without learning: episodes to their end, and single states of anybody's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, threefry

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.asking import Asker, Told
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import ask_prior, begin, step_envs
from lprl_jax.priors.base import Counters

Policy = Callable[[chex.PRNGKey, Any, Told], jax.Array]
"""`(keys [R], states [R, N], told [R, N]) -> actions i32[R, N]`"""


def play_by(
    env: Env,
    asker: Asker,
    policies: Mapping[str, Callable[..., jax.Array]],
    prepare: Callable[[Any, Data], Any] = lambda state, data: state,
) -> dict[str, Any]:
    """How a learner plays: fields of `Algorithm`, by policies of its state, the first its own.

    Args:
        env: The environment.
        asker: Asks the prior in every state, if there is one.
        policies: `(state, data, keys [R], states [R, N], told [R, N]) -> actions i32[R, N]`, by
            name. `state` has the learner's `key [R]`, `run_instances` and `prior_carry`.
        prepare: `(state, data) -> state` as policies take it: what is computed once, not at every
            step.
    """
    own = next(iter(policies))

    def policy_of(name: str, state: Any, data: Data) -> Policy:
        if name not in policies:
            raise InvalidInput(f"unknown policy {name!r}; valid: {', '.join(policies)}")
        return functools.partial(policies[name], prepare(state, data), data)

    def evaluate(
        state: Any, data: Data, num_episodes: int, policy: str = own
    ) -> dict[str, jax.Array]:
        """Play without learning, by one of the policies."""
        chosen = policy_of(policy, state, data)
        keys = streams.of(state.key, "evaluation")
        where = state.run_instances, num_episodes, asker.resume(state.prior_carry)
        return play_episodes(env, asker, chosen, keys, data, *where)

    def act(
        state: Any, data: Data, env_state: Any, keys: chex.PRNGKey, policy: str = own
    ) -> jax.Array:
        """What is done in states `[R, N]`, by one of the policies."""
        every = jnp.ones(env_state.time.shape, bool)
        told, _ = ask_prior(asker, data, asker.resume(state.prior_carry), env_state, every)
        return policy_of(policy, state, data)(keys, env_state, told)

    return {
        "evaluate": jax.jit(evaluate, static_argnames=("num_episodes", "policy")),
        "policies": tuple(policies),
        "act": jax.jit(act, static_argnames="policy"),
    }


def play_episodes(
    env: Env,
    asker: Asker,
    policy: Policy,
    keys: chex.PRNGKey,
    data: Data,
    run_instances: jax.Array,
    num_episodes: int,
    carry: Counters | None = None,
) -> dict[str, jax.Array]:
    """Play `num_episodes` episodes a run to their end, without learning.

    Args:
        env: The environment.
        asker: Asks the prior in every state, if there is one.
        policy: Chooses the actions.
        keys: `[R]`.
        data: Of the prior and the environment.
        run_instances: `i32[R, m]`.
        num_episodes: A run.
        carry: Of the asker, with what a prior remembers; None for none. What is met here is
            forgotten again.

    Returns:
        `return`, `success` and `length`, f32[R], means over the episodes. An episode is a success
        if it meets a solved state, whatever else was tried: illegal actions, which no policy here
        takes, would change nothing. In gymnax's own environments no state is solved, and `success`
        is 0.
        The prior is asked once a step.
    """
    keys = jax.vmap(lambda k: jax.random.split(k, 2))(threefry.written_out(keys))
    begun = env, asker, keys[:, 1], data, run_instances, num_episodes, carry
    env_state, told, carry = begin(*begun)

    def solved(state: Any) -> jax.Array:
        return env.is_solved(state, data.env_params)

    def step_once(loop: tuple[Any, ...]) -> tuple[Any, ...]:
        keys, env_state, told, carry, playing, total, success, length = loop
        split = jax.vmap(lambda k: jax.random.split(k, 3))(keys)
        action = policy(split[:, 1], env_state, told)
        step_keys = jax.vmap(lambda k: jax.random.split(k, num_episodes))(split[:, 2])
        step = step_envs(env, step_keys, env_state, action, data.env_params, run_instances)
        length += playing
        total += jnp.where(playing, step.reward, 0.0)
        success |= playing & jax.vmap(jax.vmap(solved))(step.final_state)
        playing &= ~(step.terminated | step.truncated)
        told, carry = ask_prior(asker, data, carry, step.state, playing)
        return split[:, 0], step.state, told, carry, playing, total, success, length

    zeros = jnp.zeros((keys.shape[0], num_episodes), jnp.float32)
    start = (keys[:, 0], env_state, told, carry, zeros == 0, zeros, zeros > 0, zeros)
    *_, total, success, length = jax.lax.while_loop(lambda loop: jnp.any(loop[4]), step_once, start)
    totals = {"return": total, "success": success, "length": length}
    return {name: jnp.mean(x, axis=1) for name, x in totals.items()}
