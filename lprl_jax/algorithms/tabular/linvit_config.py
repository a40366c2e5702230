"""The settings of LINVIT, which of them may differ from run to run, and its bonuses."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs import values
from lprl_envs.errors import InvalidInput, require_one_of

from lprl_jax.algorithms.base import require_above_0, require_finite, same_for_all
from lprl_jax.field_help import described


class Spread(NamedTuple):
    """What is known of the next state's value, `f32[S, A]`, for bonuses that ask."""

    variance: jax.Array
    """Of V⁺ under P̂."""
    gap: jax.Array
    """Mean of V⁺ - V⁻ under P̂."""


def hoeffding(horizon: int, visits: jax.Array, log_term: jax.Array, spread: Spread) -> jax.Array:
    """`H sqrt(L / n)`, L = log(S A H (1 + n) / δ)."""
    del spread
    return horizon * jnp.sqrt(log_term / jnp.maximum(visits, 1.0))


def bernstein(horizon: int, visits: jax.Array, log_term: jax.Array, spread: Spread) -> jax.Array:
    """`sqrt(2 Var_P̂(V⁺) L / n) + (3 H + H² / 2) L / n + P̂(V⁺ - V⁻) / H`, L as above.

    The empirical Bernstein bound for the best value V needs its variance; as V⁻ ≤ V ≤ V⁺, that of
    V⁺ stands in for it at the price of sqrt(2 H P̂(V⁺ - V⁻) L / n), which is at most H² L / (2 n)
    and the last term together. References: Maurer and Pontil 2009; Azar et al. 2017, UCBVI.
    """
    rate = log_term / jnp.maximum(visits, 1.0)
    return (
        jnp.sqrt(2.0 * spread.variance * rate)
        + (3.0 * horizon + 0.5 * horizon**2) * rate
        + spread.gap / horizon
    )


BONUSES = {"hoeffding": hoeffding, "bernstein": bernstein}
"""`(H, visits [S, A], L [S, A], spread) -> f32[S, A]`, at scale 1."""


@described
@dataclasses.dataclass(frozen=True)
class LINVITConfig:
    """Settings; those of `HParams` are only the defaults of a run."""

    horizon: int = 20
    """H: steps of an episode."""
    bonus: str = "hoeffding"
    """How the bonus falls with the number of visits; one of `BONUSES`."""
    episodes_per_update: int = 10
    """Episodes of a run between two reports."""
    temperature: float = 0.1
    """λ: what a nat of divergence from the prior costs. The paper's choice is ε / (2 ε_LLM), where
    ε_LLM is the divergence of the optimal policy from the prior."""
    bonus_scale: float = 0.01
    """Times the bonus: 1 is what the proof needs; in practice far less does."""
    delta: float = 0.1
    """δ: probability with which, at scale 1, a bound may fail."""
    epsilon: float = 0.0
    """ε: a run stops when its bounds at the start are so close; 0 for never."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_one_of("bonus", self.bonus, BONUSES)
        require_above_0(self, "horizon", "episodes_per_update", "temperature")
        for name in ("bonus_scale", "epsilon"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not 0 < self.delta < 1:
            raise InvalidInput(f"delta is {self.delta}; it must lie between 0 and 1")
        require_above_0(self, "delta")
        require_finite(self, "temperature", "bonus_scale", "epsilon")

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`, at most: episodes may end."""
        return self.horizon * self.episodes_per_update

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `LINVITConfig`."""

    temperature: jax.Array
    bonus_scale: jax.Array
    delta: jax.Array
    epsilon: jax.Array
