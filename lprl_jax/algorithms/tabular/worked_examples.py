"""The examples of a wording, worked out in a world: a state's text, and what is right there.

They are of training instances, so that what is held out stays unseen, and planned exactly.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.completion import Completable
from lprl_envs.errors import shown

from lprl_jax.algorithms.tabular.habits import BACKUPS, for_training
from lprl_jax.algorithms.tabular.optimal_actions import optimal_actions
from lprl_jax.algorithms.tabular.value_iteration import TIE
from lprl_jax.priors import wordings
from lprl_jax.priors.base import require_world
from lprl_jax.priors.wordings import Example, Shown, Wording

SEED = 1_000_004
"""Of training instances that examples name by number."""
WALK = 32
"""Steps that are looked at where states are not numbered."""


def worked(
    wording: Wording | str | Path, env: TextEnv[Any, Any], options: Sequence[tuple[str, Any]] = ()
) -> Wording:
    """The same wording, of whose examples each is a state's text and an action's.

    Example n, by number, is of training instance n: a state that n draws from among those where
    something is right, if there is one where an action of another verb is right than in the
    examples before, or at least another action. What is right is planned; of several the first.

    Args:
        wording: A wording, its name, or a YAML file.
        env: The environment.
        options: Of `env.sample_params`, by name, by which training instances are drawn.

    Raises:
        InvalidInput: if there is no such wording; if an instance is held out, or is none; if a
            state does not exist, is terminal, or its number is needed and states are not numbered;
            if an action does not exist, is illegal there, or nothing is known to be right.
    """
    chosen = wordings.of(wording)
    require_world(env)
    found: list[Example] = []
    for place, example in enumerate(chosen.examples):
        name = f"example {place} of the wording {chosen.name!r}"
        if isinstance(example, int):
            before = tuple(x.action for x in found)
            example = _by_number(env, example, tuple(options), before, name)
        elif isinstance(example, Shown):
            example = _by_hand(env, example, name)
        found.append(example)
    return dataclasses.replace(chosen, examples=tuple(found))


@functools.lru_cache(maxsize=64)
def _by_number(
    env: TextEnv[Any, Any],
    number: int,
    options: tuple[tuple[str, Any], ...],
    before: tuple[str, ...],
    name: str,
) -> Example:
    """Of a training instance; another action than the texts before, if there is one."""
    key = jax.random.fold_in(jax.random.key(SEED), number)
    params = env.sample_params(key, 1, "train", **for_training(env, options))
    states, right = _right(env, params, name)
    rows = np.flatnonzero(right.any(axis=1))
    if not rows.size:
        raise InvalidInput(f"{name}: no reward can be reached in training instance {number}")
    rows = np.random.default_rng(number).permutation(rows).tolist()
    texts = [env.action_texts[int(right[row].argmax())] for row in rows]
    verbs = [text.split()[0] for text in before]
    news = [(text.split()[0] in verbs, text in before) for text in texts]
    chosen = news.index(min(news))  # the first of those that show most that is new
    row, text = rows[chosen], texts[chosen]
    state = jax.tree.map(lambda x: x[row], states)
    return Example(env.describe(state, params), text)


def _by_hand(env: TextEnv[Any, Any], example: Shown, name: str) -> Example:
    """As `Shown` says it."""
    try:
        params = env.params_of([example.instance])
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from None
    if bool(env.held_out(jax.tree.map(lambda x: x[0], params.bank))):
        raise InvalidInput(
            f"{name}: its instance is held out; right: one to be trained on, as "
            "env.sample_params(key, 1, 'train') draws"
        )
    instance = jnp.int32(0)
    if example.state is None:
        state = env.initial_state(jax.random.key(SEED), instance, params)
    elif not 0 <= example.state < env.numbered_states:
        valid = f"valid: 0 to {env.numbered_states - 1}"
        raise InvalidInput(f"{name}: its state is {example.state}; {valid}")
    else:
        state = env.state_at(instance, example.state, params)
    if bool(env.is_terminated(state, params)):
        raise InvalidInput(f"{name}: the episode is over in its state; right: one where it goes on")
    action = example.action
    text = _right_in(env, state, params, name) if action is None else _named(env, action, name)
    legal = np.asarray(env.action_mask(state, params))
    if not legal[env.action_texts.index(text)]:
        valid = wordings.listed_actions([env.action_texts[i] for i in np.flatnonzero(legal)])
        raise InvalidInput(f"{name}: its action {text!r} is illegal in its state; valid: {valid}")
    return Example(env.describe(state, params), text)


def _named(env: TextEnv[Any, Any], action: str, name: str) -> str:
    """The text of the action that is named so, with or without the space in front."""
    found = [text for text in env.action_texts if text.strip() == action.strip()]
    if not found:
        valid = wordings.listed_actions(env.action_texts)
        raise InvalidInput(f"{name}: its action is {shown(action)}; valid: {valid}")
    return found[0]


def _right_in(env: TextEnv[Any, Any], state: Any, params: TextEnvParams, name: str) -> str:
    """The text of the first action that is right in a state of the only instance."""
    if env.num_states is None:
        right = _by_reward(env, name)(jax.tree.map(lambda x: x[None], state), params)[0]
    else:
        right = _planned(env)(params)[env.state_index(state, params)]
    if not right.any():
        raise InvalidInput(f"{name}: no reward can be reached from its state; name its action")
    return env.action_texts[int(right.argmax())]


def _right(env: TextEnv[Any, Any], params: TextEnvParams, name: str) -> tuple[Any, np.ndarray]:
    """States of the only instance, `[S]`, and what is right in them, `bool[S, A]`."""
    if env.num_states is None:
        rule = _by_reward(env, name)
        states = _walk(env, params, rule)
        return states, np.asarray(rule(states, params))
    index = jnp.arange(env.num_states, dtype=jnp.int32)
    states = jax.vmap(lambda i: env.state_at(jnp.int32(0), i, params))(index)
    return states, np.asarray(_planned(env)(params))


@functools.lru_cache(maxsize=16)
def _planned(env: TextEnv[Any, Any]) -> Callable[[TextEnvParams], jax.Array]:
    """A function to what is right in every state of the only instance, `bool[num_states, A]`."""
    return jax.jit(
        lambda p: optimal_actions(env, p, jnp.int32(0), BACKUPS, env.planning_discount)[0]
    )


def _by_reward(env: TextEnv[Any, Any], name: str) -> Callable[[Any, TextEnvParams], jax.Array]:
    """A function of B states to `bool[B, A]`: what is right where the next reward alone says it.

    So it does where a hidden pattern is completed: rewards are the change in what is right of it,
    and what is asked next does not depend on the action.
    """
    if not isinstance(env, Completable):
        raise InvalidInput(
            f"{name}: what is right is planned where states are numbered, and {env.name} has too "
            "many; name instance and action, by hand"
        )
    return _by_next_reward(env)


@functools.lru_cache(maxsize=16)
def _by_next_reward(env: TextEnv[Any, Any]) -> Callable[[Any, TextEnvParams], jax.Array]:
    """See `_by_reward`."""

    def right(state: Any, params: TextEnvParams) -> jax.Array:
        def gain(action: jax.Array) -> jax.Array:
            prob, _, reward, _ = env.transitions(state, action, params)
            return jnp.sum(prob * reward)

        expected = jax.vmap(gain)(jnp.arange(env.num_actions, dtype=jnp.int32))
        expected = jnp.where(env.action_mask(state, params), expected, -jnp.inf)
        best = expected >= jnp.max(expected) - TIE
        return best & ~env.is_terminated(state, params)

    return jax.jit(jax.vmap(right, in_axes=(0, None)))


def _walk(
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    rule: Callable[[Any, TextEnvParams], jax.Array],
) -> Any:
    """States of an episode in which what is right is done, `[WALK]`."""
    key, step = jax.random.key(SEED), jax.jit(env.step_env)
    states = [env.initial_state(key, jnp.int32(0), params)]
    for number in range(WALK - 1):
        right = rule(jax.tree.map(lambda x: x[None], states[-1]), params)
        action = jnp.argmax(right[0]).astype(jnp.int32)
        _, after, *_ = step(jax.random.fold_in(key, number), states[-1], action, params)
        states.append(after)
    return jax.tree.map(lambda *x: jnp.stack(x), *states)
