"""A published model as a prior, asked as it does best on training instances; of `published.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lprl_jax import LanguagePrior, TabularPrior, tabulate
from lprl_jax.algorithms.tabular import calibrations
from lprl_jax.algorithms.tabular.worked_examples import worked
from lprl_jax.priors.shipped import WORDINGS

STATES = 16
"""Of a training instance, at most, by which the best way of asking is chosen."""


class Way(NamedTuple):
    """How a model is asked."""

    wording: str
    """One that ships."""
    method: str
    """Of calibration."""
    temperature: float
    """Of the calibration."""
    kl: float
    """On training instances, nats."""
    top1: float
    """There, too."""


def ways(model: Any, env: Any, training: Any, drawn: Sequence[tuple[str, Any]]) -> tuple[Way, Way]:
    """The way with the lowest KL on training instances; and the bare text, not calibrated.

    Args:
        model: The language model.
        env: The environment.
        training: A bank of training instances.
        drawn: Of `env.sample_params`: how instances are drawn, for worked examples.
    """
    found = []
    for wording in WORDINGS:
        prior = LanguagePrior.of_model(model, env, training, wording=worked(wording, env, drawn))
        choice = calibrations.choose(prior, training, num_states=STATES)
        found += [Way(wording, t.method, t.temperature, t.kl, t.top1) for t in choice.trials]
    best = min(found, key=lambda way: way.kl)
    print("asked best:", best, flush=True)
    return best, next(way for way in found if way[:3] == ("bare", "none", 1.0))


def table(
    model: Any, env: Any, params: Any, way: Way, drawn: Sequence[tuple[str, Any]], path: Path
) -> TabularPrior:
    """What it says in every state of a bank; kept in a file, and used again if it is there."""
    if not path.exists():
        prior = LanguagePrior.of_model(
            model,
            env,
            params,
            wording=worked(way.wording, env, drawn),
            calibration=way.method,
            temperature=way.temperature,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        tabulate(prior, env, params, **prior.settings).save(path, params)
    return TabularPrior.load(path, env, params)
