"""Completers by name: what is recorded, the controls, and language models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, TextEnvParams, values

from lprl_jax.completers.base import Completer, require_completable
from lprl_jax.completers.controls import checked_epsilon, degrade, never_right, perfect
from lprl_jax.completers.language import CHUNK, LanguageCompleter, check_options
from lprl_jax.completers.recorded import Recorded
from lprl_jax.lm import named
from lprl_jax.priors.base import require_world

OWN: dict[str, Callable[[TextEnv[Any, Any]], Completer]] = {
    "recorded": Recorded.of,
    "perfect": perfect,
    "never-right": never_right,
}
"""Those that ask no model; a directory that is called so is not meant."""
VALID = f"{', '.join(OWN)}, {named.VALID}"
"""For messages."""


def completer_of(
    name: str,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams | None = None,
    *,
    temperature: float = 0.0,
    epsilon: float = 0.0,
    chunk: int = CHUNK,
    dtype: Any = jnp.float32,
) -> Completer:
    """The completer of a name.

    Args:
        name: `recorded`, `perfect`, `never-right`, or a model's name, directory or file.
        env: The environment, with a pattern to complete.
        env_params: Its bank of instances; default, the environment's own.
        temperature: Of a model's tokens; see `LanguageCompleter`.
        epsilon: In [0, 1]: share of the questions whose answer is replaced by a wrong one; see
            `degrade`.
        chunk: States that a model is asked about at a time.
        dtype: Of a model's weights.

    Raises:
        InvalidInput: if there is no such completer, the environment has no pattern, an option is
            out of range, or the model cannot be used.
    """
    name = values.text("completer", name)
    epsilon = checked_epsilon(epsilon)
    check_options(temperature, chunk)
    require_world(env, env_params)
    require_completable(env)
    if not (name in OWN or named.is_model(name)):
        raise InvalidInput(f"no completer {name!r}; valid: {VALID}")
    if name in OWN and temperature:
        raise InvalidInput(
            f"temperature is {temperature:g}, and {name} draws no tokens; right: 0, or a model"
        )
    if name in OWN:
        completer = OWN[name](env)
    else:
        options = {"temperature": temperature, "chunk": chunk, "dtype": dtype}
        completer = LanguageCompleter.from_pretrained(name, env, env_params, **options)
    return degrade(completer, epsilon) if epsilon else completer
