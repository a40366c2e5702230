"""Which calibration a language model's prior is best with: tried on training instances.

Calibration can help a bare prompt much and ruin one with examples, and which it is cannot be known
beforehand. So all methods are tried with some temperatures, and the best is what comes closest to
the planner, by the mean of KL(π* ‖ p). What is chosen is then measured elsewhere: instances that
are held out are refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnvParams
from lprl_envs.errors import shown

from lprl_jax.algorithms.tabular import exams
from lprl_jax.priors import calibration, habit, judging
from lprl_jax.priors.calibration import METHODS, Calibration
from lprl_jax.priors.language import LanguagePrior

TEMPERATURES = (1.0, 0.5, 2.0, 4.0, 8.0)


class Trial(NamedTuple):
    """One calibration, on all instances."""

    method: str
    """One of `calibration.METHODS`."""
    temperature: float
    """Behind it."""
    top1: float
    """How often the most likely action is right; a temperature changes nothing of it."""
    kl: float
    """Mean of KL(π* ‖ p), nats."""


class Choice(NamedTuple):
    """What was tried, and what is best."""

    prior: LanguagePrior
    """Calibrated so, of its own bank."""
    best: Trial
    """The lowest KL; of several the first."""
    trials: tuple[Trial, ...]
    """In the order in which they were tried."""


def choose(
    prior: LanguagePrior,
    env_params: TextEnvParams,
    methods: Sequence[str] = METHODS,
    temperatures: Sequence[float] = TEMPERATURES,
    num_states: int = exams.STATES,
    seed: int = 0,
) -> Choice:
    """Try calibrations of a prior; it is asked once, without any.

    Args:
        prior: Of a language model, however it is calibrated.
        env_params: A bank of training instances; need not be the prior's.
        methods: Of `calibration.METHODS`.
        temperatures: Each is tried with each method.
        num_states: States of an instance that are asked about, at most.
        seed: By which these are drawn.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if an instance is held out, no reward can be reached, or a method or a
            temperature is none.
    """
    habit.require_training(prior.env, env_params, "a calibration is chosen")
    for name, given in (("methods", methods), ("temperatures", temperatures)):
        if not given or isinstance(given, str):
            raise InvalidInput(f"{name} is {shown(given)}; right: one or more, in a list")
    for method in methods:
        for temperature in temperatures:
            calibration.check(method, temperature)
    plain = prior.calibrated().with_bank(env_params)
    exam = exams.draw(prior.env, env_params, jax.random.key(seed), num_states)
    if not bool(jnp.any(exam.right)):
        raise InvalidInput("no reward can be reached in any instance; no calibration is chosen")
    log_probs = exams.Examiner(plain).ask(plain.params, exam, env_params)
    offsets = {method: plain.calibrated(method).params.calibration.offset for method in methods}
    found = trials(log_probs, exam.right, offsets, plain.scorer.divisor, temperatures)
    best = min(found, key=lambda trial: trial.kl)
    return Choice(prior.calibrated(best.method, best.temperature), best, found)


def trials(
    log_probs: jax.Array,
    right: jax.Array,
    offsets: Mapping[str, jax.Array],
    divisor: Any,
    temperatures: Sequence[float],
) -> tuple[Trial, ...]:
    """Every offset with every temperature; instances count alike, and so do the states of each.

    Args:
        log_probs: `f32[M, S, A]`: of the prior without calibration.
        right: `bool[M, S, A]`; states in which nothing is right do not count.
        offsets: `f32[A]` each, by method.
        divisor: `f32[A]`: of the prior's log-likelihoods.
        temperatures: Above 0.
    """
    found = []
    for method, offset in offsets.items():
        for temperature in temperatures:
            made = Calibration(offset, jnp.float32(temperature))
            scores = judging.of_instances(made.of_log_probs(log_probs, divisor), right)
            means = float(scores.top1.mean()), float(scores.kl.mean())
            found.append(Trial(method, float(temperature), *means))
    return tuple(found)
