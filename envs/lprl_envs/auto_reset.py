"""Auto-reset: a step that goes on in the next episode where one has ended."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
from gymnax.environments import environment

from lprl_envs.text_env_data import Action


def step(
    env: environment.Environment[Any, Any],
    key_step: chex.PRNGKey,
    key_reset: chex.PRNGKey,
    state: Any,
    action: Action,
    params: Any,
) -> tuple[Any, Any, jax.Array, jax.Array, jax.Array, dict[Any, Any]]:
    """One step of an environment; both keys may be one, where what they draw is set apart.

    gymnax's own `step` splits its key into the two; `TextEnv.step` passes its key as both. To play
    as gymnax does from one key, split it, and call this or `step_env` and `reset_env`.

    Returns:
        `(observation, state, reward, terminated, truncated, info)`. The first two are those of
        the next episode where this one ended; `info["final_observation"]` and
        `info["final_state"]` are those before the reset.
    """
    final_obs, final_state, reward, terminated, info = env.step_env(key_step, state, action, params)
    truncated = env.is_truncated(final_state, params)
    done = terminated | truncated
    reset_obs, reset_state = env.reset_env(key_reset, params)
    obs, state = jax.tree.map(
        lambda x, y: jnp.where(done, x, y), (reset_obs, reset_state), (final_obs, final_state)
    )
    info = {
        **info,
        "terminated": terminated,
        "truncated": truncated,
        "final_observation": final_obs,
        "final_state": final_state,
    }
    return obs, state, reward, terminated, truncated, info
