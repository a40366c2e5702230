"""The prior alone: it acts, and nothing is learnt. With the uniform prior, the random policy.

What every learner that uses a prior has to be better than.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking, streams
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.interaction import instances_or_all
from lprl_jax.algorithms.playing import play_by
from lprl_jax.field_help import described
from lprl_jax.priors.base import Counters, Prior
from lprl_jax.priors.sampling import sample_proposals


@described
@dataclasses.dataclass(frozen=True)
class PriorOnlyConfig:
    """There is nothing to set."""

    @property
    def steps_per_update(self) -> int:
        """Of a call of `update`, which does nothing."""
        return 1

    def hparams(self, num_runs: int) -> HParams:
        """None."""
        return HParams()


class HParams(NamedTuple):
    """There are none."""


class PriorOnlyState(NamedTuple):
    """What evaluation needs."""

    params: tuple[()]
    """Nothing is learnt."""
    prior_carry: Counters
    """What the prior was asked beforehand."""
    key: chex.PRNGKey
    """[R]"""
    hparams: HParams
    """None."""
    run_instances: jax.Array
    """i32[R, m]: the instances that a run plays."""


@checked(PriorOnlyConfig)
def make(config: PriorOnlyConfig, env: Env, prior: Prior | None) -> Algorithm:
    """The prior as a policy: by sampling, or by its likeliest action.

    Args:
        config: Nothing.
        env: The environment.
        prior: What acts.

    Returns:
        `Algorithm`, whose `data` is `Data(prior.params, env_params)`.

    Raises:
        InvalidInput: if there is no prior.
    """
    if prior is None:
        raise InvalidInput("prior_only acts by a prior, but the prior is none; name one")
    asker = asking.of(prior)

    def init(
        keys: chex.PRNGKey, hparams: HParams, data: Data, run_instances: jax.Array | None = None
    ) -> PriorOnlyState:
        """`keys [R]`; `run_instances i32[R, m]`, by default all of `env_params.instances`."""
        own = instances_or_all(run_instances, data.env_params, keys.shape[0])
        key = streams.of(keys, "training")
        return PriorOnlyState((), asker.init(), key, hparams, own)

    def restart(
        state: PriorOnlyState, data: Data, run_instances: jax.Array | None = None
    ) -> PriorOnlyState:
        """In another bank."""
        own = instances_or_all(run_instances, data.env_params, state.key.shape[0])
        return state._replace(run_instances=own)

    def update(state: PriorOnlyState, data: Data) -> tuple[PriorOnlyState, dict[str, jax.Array]]:
        """Nothing but that the next evaluation is another one; there is no loss."""
        state = state._replace(key=streams.of(state.key, "training"))
        return state, {"loss": jnp.zeros(state.key.shape, jnp.float32)}

    def sample(
        state: PriorOnlyState, data: Data, keys: Any, env_state: Any, told: Told
    ) -> jax.Array:
        return jax.vmap(lambda key, p: sample_proposals(key, p, 1)[:, 0])(keys, told.log_probs)

    def greedy(
        state: PriorOnlyState, data: Data, keys: Any, env_state: Any, told: Told
    ) -> jax.Array:
        return jnp.argmax(told.log_probs, axis=-1).astype(jnp.int32)

    policies = {"sample": sample, "greedy": greedy}
    return Algorithm(jax.jit(init), jax.jit(restart), update, **play_by(env, asker, policies))
