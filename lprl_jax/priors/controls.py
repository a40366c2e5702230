"""The controls that a claim about a prior needs: a uniform prior, and worse versions of one."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, values

from lprl_jax.priors.base import Counters, FeaturePrior, Prior, normalize


@dataclasses.dataclass(frozen=True, eq=False)
class UniformPrior:
    """Every legal action alike. Asks no model."""

    env: TextEnv[Any, Any]
    """Tells which actions are legal."""
    name: str = "uniform"
    """For reports."""
    params: tuple[()] = ()
    """Nothing."""

    def init(self) -> Counters:
        """Nothing asked."""
        return Counters.zero()

    def log_probs(
        self, params: Any, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, Counters]:
        """-log of the number of legal actions; `Prior.log_probs`."""
        del params, needed
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)
        return normalize(jnp.zeros(legal.shape), legal), carry


def degrade(
    prior: Prior, *, temperature: float = 1.0, epsilon: float = 0.0, adversarial: bool = False
) -> DegradedPrior:
    """A worse version of a prior, to see how much of a result rests on its quality.

    In this order: `adversarial` turns the preferences round, p ∝ 1 / p; `temperature` flattens (or
    below 1 sharpens) them, p ∝ p^(1 / temperature); `epsilon` mixes in the uniform distribution.

    Raises:
        InvalidInput: if the temperature is not above 0, or epsilon not in [0, 1].
    """
    return DegradedPrior(prior, temperature, epsilon, adversarial)


@dataclasses.dataclass(frozen=True, eq=False)
class DegradedPrior:
    """See `degrade`."""

    prior: Prior
    """The one made worse; it is asked as before."""
    temperature: float
    """Of the preferences."""
    epsilon: float
    """Share of the uniform distribution."""
    adversarial: bool
    """Whether preferences are turned round."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if a number makes no distribution."""
        for name, check in (
            ("temperature", values.finite),
            ("epsilon", values.number),
            ("adversarial", values.truth),
        ):
            object.__setattr__(self, name, check(name, getattr(self, name)))
        values.require_above_0("temperature", self.temperature)
        if not 0 <= self.epsilon <= 1:
            raise InvalidInput(f"epsilon is {self.epsilon}; it must lie in [0, 1]")

    @property
    def name(self) -> str:
        """What was done, and to which prior."""
        parts = ["adversarial"] * self.adversarial
        parts += [f"temperature {self.temperature:g}"] * (self.temperature != 1.0)
        parts += [f"ε = {self.epsilon:g}"] * (self.epsilon != 0.0)
        return f"{self.prior.name} ({', '.join(parts) or 'unchanged'})"

    @property
    def params(self) -> Any:
        """Of the prior underneath."""
        return self.prior.params

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Of the prior underneath; an AttributeError, as `has_features` expects, if it has none."""
        return cast("FeaturePrior", self.prior).feature_shape

    def init(self) -> Counters:
        """Of the prior underneath."""
        return self.prior.init()

    def log_probs(
        self, params: Any, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, Counters]:
        """See `degrade` and `Prior.log_probs`."""
        log_probs, carry = self.prior.log_probs(params, carry, env_state, env_params, needed)
        return self._degrade(log_probs), carry

    def log_probs_and_features(
        self, params: Any, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """See `degrade` and `FeaturePrior`; features are those of the prior underneath."""
        prior = cast("FeaturePrior", self.prior)
        asked = params, carry, env_state, env_params, needed
        log_probs, features, carry = prior.log_probs_and_features(*asked)
        return self._degrade(log_probs), features, carry

    def _degrade(self, log_probs: jax.Array) -> jax.Array:
        """Log-probabilities `[B, A]`, made worse."""
        legal = log_probs > -jnp.inf
        sign = -1.0 if self.adversarial else 1.0
        log_probs = normalize(jnp.where(legal, log_probs, 0.0) * sign / self.temperature, legal)
        if self.epsilon:
            uniform = normalize(jnp.zeros(legal.shape), legal)
            kept, mixed = jnp.log1p(-self.epsilon), jnp.log(self.epsilon)
            log_probs = jnp.logaddexp(log_probs + kept, uniform + mixed)
        return log_probs
