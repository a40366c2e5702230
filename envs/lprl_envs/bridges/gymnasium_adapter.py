"""An environment of this package as a Gymnasium environment: one instance at a time, on the host.

For tools that speak Gymnasium; whoever speaks gymnax is faster without it. Importing this module
registers every id with Gymnasium, which does so by itself on a prefixed id:

>>> import gymnasium
>>> env = gymnasium.make("lprl_envs.bridges.gymnasium_adapter:FrozenLake-lprl", is_slippery=False)
>>> observation, info = env.reset(seed=0)
>>> info["text"].splitlines()[-2:]
['At a1 left edge down ice right ice up edge', 'Move']
>>> info["action_mask"].tolist()
[1, 1, 1, 1]

gymnax's own `GymnaxToGymWrapper` resets by itself and returns JAX arrays, which Gymnasium's tools
do not expect; here an episode ends with its final observation, and everything is numpy.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import gymnasium
import gymnax
import jax
import numpy as np
from gymnax.environments.spaces import gymnax_space_to_gym_space

from lprl_envs.errors import InvalidInput
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import TextEnvParams


class GymnasiumEnv(gymnasium.Env[np.ndarray, Any]):
    """A `TextEnv` with its parameters, as Gymnasium sees an environment.

    `info` holds the state's `text`, the `action_mask` (what `action_space.sample` takes; not where
    actions are continuous), and whatever the environment itself reports. All chance comes from
    `np_random`, so that equal seeds and actions give equal episodes. `reset` reads no options.

    Args:
        env: The environment.
        params: Its parameters; their `instances` are those that `reset` draws from.
        render_mode: What `render` returns: `"ansi"` the state's text, `"rgb_array"` its picture
            u8[height, width, 3], None nothing.

    Raises:
        InvalidInput: on another render mode, an action out of the action space, or a step before
            the first reset.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        env: TextEnv[Any, Any],
        params: TextEnvParams | None = None,
        render_mode: str | None = None,
    ):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InvalidInput(
                f"unknown render_mode {render_mode!r}; valid: 'ansi', 'rgb_array', None"
            )
        self.text_env = env
        self.params = env.default_params if params is None else params
        self.render_mode = render_mode
        self.action_space = gymnax_space_to_gym_space(env.action_space(self.params))
        self.observation_space = gymnax_space_to_gym_space(env.observation_space(self.params))
        self.state: Any = None  # the environment's own, once there is one

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode: `(observation, info)`."""
        super().reset(seed=seed)
        del options
        self.state, view = _reset(self.text_env, self._draw(), self.params)
        return self._show(jax.device_get(view))

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One step, without auto-reset: `(observation, reward, terminated, truncated, info)`."""
        if self.state is None:
            raise InvalidInput("step before the first reset; call reset")
        if not self.action_space.contains(action):
            raise InvalidInput(f"action {action!r} is not in {self.action_space}")
        self.state, *outcome = _step(self.text_env, self._draw(), self.state, action, self.params)
        reward, terminated, truncated, view = jax.device_get(outcome)
        observation, info = self._show(view)
        return observation, float(reward), bool(terminated), bool(truncated), info

    def render(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
    ) -> str | np.ndarray | None:
        """The state's text or picture; see `render_mode`."""
        if self.render_mode is None or self.state is None:
            return None
        if self.render_mode == "ansi":
            return self.text_env.describe(self.state, self.params)
        return self.text_env.render(self.state, self.params).rgb

    def _draw(self) -> np.uint32:
        """What the next random key is made of."""
        return self.np_random.integers(2**32, dtype=np.uint32)

    def _show(self, view: _View) -> tuple[Any, dict[str, Any]]:
        text = self.text_env.template.render(view.slots.tolist())
        info = {**view.info, "text": text}
        if not self.text_env.is_continuous:
            info["action_mask"] = view.action_mask.astype(np.int8)
        observation = view.observation
        if isinstance(self.observation_space, gymnasium.spaces.Discrete):
            observation = np.int64(observation)  # Gymnasium wants a number, not an array of one
        return observation, info


class _View(NamedTuple):
    """What is shown of a state."""

    observation: Any
    slots: Any
    action_mask: Any
    info: dict[Any, Any]


@functools.partial(jax.jit, static_argnums=0)
def _reset(env: TextEnv[Any, Any], seed: Any, params: Any) -> tuple[Any, _View]:
    observation, state = env.reset_env(jax.random.key(seed), params)
    return state, _view(env, observation, state, params, {})


@functools.partial(jax.jit, static_argnums=0)
def _step(env: TextEnv[Any, Any], seed: Any, state: Any, action: Any, params: Any) -> Any:
    key = jax.random.key(seed)
    observation, state, reward, terminated, info = env.step_env(key, state, action, params)
    view = _view(env, observation, state, params, info)
    return state, reward, terminated, env.is_truncated(state, params), view


def _view(env: TextEnv[Any, Any], observation: Any, state: Any, params: Any, info: Any) -> _View:
    return _View(observation, env.slots(state, params), env.action_mask(state, params), info)


def make(
    env_id: str, params: TextEnvParams | None = None, render_mode: str | None = None, **config: Any
) -> GymnasiumEnv:
    """The environment of that id; `config` goes to its constructor. What Gymnasium calls."""
    return GymnasiumEnv(gymnax.make(env_id, **config)[0], params, render_mode)


for _env_id in gymnax.registered_envs:
    # A module reload registers nothing twice.
    if _env_id.endswith("-lprl") and _env_id not in gymnasium.registry:
        gymnasium.register(_env_id, f"{__name__}:make", kwargs={"env_id": _env_id})
