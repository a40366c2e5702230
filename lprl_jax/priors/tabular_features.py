"""TabularFeaturePrior: a prior's log-probabilities and features as tables over a bank's states."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs import TextEnv, TextEnvParams
from lprl_envs.short_repr import short_repr

from lprl_jax.priors.base import Counters, FeaturePrior
from lprl_jax.priors.everywhere import ask_everywhere
from lprl_jax.priors.tabular import Table, TabularPrior, fingerprint_of, require_of


class FeatureTables(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    table: Table
    """Of the log-probabilities."""
    features: jax.Array
    """f32[M, num_states, F], or f32[M, num_states, A, F]"""


@dataclasses.dataclass(frozen=True, eq=False)
class TabularFeaturePrior:
    """A `FeaturePrior`, looked up; make one with `tabulate_features`."""

    __repr__ = short_repr

    table: TabularPrior
    """Of the log-probabilities; it counts the questions."""
    features: jax.Array
    """f32[M, num_states, F], or f32[M, num_states, A, F]"""

    @property
    def name(self) -> str:
        """Of the prior that was tabulated."""
        return self.table.name

    @property
    def settings(self) -> dict[str, Any]:
        """Of the prior that was tabulated."""
        return self.table.settings

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Numbers the states."""
        return self.table.env

    @property
    def params(self) -> FeatureTables:
        """Both tables."""
        return FeatureTables(self.table.params, self.features)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Of the prior that was tabulated."""
        return self.features.shape[2:]

    def init(self) -> Counters:
        """Nothing asked; the tables' evaluations were made beforehand."""
        return self.table.init()

    def log_probs(
        self,
        params: FeatureTables,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`."""
        return self.table.log_probs(params.table, carry, env_state, env_params, needed)

    def log_probs_and_features(
        self,
        params: FeatureTables,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """See `FeaturePrior.log_probs_and_features`."""
        log_probs, carry = self.log_probs(params, carry, env_state, env_params, needed)
        index = jax.vmap(self.table.env.state_index, in_axes=(0, None))(env_state, env_params)
        features = params.features[env_state.instance, index]
        asked = needed.reshape(-1, *[1] * len(self.feature_shape))
        return log_probs, jnp.where(asked, features, 0.0), carry


def tabulate_features(
    prior: FeaturePrior,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    *,
    progress: bool = False,
    **settings: Any,
) -> TabularFeaturePrior:
    """Ask a prior about every state of every instance that is not terminal, once.

    Args:
        prior: A prior with features.
        env: The environment, whose state space is finite.
        env_params: The bank.
        progress: Whether a bar with an estimate is shown, on a terminal, when it takes long.
        settings: Recorded in the manifest, should the table of log-probabilities be saved.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if the prior is of another environment or bank.
    """
    require_of(prior.params, env, env_params, f"the prior {prior.name!r}")
    found = ask_everywhere(
        prior, env, env_params, method="log_probs_and_features", progress=progress
    )
    made_for, log_probs = fingerprint_of(prior, env, env_params), jnp.asarray(found.log_probs)
    table = TabularPrior(env, log_probs, prior.name, found.evaluations, settings, made_for)
    return TabularFeaturePrior(table, jnp.asarray(found.features))
