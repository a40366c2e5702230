"""The controls that a claim about a prior needs: a uniform prior, and worse versions of one."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, values
from lprl_envs.short_repr import short_repr

from lprl_jax.priors.base import Counters, FeaturePrior, Prior, normalize, require_world


@dataclasses.dataclass(frozen=True, eq=False)
class UniformPrior:
    """Every legal action alike. Asks no model."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Tells which actions are legal."""
    name: str = "uniform"
    """For reports."""
    params: tuple[()] = ()
    """Nothing."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if there is no environment."""
        require_world(self.env)

    def init(self) -> Counters:
        """Nothing asked."""
        return Counters.zero()

    def log_probs(
        self, params: Any, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, Counters]:
        """-log of the number of legal actions; `Prior.log_probs`."""
        del params, needed
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)
        return normalize(jnp.zeros(legal.shape, jnp.float32), legal), carry


def degrade(
    prior: Prior,
    *,
    temperature: float = 1.0,
    epsilon: float = 0.0,
    adversarial: bool = False,
    env: TextEnv[Any, Any] | None = None,
) -> DegradedPrior:
    """A worse version of a prior, to see how much of a result rests on its quality.

    In this order: `adversarial` turns the preferences round, p ∝ 1 / p; `temperature` flattens (or
    below 1 sharpens) them, p ∝ p^(1 / temperature); `epsilon` mixes in the uniform distribution
    over the legal actions.

    Legal actions to which the prior gives p = 0 count: of ε they get their share, and turned round
    they are what it likes best, so that they share everything, as in the limit of p → 0. No
    temperature raises them from 0.

    Args:
        prior: The one made worse.
        temperature: Above 0.
        epsilon: In [0, 1].
        adversarial: Whether preferences are turned round.
        env: Tells which actions are legal; None for the prior's own `env`, which all of this
            package have.

    Raises:
        InvalidInput: if the temperature is not above 0, epsilon not in [0, 1], or the legal actions
            matter and neither an environment is given nor the prior has one.
    """
    env = getattr(prior, "env", None) if env is None else env
    return DegradedPrior(prior, temperature, epsilon, adversarial, env)


@dataclasses.dataclass(frozen=True, eq=False)
class DegradedPrior:
    """See `degrade`."""

    __repr__ = short_repr

    prior: Prior
    """The one made worse; it is asked as before."""
    temperature: float
    """Of the preferences."""
    epsilon: float
    """Share of the uniform distribution."""
    adversarial: bool
    """Whether preferences are turned round."""
    env: TextEnv[Any, Any] | None = None
    """Tells which actions are legal; may be None where only the temperature is changed."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if a number makes no distribution, or an environment is missing."""
        for name, check in (
            ("temperature", values.finite),
            ("epsilon", values.number),
            ("adversarial", values.truth),
        ):
            object.__setattr__(self, name, check(name, getattr(self, name)))
        values.require_above_0("temperature", self.temperature)
        if not 0 <= self.epsilon <= 1:
            raise InvalidInput(f"epsilon is {self.epsilon}; it must lie in [0, 1]")
        if (self.epsilon or self.adversarial) and self.env is None:
            raise InvalidInput(
                f"the prior {self.prior.name!r} does not tell which actions are legal; right: "
                "degrade(prior, env=the environment, ...), or a prior with an attribute `env`"
            )

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
        return self._degrade(log_probs, env_state, env_params), carry

    def log_probs_and_features(
        self, params: Any, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """See `degrade` and `FeaturePrior`; features are those of the prior underneath."""
        prior = cast("FeaturePrior", self.prior)
        asked = params, carry, env_state, env_params, needed
        log_probs, features, carry = prior.log_probs_and_features(*asked)
        return self._degrade(log_probs, env_state, env_params), features, carry

    def _degrade(self, log_probs: jax.Array, env_state: Any, env_params: Any) -> jax.Array:
        """Log-probabilities `[B, A]`, made worse."""
        given, sign = log_probs > -jnp.inf, -1.0 if self.adversarial else 1.0
        log_probs = normalize(jnp.where(given, log_probs, 0.0) * sign / self.temperature, given)
        if self.env is None:
            return log_probs
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)
        if self.adversarial:
            ignored = legal & ~given
            is_any = jnp.any(ignored, axis=-1, keepdims=True)
            # Where none is ignored this is of the others, which keeps it a distribution.
            of_ignored = normalize(
                jnp.zeros(legal.shape, jnp.float32), jnp.where(is_any, ignored, given)
            )
            log_probs = jnp.where(is_any, of_ignored, log_probs)
        if self.epsilon:
            uniform = normalize(jnp.zeros(legal.shape, jnp.float32), legal)
            kept, mixed = jnp.log1p(jnp.float32(-self.epsilon)), jnp.log(jnp.float32(self.epsilon))
            log_probs = jnp.logaddexp(log_probs + kept, uniform + mixed)
        return log_probs
