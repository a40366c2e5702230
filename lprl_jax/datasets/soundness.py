"""Whether a dataset means something in its environment: states, masks, actions, ends, numbers.

A file may have come from anybody. What is looked at is what the environment itself says, all
transitions at once, and the first place that contradicts it is named.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces
from lprl_envs import InvalidInput, TextEnv, TextEnvParams, observations
from lprl_envs.bridges.gymnax_env import GymnaxEnv

from lprl_jax.algorithms.interaction import legal_actions
from lprl_jax.priors import distributions


def require(
    path: str | Path,
    dataset: Any,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    num_behaviours: int,
) -> None:
    """Check the transitions of a file.

    Args:
        path: Of the file, for messages.
        dataset: A `Dataset` on the host, its instances numbered as in this bank.
        env: The environment.
        env_params: The bank.
        num_behaviours: That may have acted.

    Raises:
        InvalidInput: if a state is none of the environment's, masks or ends are not as the
            environment says, an action was illegal, a reward is not finite, or log-probabilities
            are no distribution over the legal actions.
    """
    both = {"state": dataset.state, "next_state": dataset.next_state}
    for name, state in both.items():
        _require_in_range(path, name, state, _space(env, env_params))
    time, after = dataset.state.time, dataset.next_state.time
    wrong = after != time + 1
    _refuse(path, wrong, lambda at: f"next_state.time is {after[at]} behind {time[at]}")
    moved = dataset.next_state.instance != dataset.state.instance
    _refuse(path, moved, lambda at: "next_state is of another instance than state")

    def ask(dataset: Any, env_params: Any) -> tuple[jax.Array, ...]:
        states = dataset.state, dataset.next_state
        ends = [
            _each(env.is_truncated)(states[1], env_params),
            _terminated(env, dataset, env_params),
        ]
        masks = [legal_actions(env, state, env_params) for state in states]
        return *(_each(_exists, env)(state, env_params) for state in states), *ends, *masks

    asked = (np.asarray(x) for x in jax.jit(ask)(dataset, env_params))
    exist, exist_after, truncated, terminated, legal, legal_after = asked
    for name, there in zip(both, (exist, exist_after), strict=True):
        _refuse(path, ~there, lambda at, name=name: f"{name} is no state of {env.name}")
    wrong = (legal != dataset.action_mask).any(-1)
    _refuse(path, wrong, lambda at: "action_mask is not the environment's")
    _require_legal(path, dataset.action, legal)
    for name, right in (("terminated", terminated), ("truncated", truncated)):
        found = getattr(dataset, name)
        _refuse(
            path,
            found != right,
            lambda at, name=name, found=found: (
                f"{name} is {found[at]}, and the environment says {not found[at]}"
            ),
        )
    acted = dataset.behaviour
    wrong = (acted < 0) | (acted >= num_behaviours)
    _refuse(path, wrong, lambda at: f"behaviour is {acted[at]} of {num_behaviours}")
    reward = dataset.reward
    _refuse(path, ~np.isfinite(reward), lambda at: f"reward is not finite, it is {reward[at]}")
    for name, mask in (("log_probs", legal), ("next_log_probs", legal_after)):
        log_probs = getattr(dataset, name)
        if len(log_probs):
            wrong = distributions.wrong(log_probs, mask)
            _refuse(
                path,
                wrong,
                lambda at, name=name, found=log_probs, mask=mask: (
                    f"{name} is not normalised over the legal actions: "
                    f"{distributions.describe(found[at], mask[at])}"
                ),
            )


def _each(function: Any, *first: Any) -> Any:
    """Of states `[R, T]`, and of parameters."""
    return jax.vmap(jax.vmap(functools.partial(function, *first), (0, None)), (0, None))


def _exists(env: TextEnv[Any, Any], state: Any, env_params: Any) -> jax.Array:
    """Whether a state, where states are numbered, is the one that has its number."""
    if env.num_states is None:
        return jnp.bool_(True)
    index = env.state_index(state, env_params)
    right = env.state_at(state.instance, index, env_params)
    right = dataclasses.replace(right, time=state.time)
    same = jax.tree.map(lambda x, y: jnp.all(x == y), state, right)
    numbered = (index >= 0) & (index < env.num_states)
    return numbered & jnp.all(jnp.stack(jax.tree.leaves(same)))


def _space(env: TextEnv[Any, Any], env_params: TextEnvParams) -> spaces.Dict:
    """Of a state; gymnax's own need not keep to what they say of theirs, so only of our fields."""
    if isinstance(env, GymnaxEnv):
        return observations.state_space(env_params)
    return env.state_space(env_params)


def _terminated(env: TextEnv[Any, Any], dataset: Any, env_params: Any) -> jax.Array:
    """By the environment; what gymnax's own say of a state need not be what their steps said."""
    if isinstance(env, GymnaxEnv):
        return jnp.asarray(dataset.terminated)
    return _each(env.is_terminated)(dataset.next_state, env_params)


def _require_in_range(path: str | Path, name: str, state: Any, space: Any) -> None:
    """Raise InvalidInput unless whole numbers are in their spaces, and floats are numbers."""
    for keys, leaf in jax.tree_util.tree_leaves_with_path(state):
        field = jax.tree_util.keystr(keys, simple=True, separator=".")
        if np.issubdtype(leaf.dtype, np.floating):
            wrong, right = np.isnan(leaf), "a number"
        else:
            low, high = _bounds(space.spaces.get(field), leaf)
            wrong, right = (leaf < low) | (leaf > high), f"in [{low}, {high}]"
        rows = wrong.reshape(*leaf.shape[:2], -1)
        _refuse(
            path,
            rows.any(-1),
            lambda at, field=field, leaf=leaf, rows=rows, right=right: (
                f"{name}.{field} is {np.ravel(leaf[at])[rows[at].argmax()]}; it must be {right}"
            ),
        )


def _bounds(space: Any, leaf: np.ndarray) -> tuple[Any, Any]:
    """The lowest and highest value; of a field that no space is known of, those that it has."""
    if isinstance(space, spaces.Discrete):
        return 0, int(space.n) - 1
    if isinstance(space, spaces.Box) and np.ndim(space.low) == np.ndim(space.high) == 0:
        return int(space.low), int(space.high)
    return leaf.min(), leaf.max()


def _require_legal(path: str | Path, action: np.ndarray, legal: np.ndarray) -> None:
    known = (action >= 0) & (action < legal.shape[-1])
    index = np.where(known, action, 0)[..., None]
    bad = ~(known & np.take_along_axis(legal, index, axis=-1)[..., 0])
    if bad.any():
        run, at = np.argwhere(bad)[0]
        raise InvalidInput(
            f"the dataset {path} has {bad.sum()} actions that were illegal, the first being "
            f"{action[run, at]} in transition {at} of run {run}"
        )


def _refuse(path: str | Path, wrong: np.ndarray, describe: Any) -> None:
    """Raise InvalidInput if a transition `[R, T]` is wrong; the first one is named."""
    if wrong.any():
        run, at = (int(i) for i in np.argwhere(wrong)[0])
        more = f", as in {wrong.sum() - 1} more" if wrong.sum() > 1 else ""
        raise InvalidInput(
            f"the dataset {path} is damaged: {describe((run, at))}, in transition {at} of run "
            f"{run}{more}"
        )
