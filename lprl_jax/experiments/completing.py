"""Who completes patterns in an experiment; and a word where its answers could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.completers import Completer, completer_of
from lprl_jax.experiments.config import Experiment

MOST = 0.5


def make_completer(
    experiment: Experiment, env: TextEnv[Any, Any], params: TextEnvParams
) -> Completer | None:
    """Who completes patterns, or None where the algorithm asks nobody.

    Raises:
        InvalidInput: if there is no such completer, or the environment has no patterns.
    """
    config = experiment.algorithm
    if not hasattr(config, "completer"):
        return None
    return completer_of(
        config.completer,
        env,
        params,
        temperature=config.completer_temperature,
        epsilon=config.completer_epsilon,
    )


def warning(experiment: Experiment, training: Mapping[str, Any]) -> str | None:
    """A line, if most answers of a chunk of training were no patterns; None if they were.

    Args:
        experiment: What is run.
        training: Metrics of the chunk, `[R]`; those of other algorithms say nothing of answers.
    """
    if "unreadable" not in training:
        return None
    asked, unreadable = (int(np.sum(training[name])) for name in ("asked", "unreadable"))
    if not asked or unreadable <= MOST * asked:
        return None
    return (
        f"of {asked:,} answers of the completer {experiment.algorithm.completer!r} {unreadable:,} "
        f"({100 * unreadable / asked:.0f} %) could not be read as a pattern; a model that was not "
        "trained on completions of this environment may not know how they are written"
    )
