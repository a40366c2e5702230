"""The checks of arrays, copies and compilation. See `check`."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.conformance.acting import action_of, num_weights
from lprl_envs.conformance.compare import aval, difference, differing_avals, leaves, take
from lprl_envs.conformance.subject import Steps, Subject

F32 = jax.ShapeDtypeStruct((), jnp.float32)
I32 = jax.ShapeDtypeStruct((), jnp.int32)
BOOL = jax.ShapeDtypeStruct((), jnp.bool)
OUTPUTS = Steps._fields[3:]
"""Names of what step returns."""
COPIES: dict[str, Callable[[Any], Any]] = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


def avals(s: Subject) -> str | None:
    """Shapes, dtypes and weak types of reset and step agree, so that a scan over steps compiles."""
    env, key, params = s.env, jax.random.key(s.seed), s.params
    zero = jnp.int32(0)
    obs, state = jax.eval_shape(env.reset, key, params)
    for name, leaf in (leaves("observation", obs) | leaves("state", state)).items():
        if leaf.weak_type:
            return f"{name} of reset is {aval(leaf)}; right: an explicit dtype"
    pairs = [("state.time", state.time, I32), ("state.instance", state.instance, I32)]
    pairs += [("initial_state", jax.eval_shape(env.initial_state, key, zero, params), state)]
    if env.num_states is not None:
        pairs += [("state_at(0, 0)", jax.eval_shape(env.state_at, zero, zero, params), state)]
    for action in _any_actions(s)[:1] + [0] * (not env.is_continuous):
        found, after, reward, terminated, truncated, info = jax.eval_shape(
            env.step, key, state, action, params
        )
        pairs += [
            ("observation of step", found, obs),
            ("state of step", after, state),
            ("reward", reward, F32),
            ("terminated", terminated, BOOL),
            ("truncated", truncated, BOOL),
            ("info.terminated", info.get("terminated"), BOOL),
            ("info.truncated", info.get("truncated"), BOOL),
            ("info.final_observation", info.get("final_observation"), obs),
            ("info.final_state", info.get("final_state"), state),
        ]
    return next(filter(None, (differing_avals(*pair) for pair in pairs)), None)


def _any_actions(s: Subject) -> list[jax.Array]:
    """Three actions, legal or not: enough where steps are traced and not taken."""
    if s.env.is_continuous:
        return [jnp.full(num_weights(s.env), x, jnp.float32) for x in (0.0, 0.5, 1.0)]
    return [jnp.int32(i) for i in range(3)]


# -- values and compilation ----------------------------------------------------------------------


def _trajectory(s: Subject, reset: Callable[..., Any], step: Callable[..., Any]) -> dict[str, Any]:
    """What reset and a few steps return, by name; the second step ends the episode."""
    params = dataclasses.replace(s.params, max_steps_in_episode=jnp.int32(2))
    keys, weights = s.keys(4), jnp.asarray(s.rng.random((3, num_weights(s.env))), jnp.float32)
    obs, state = reset(keys[0], params)
    calls: dict[str, Any] = {"reset": {"observation": obs, "state": state}}
    for i, key in enumerate(keys[1:]):
        out = step(key, state, action_of(s.env, weights[i], state, params), params)
        calls[f"step {i + 1}"] = dict(zip(OUTPUTS, out, strict=True))
        state = out[1]
    return calls


def same_key(s: Subject) -> str | None:
    """The same keys and actions give the same trajectory: nothing else decides."""
    once, again = (_trajectory(s, s.env.reset, s.env.step) for _ in range(2))
    found = difference("", again, once)
    return found and f"called again with the same key: {found.text}"


def copies(s: Subject) -> str | None:
    """A copied or pickled environment equals its original and does as it does; states too."""
    expected = _trajectory(s, s.env.reset, s.env.step)
    for name, clone in COPIES.items():
        other = clone(s.env)
        texts_differ = s.has_text and other.template != s.env.template
        if other != s.env or hash(other) != hash(s.env) or texts_differ:
            return f"{name} makes another environment; right: an equal one, of equal hash"
        found = _trajectory(s, other.reset, other.step)
        for what, x, y in (
            ("the environment", found, expected),
            ("params", clone(s.params), s.params),
            ("states", clone(expected), expected),
        ):
            if wrong := difference("", x, y):
                return f"after {name} of {what}: {wrong.text}"
    return None


def static_argument(s: Subject) -> str | None:
    """A function compiled with the environment static is found again with an equal one."""
    traces = []

    def play(env: Any, key: jax.Array, params: Any) -> Any:
        traces.append(env)
        state = env.reset(key, params)[1]
        return env.step(key, state, _any_actions(s)[0], params)

    compiled = jax.jit(play, static_argnums=0)
    envs = [s.env, *(clone(s.env) for clone in COPIES.values()), s.env]
    for env in envs:
        compiled.eval_shape(env, jax.random.key(s.seed), s.params)
    if len(traces) > 1:
        return f"{len(envs)} uses of equal environments, {len(traces)} traces; right: 1"
    return None


def one_trace(s: Subject) -> str | None:
    """Reset and step are traced once for all calls, also with other banks of the same shapes."""
    traces = {"reset": 0, "step": 0}

    def counted(name: str) -> Any:
        def call(*arguments: Any) -> Any:
            traces[name] += 1
            return getattr(s.env, name)(*arguments)

        return jax.jit(call)

    reset, step = counted("reset"), counted("step")
    instances = s.given.instances
    others = [dataclasses.replace(p, instances=instances) for p in s.samples[None]]
    banks = [s.given, s.params, *others]
    for params in banks:
        state = reset.eval_shape(jax.random.key(0), params)[1]
        for action in _any_actions(s):
            state = step.eval_shape(jax.random.key(0), state, action, params)[1]
    shapes = [[leaf.shape for leaf in jax.tree.leaves(bank)] for bank in banks]
    distinct = sum(shape not in shapes[:i] for i, shape in enumerate(shapes))
    for name, found in traces.items():
        if found > distinct:
            why = differing_avals("sample_params", others[0], s.given)
            return f"{name} is traced {found} times; right: {distinct}, one a bank shape ({why})"
    return None


def jit(s: Subject) -> str | None:
    """Compiled reset and step give what they give uncompiled."""
    compiled = _trajectory(s, jax.jit(s.env.reset), jax.jit(s.env.step))
    plain = _trajectory(s, s.env.reset, s.env.step)
    found = difference("", compiled, plain)
    return found and f"compiled: {found.text}"


def vmap(s: Subject) -> str | None:
    """A batch gives what its rows give one by one."""
    done = np.asarray(s.steps.terminated | s.steps.truncated)
    rows = np.concatenate([np.flatnonzero(done)[:4], np.flatnonzero(~done)[:4]])
    step = jax.jit(s.env.step)
    for row in rows:
        one = take(s.steps, row)
        alone = step(one.key, one.before, one.action, s.params)
        batched, alone = (dict(zip(OUTPUTS, x, strict=True)) for x in (one[3:], alone))
        if found := difference("", batched, alone):
            return f"{s.name_of_step(int(row))}, in a batch: {found.text}"
    return None
