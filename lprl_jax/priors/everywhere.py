"""Ask a prior about every state of a bank that is not terminal, once, some states at a time.

What is asked is known beforehand, on the host: pairs of an instance and a state. One compiled
program takes so many of them, whichever instances they are of.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams
from tqdm import tqdm

from lprl_jax import memory
from lprl_jax.lm import identity
from lprl_jax.priors.base import Prior, Stateless, normalize
from lprl_jax.priors.drafts import Draft

ROWS = 4_096
"""States that are asked about at a time, of priors that do not say how many they run at once."""
PATIENCE = 2.0
"""Seconds until a bar is shown."""


class Answers(NamedTuple):
    """What a prior says of M instances."""

    log_probs: np.ndarray
    """f32[M, num_states, A]; uniform in terminal states."""
    features: Any
    """f32[M, num_states, ...], 0 in terminal states; or (), where none are asked for."""
    evaluations: int
    """States that were run through a model, also beforehand."""


def ask_everywhere(
    prior: Prior,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    *,
    method: str = "log_probs",
    progress: bool = False,
    draft: Draft | None = None,
) -> Answers:
    """Ask a prior about every state of every instance that is not terminal, once.

    Args:
        prior: Of this environment and bank.
        env: The environment, whose state space is finite.
        env_params: The bank.
        method: Which of its methods is asked: `log_probs`, or another that has numbers of a state
            between log-probabilities and carry, such as `log_probs_and_features`.
        progress: Whether a bar with an estimate is shown, on a terminal, when it takes long.
        draft: Where answers are kept meanwhile, and which an earlier call has left; of
            log-probabilities alone.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if there is no memory for the answers, or the draft is not of these.
    """
    num_instances, num_states = _num_instances(env_params), env.numbered_states
    shape = {"instances": num_instances, "states": num_states, "actions": env.num_actions}
    memory.require(
        "a table's rows", [memory.Part(tuple(shape), 4 * math.prod(shape.values()))], shape
    )
    ended, uniform = (identity.fetched(x) for x in _look(env, num_instances, env_params))
    log_probs = np.array(uniform)
    features: Any = ()
    places = np.argwhere(~ended).astype(np.int32)
    rows = min(getattr(prior, "chunk", ROWS), ended.size)
    ask, beforehand = _program(prior, env, method), int(prior.init().evaluations)
    done, evaluations = 0, 0
    if draft is not None:
        kept, evaluations = draft.read(len(places), env.num_actions)
        done = len(kept)
        log_probs[tuple(places[:done].T)] = kept

    def keep(now: bool = False) -> None:
        if draft is not None and done:
            draft.keep(lambda: log_probs[tuple(places[:done].T)], evaluations, now)

    try:
        with contextlib.ExitStack() as shown:
            shown.enter_context(telling(f"{prior.name}, compiling", progress))
            bar = None
            while done < len(places):
                own = places[done : done + rows]
                needed = np.arange(rows) < len(own)
                at = np.pad(own, [(0, rows - len(own)), (0, 0)], mode="edge")
                found, read, asked = ask(prior.params, env_params, at[:, 0], at[:, 1], needed)
                log_probs[tuple(own.T)] = identity.fetched(found)[: len(own)]
                for leaf in read:
                    if not done:
                        features = np.zeros((*ended.shape, *leaf.shape[1:]), np.float32)
                    features[tuple(own.T)] = identity.fetched(leaf)[: len(own)]
                if bar is None:  # now it is known to be compiled
                    shown.close()
                    bar = bar_of(len(places), prior.name, "state", progress, done)
                    shown.enter_context(bar)
                evaluations, done = evaluations + int(asked), done + len(own)
                bar.update(len(own))
                keep()
    except KeyboardInterrupt:
        keep(now=True)
        raise
    return Answers(log_probs, features, beforehand + evaluations)


def bar_of(total: int, name: str, unit: str, progress: bool, done: int = 0) -> Any:
    """A bar with an estimate, on a terminal, where it takes long; none without `progress`."""
    hidden = None if progress else True  # None: shown on a terminal only
    return tqdm(total=total, initial=done, desc=name, unit=unit, delay=PATIENCE, disable=hidden)


@contextlib.contextmanager
def telling(what: str, progress: bool) -> Iterator[None]:
    """Say on a terminal what is being done, while it is; nothing without `progress`."""
    hidden = None if progress else True  # None: shown on a terminal only
    with tqdm(desc=what, bar_format="{desc} ...", leave=False, disable=hidden):
        yield


def _num_instances(env_params: TextEnvParams) -> int:
    return jax.tree.leaves(env_params.bank)[0].shape[0]


def _program(
    prior: Prior, env: TextEnv[Any, Any], method: str
) -> Callable[..., tuple[jax.Array, Any, jax.Array]]:
    """`(params, env_params, instance, index, needed)` to log-probabilities, features and count.

    Compiled once for all priors that are alike but for their parameters, where they say so.
    """
    alike: Stateless | None = getattr(prior, "stateless", None)
    if alike is None:
        return jax.jit(functools.partial(_ask, prior, env, method))
    return functools.partial(_ask_alike, alike, env, method)


def _ask(
    prior: Any,
    env: TextEnv[Any, Any],
    method: str,
    params: Any,
    env_params: Any,
    instance: jax.Array,
    index: jax.Array,
    needed: jax.Array,
) -> tuple[jax.Array, Any, jax.Array]:
    """See `_program`."""
    states = jax.vmap(env.state_at, in_axes=(0, 0, None))(instance, index, env_params)
    start = prior.init()
    log_probs, *read, carry = getattr(prior, method)(params, start, states, env_params, needed)
    return log_probs, read, carry.minus(start).evaluations


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _ask_alike(
    alike: Stateless, env: TextEnv[Any, Any], method: str, *arguments: Any
) -> tuple[jax.Array, Any, jax.Array]:
    """See `_program`."""
    return _ask(alike.prior, env, method, *arguments)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _look(
    env: TextEnv[Any, Any], num_instances: int, env_params: Any
) -> tuple[jax.Array, jax.Array]:
    """Of all states `[M, num_states]`: whether they are terminal; every legal action alike."""

    def one(instance: jax.Array, index: jax.Array) -> tuple[jax.Array, jax.Array]:
        state = env.state_at(instance, index, env_params)
        legal = env.action_mask(state, env_params)
        uniform = normalize(jnp.zeros(legal.shape, jnp.float32), legal)
        return env.is_terminated(state, env_params), uniform

    states = jnp.arange(env.numbered_states, dtype=jnp.int32)
    instances = jnp.arange(num_instances, dtype=jnp.int32)
    return jax.lax.map(lambda instance: jax.vmap(one, (None, 0))(instance, states), instances)
