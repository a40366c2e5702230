"""What learners ask a prior: log-probabilities, and its features where a network reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from lprl_envs import InvalidInput

from lprl_jax.algorithms.base import Data
from lprl_jax.priors.base import Counters, Prior, has_features


class Told(NamedTuple):
    """What a prior tells of states `[...]`."""

    log_probs: Any
    """f32[..., A]; () without a prior."""
    features: Any
    """f32[..., *feature_shape]; () where nothing reads them."""
    advice: Any = ()
    """f32[..., A]: a judge's verdicts, where values are acted by with them; see `shifting`."""


class Asker(NamedTuple):
    """A prior or none, with features or without, by one signature."""

    init: Callable[[], Counters]
    """The carry before anything was asked."""
    ask: Callable[[Data, Counters, Any, jax.Array], tuple[Told, Counters]]
    """`(data, carry, states [B], needed bool[B]) -> (told [B], carry)`"""
    feature_shape: tuple[int, ...] = ()
    """Of a state: `(F,)`, or `(A, F)`; () where nothing reads them."""
    resume: Callable[[Any], Any] = lambda carry: carry
    """The carry to go on with, of a training's `prior_carry`."""


def of(prior: Prior | None, with_features: bool = False) -> Asker:
    """How to ask this prior.

    Raises:
        InvalidInput: if features are wanted and it has none.
    """
    if with_features:
        return _both(prior)
    if prior is None:
        return Asker(Counters.zero, lambda data, carry, states, needed: (Told((), ()), carry))

    def ask(data: Data, carry: Counters, states: Any, needed: jax.Array) -> tuple[Told, Counters]:
        log_probs, carry = prior.log_probs(
            data.prior_params, carry, states, data.env_params, needed
        )
        return Told(log_probs, ()), carry

    return Asker(prior.init, ask)


def _both(prior: Prior | None) -> Asker:
    """Log-probabilities and features, by one question."""
    if not has_features(prior):
        found = "there is no prior" if prior is None else f"the prior {prior.name!r} has none"
        raise InvalidInput(
            f"q_input is 'features', but {found}; a language model that our decoder runs has "
            "features, and so has any prior with an encoder"
        )

    def ask(data: Data, carry: Counters, states: Any, needed: jax.Array) -> tuple[Told, Counters]:
        log_probs, features, carry = prior.log_probs_and_features(
            data.prior_params, carry, states, data.env_params, needed
        )
        return Told(log_probs, features), carry

    return Asker(prior.init, ask, prior.feature_shape)
