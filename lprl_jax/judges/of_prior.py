"""PriorJudge: the verdict that a prior implies, with no prompt of its own and no training.

An action that the prior likes better than chance is good, one that it hardly considers is bad. So
every prior is a judge: the same model can be tried both ways.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, values
from lprl_envs.errors import shown
from lprl_envs.short_repr import short_repr

from lprl_jax.judges.base import BAD, GOOD, UNSURE, has_choice
from lprl_jax.priors.base import Counters, Prior

CHANCE = 1e-4
"""By which a probability must beat chance; a uniform prior's sums are rounded."""


@dataclasses.dataclass(frozen=True, eq=False)
class PriorJudge:
    """Verdicts by ρ = p(a|s) · L, with L legal actions: how much likelier than chance it is.

    Hard: good where ρ > 1 and p ≥ `near` · max p, bad where ρ ≤ 1 / `rare`, otherwise unsure. Soft:
    tanh(log ρ). Of a uniform prior all verdicts are 0.

    Raises:
        InvalidInput: if a number is out of range, or the prior does not tell its environment.
    """

    __repr__ = short_repr

    prior: Prior
    """Asked as it would be for a learner; it has an attribute `env`."""
    near: float = 0.5
    """In (0, 1]: of the likeliest action's probability, what a good one has at least."""
    rare: float = 3.0
    """Above 1: how many times less likely than chance a bad one is."""
    soft: bool = False
    """Whether verdicts are degrees."""

    def __post_init__(self) -> None:
        """See the class."""
        for name, check in (
            ("near", values.number),
            ("rare", values.finite),
            ("soft", values.truth),
        ):
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if not 0 < self.near <= 1:
            raise InvalidInput(f"near is {self.near:g}; it must lie in (0, 1]")
        if self.rare <= 1:
            raise InvalidInput(f"rare is {self.rare:g}; it must be above 1")
        if not isinstance(getattr(self.prior, "env", None), TextEnv):
            raise InvalidInput(
                f"prior is {shown(self.prior)}, which does not tell which actions are legal; "
                "right: a prior with an attribute `env`, which all of this package have"
            )

    @property
    def env(self) -> TextEnv[Any, Any]:
        """The prior's."""
        own: Any = self.prior
        return own.env

    @property
    def name(self) -> str:
        """The prior's."""
        return f"{self.prior.name} as {'soft ' * self.soft}judge"

    @property
    def params(self) -> Any:
        """The prior's."""
        return self.prior.params

    def init(self) -> Counters:
        """The prior's."""
        return self.prior.init()

    def verdicts(
        self,
        params: Any,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Judge.verdicts`; the prior is asked once, where there is anything to choose."""
        del keys
        needed = needed & has_choice(self.env, env_state, env_params)
        log_probs, carry = self.prior.log_probs(params, carry, env_state, env_params, needed)
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)
        return self._told(log_probs, legal, needed), carry

    @property
    def verdicts_of_slots(self) -> Callable[..., tuple[jax.Array, Counters]]:
        """See `TextJudge`; there is none of a prior that is no `TextPrior`."""
        own: Any = self.prior
        log_probs_of_slots = own.log_probs_of_slots

        def ask(
            params: Any, carry: Counters, instance: jax.Array, slots: jax.Array, needed: jax.Array
        ) -> tuple[jax.Array, Counters]:
            needed = needed & (self.env.num_actions > 1)
            log_probs, carry = log_probs_of_slots(params, carry, instance, slots, needed)
            return self._told(log_probs, jnp.ones(log_probs.shape, bool), needed), carry

        return ask

    def _told(self, log_probs: jax.Array, legal: jax.Array, asked: jax.Array) -> jax.Array:
        """Verdicts `f32[B, A]`, unsure in rows that were not asked."""
        found = of_log_probs(log_probs, legal, self.near, self.rare, self.soft)
        return jnp.where(asked[:, None], found, UNSURE)


def of_log_probs(
    log_probs: jax.Array, legal: jax.Array, near: float, rare: float, soft: bool
) -> jax.Array:
    """δ `f32[..., A]` of log-probabilities `[..., A]`; see `PriorJudge`."""
    count = jnp.sum(legal, axis=-1, keepdims=True)
    log_ratio = log_probs + jnp.log(count.astype(jnp.float32))
    if soft:
        return jnp.where(legal, jnp.tanh(log_ratio), UNSURE)
    best = jnp.max(jnp.where(legal, log_probs, -jnp.inf), axis=-1, keepdims=True)
    is_good = (log_probs >= best + jnp.log(near)) & (log_ratio > CHANCE)
    is_bad = log_ratio <= -jnp.log(rare)
    verdict = jnp.where(is_good, GOOD, jnp.where(is_bad, BAD, UNSURE))
    return jnp.where(legal, verdict, UNSURE)
