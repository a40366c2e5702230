"""The check of patterns to complete. See `check`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.completion import Completable
from lprl_envs.conformance.arrays import I32
from lprl_envs.conformance.compare import difference, differing_avals, first, take
from lprl_envs.conformance.subject import NUM_WALKS, Subject
from lprl_envs.conformance.text import wrong_values

NUM_FOLLOWED = 64
"""Steps of following a target."""


def completion(s: Subject) -> str | None:
    """Whoever asks for a pattern asks about what is shown; whoever follows the target builds it.

    An environment that is not `Completable` has nothing to check here.
    """
    if not isinstance(s.env, Completable):
        return None
    parts: tuple[Callable[[Subject, Completable], str | None], ...]
    parts = _prompt, _target, _question, _follow
    return next(filter(None, (part(s, s.env) for part in parts)), None)


def _prompt(s: Subject, env: Completable) -> str | None:
    if env.completion_prompt.segments[:-1] == s.env.template.segments[:-1]:
        return None
    return "completion_prompt has other segments than template; right: another last literal"


def _target(s: Subject, env: Completable) -> str | None:
    found = np.asarray(s.each(env.target, s.rows))
    return wrong_values("target", found, env.completion, lambda i: f"target of {_name(s.rows[i])}")


def _question(s: Subject, env: Completable) -> str | None:
    """The same of itself and of a later state; what judges an answer does not tell them apart."""
    state = jax.eval_shape(lambda states: take(states, 0), s.states)
    found = jax.eval_shape(env.question, state, s.params)
    if wrong := differing_avals("question", found, state):
        return wrong
    sizes = jnp.array([len(slot.values) for slot in env.completion.slots], jnp.int32)

    def asked(state: Any, params: Any) -> Any:
        def told(state: Any) -> dict[str, jax.Array]:
            right = env.target(state.instance, params)
            return {
                "instance": state.instance,
                "revealed": env.revealed(state, params),
                "accepts(target)": env.accepts(right, state, params),
                "accepts(another)": env.accepts((right + 1) % sizes, state, params),
            }

        later = dataclasses.replace(state, time=state.time + 1)
        about = env.question(state, params)
        again = env.question(about, params), env.question(later, params)
        return about, *again, told(about), told(state)

    about, again, later, told, right = s.each(asked, s.states)
    for name, x, y in (
        ("question(question)", again, about),
        ("question, a step later", later, about),
        ("question", told, right),
    ):
        if wrong := difference(name, x, y):
            return f"{s.name_of(take(s.states, wrong.row))}: {wrong.text}"
    if refused := first(~np.asarray(right["accepts(target)"])):
        return f"{s.name_of(take(s.states, refused[0]))}: accepts(target) is False; right: True"
    return None


def _follow(s: Subject, env: Completable) -> str | None:
    """Actions, by which the target is more and more revealed."""
    state = jax.eval_shape(lambda states: take(states, 0), s.states)
    target = jax.ShapeDtypeStruct((env.completion.num_slots,), jnp.int32)
    found = jax.eval_shape(env.follow, target, state, s.params)
    if wrong := differing_avals("follow", found, I32):
        return wrong

    def play(keys: jax.Array, instance: jax.Array, params: Any) -> Any:
        target = env.target(instance, params)

        def step(carry: tuple[Any, jax.Array], key: jax.Array) -> tuple[Any, Any]:
            state, over = carry
            action = env.follow(target, state, params)
            _, after, _, ended, _ = s.env.step_env(key, state, action, params)
            after = jax.tree.map(lambda x, y: jnp.where(over, x, y), state, after)
            return (after, over | ended), (action, env.revealed(after, params))

        start = s.env.initial_state(keys[0], instance, params)
        actions, shown = jax.lax.scan(step, (start, jnp.bool_(False)), keys[1:])[1]
        return actions, jnp.append(env.revealed(start, params), shown)

    instances = np.repeat(s.rows, NUM_WALKS)
    keys = s.keys(len(instances) * (NUM_FOLLOWED + 1)).reshape(len(instances), -1)
    actions, shown = map(np.asarray, s.each(play, keys, instances))
    if wrong := first((actions < 0) | (actions >= s.env.num_actions)):
        where = f"following the target of {_name(instances[wrong[0]])}, step {wrong[1] + 1}"
        return f"{where}: action {actions[wrong]}; right: 0 to {s.env.num_actions - 1}"
    if wrong := first(np.diff(shown) < -1e-6):
        where = f"following the target of {_name(instances[wrong[0]])}, step {wrong[1] + 1}"
        before, after = shown[wrong[0], wrong[1] : wrong[1] + 2]
        return f"{where}: revealed falls from {before:g} to {after:g}; right: never less"
    if not (shown[:, -1] > shown[:, 0]).any():
        return f"following a target for {NUM_FOLLOWED} steps reveals nothing of it; right: more"
    return None


def _name(instance: np.integer) -> str:
    return f"instance {instance}"
