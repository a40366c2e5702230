"""Transitions for learning offline: behaviours act in `[R, N]` environments, in one compiled scan.

A behaviour is drawn for every episode, by the shares of the mixture. Every run draws from its own
key, so that intervals over runs cover the chance in the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput
from lprl_envs.actions import require_discrete

from lprl_jax.algorithms import arguments, asking, streams
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import ask_prior_after, begin, legal_actions, step_envs
from lprl_jax.algorithms.ties import Ties
from lprl_jax.datasets.dataset import Dataset
from lprl_jax.priors.base import Counters, Prior, normalize
from lprl_jax.priors.sampling import sample_proposals


class Behaviour(NamedTuple):
    """A way to act, of all runs at once."""

    act: Callable[..., jax.Array]
    """`(params, keys [R], states [R, N], log_probs [R, N, A], legal bool[R, N, A], data)`, to
    actions i32[R, N]"""
    params: Any = ()
    """Networks, leading axis R."""


def at_random() -> Behaviour:
    """Legal actions, all alike."""

    def act(params: Any, keys: Any, states: Any, log_probs: Any, legal: Any, data: Any) -> Any:
        return _draw(keys, jnp.where(legal, 0.0, -jnp.inf))

    return Behaviour(act)


def by_the_prior() -> Behaviour:
    """Actions drawn from the prior."""

    def act(params: Any, keys: Any, states: Any, log_probs: Any, legal: Any, data: Any) -> Any:
        return _draw(keys, log_probs)

    return Behaviour(act)


def collect(
    env: Env,
    prior: Prior | None,
    behaviours: Sequence[Behaviour],
    shares: Sequence[float],
    keys: chex.PRNGKey,
    data: Data,
    run_instances: jax.Array,
    num_steps: int,
    num_envs: int = 1,
) -> tuple[Dataset, Counters]:
    """Act, and keep everything.

    Args:
        env: The environment.
        prior: Whose log-probabilities are kept; None where none are needed.
        behaviours: What acts.
        shares: Of the episodes, above 0, that each behaviour acts in.
        keys: `[R]`
        data: Of the prior and the environment.
        run_instances: `i32[R, m]`: the instances that a run plays.
        num_steps: T, transitions a run; a multiple of `num_envs`.
        num_envs: N, environments a run.

    Returns:
        R runs of T transitions, a run's environments taking turns; and what the prior was asked:
        one question a step, as in training.

    Raises:
        InvalidInput: if a number or a share is out of range, prior, bank and environment do not
            belong together, or actions are continuous.
    """
    require_discrete(env, "a dataset holds")
    if min(num_steps, num_envs) < 1 or num_steps % num_envs:
        raise InvalidInput(
            f"steps is {num_steps}; it must be a multiple of the {num_envs} environments, 1 or more"
        )
    if len(shares) != len(behaviours) or not all(share > 0 for share in shares):
        raise InvalidInput(f"shares are {tuple(shares)}; each behaviour needs one above 0")
    num_runs = arguments.require_keys(keys)
    ties = Ties(env, prior)
    ties.data(data)
    ties.run_instances(run_instances, data, num_runs)
    asker = asking.of(prior)
    log_shares = jnp.log(jnp.array(shares, jnp.float32))

    def choose(keys: chex.PRNGKey) -> jax.Array:
        """A behaviour for an episode in each environment, `i32[R, N]`."""
        return _draw(keys, jnp.broadcast_to(log_shares, (len(keys), num_envs, len(shares))))

    def step_once(params: Any, data: Data, own: jax.Array, loop: Any) -> tuple[Any, Dataset]:
        keys, env_state, told, which, carry = loop
        split = jax.vmap(lambda k: jax.random.split(k, 4))(keys)
        legal = legal_actions(env, env_state, data.env_params)
        of = split[:, 1], env_state, told.log_probs, legal, data
        actions = [b.act(p, *of) for b, p in zip(behaviours, params, strict=True)]
        action = jnp.take_along_axis(jnp.stack(actions), which[None], axis=0)[0]
        env_keys = jax.vmap(lambda k: jax.random.split(k, num_envs))(split[:, 2])
        step = step_envs(env, env_keys, env_state, action, data.env_params, own)
        final, told_next, carry = ask_prior_after(asker, data, carry, step)
        seen = Dataset(
            state=env_state,
            action=action,
            reward=step.reward,
            terminated=step.terminated,
            truncated=step.truncated,
            next_state=step.final_state,
            action_mask=legal,
            behaviour=which,
            log_probs=told.log_probs,
            next_log_probs=_uniform_at_the_end(
                env, data, step.final_state, step.terminated, final.log_probs
            ),
        )
        done = step.terminated | step.truncated
        which = jnp.where(done, choose(split[:, 3]), which)
        return (split[:, 0], step.state, told_next, which, carry), seen

    @jax.jit
    def run(params: Any, keys: Any, data: Data, own: jax.Array) -> tuple[Dataset, Counters]:
        split = jax.vmap(lambda k: jax.random.split(k, 3))(streams.of(keys, "collection"))
        env_state, told, carry = begin(env, asker, split[:, 1], data, own, num_envs)
        loop = (split[:, 0], env_state, told, choose(split[:, 2]), carry)
        (*_, carry), seen = jax.lax.scan(
            lambda loop, _: step_once(params, data, own, loop), loop, length=num_steps // num_envs
        )
        # [T / N, R, N, ...] to [R, T, ...]
        seen = jax.tree.map(
            lambda x: jnp.moveaxis(x, 0, 1).reshape(x.shape[1], num_steps, *x.shape[3:]), seen
        )
        return seen, carry

    return run([behaviour.params for behaviour in behaviours], keys, data, run_instances)


def label(env: Env, prior: Prior, dataset: Dataset, data: Data) -> tuple[Dataset, Counters]:
    """The same transitions with this prior's log-probabilities.

    Every state is asked about, and every next state that is not terminal.

    Raises:
        InvalidInput: if prior, bank and environment do not belong together.
    """
    Ties(env, prior).data(data)

    @jax.jit
    def ask(carry: Counters, states: Any, needed: jax.Array, data: Data) -> Any:
        def of_run(carry: Counters, rows: Any) -> tuple[Counters, jax.Array]:
            asked = data.prior_params, carry, rows[0], data.env_params, rows[1]
            log_probs, carry = prior.log_probs(*asked)
            return carry, log_probs

        return jax.lax.scan(of_run, carry, (states, needed))  # run by run, which takes less memory

    every, alive = jnp.ones(dataset.action.shape, bool), ~jnp.asarray(dataset.terminated)
    carry, log_probs = ask(prior.init(), dataset.state, every, data)
    carry, after = ask(carry, dataset.next_state, alive, data)
    after = _uniform_at_the_end(env, data, dataset.next_state, ~alive, after)
    return dataset._replace(log_probs=log_probs, next_log_probs=after), carry


def _uniform_at_the_end(
    env: Env, data: Data, states: Any, terminated: jax.Array, log_probs: Any
) -> Any:
    """Log-probabilities `[..., A]` at next states: uniform in terminal ones, never asked about.

    Without a prior `log_probs` is ().
    """
    if isinstance(log_probs, tuple):
        return log_probs
    legal = legal_actions(env, states, data.env_params)
    uniform = normalize(jnp.zeros(legal.shape, jnp.float32), legal)
    return jnp.where(terminated[..., None], uniform, log_probs)


def _draw(keys: chex.PRNGKey, log_probs: jax.Array) -> jax.Array:
    """`i32[R, N]` from `[R, N, A]`, with a key a run."""
    return jax.vmap(lambda key, p: sample_proposals(key, p, 1)[:, 0])(keys, log_probs)
