"""How far one comes on held-out instances who follows a model, a habit, or chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.algorithms import asking
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.interaction import play_episodes
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.priors.base import normalize, sample_proposals
from lprl_jax.priors.language import LanguagePrior
from lprl_jax.priors.tabular import Table, TabularPrior, tabulate
from lprl_jax.results.statistics import Interval, share_interval

PLAYED = 50
"""Instances of each kind."""
EPISODES = 8
"""Played an instance."""


class Followed(NamedTuple):
    """Success rates of episodes: the mean over instances, with its 95 % interval over them."""

    drawn: Interval
    """Actions are drawn from the model."""
    greedy: Interval
    """Its most likely action is taken."""
    habit: Interval
    """Actions are drawn from a habit."""
    uniform: Interval
    """Actions are drawn from the legal ones."""


def follow(
    model: LanguageModel,
    env: TextEnv[Any, Any],
    bank: TextEnvParams,
    log_weights: jax.Array,
    key: chex.PRNGKey,
) -> Followed:
    """Play by a model, by a habit of these log-weights `f32[A]`, and at random."""
    table = tabulate(LanguagePrior.of_model(model, env, bank), env, bank).table
    legal = jnp.isfinite(table)
    sharp = 1e3 * jnp.where(legal, table, 0.0)
    others = (normalize(scores, legal) for scores in (sharp, log_weights, jnp.zeros(legal.shape)))
    rates = success(env, bank, (table, *others), key)
    return Followed(*(share_interval(rate) for rate in rates))


def success(
    env: TextEnv[Any, Any], bank: TextEnvParams, tables: Sequence[jax.Array], key: chex.PRNGKey
) -> list[np.ndarray]:
    """Success rates in each instance, `f32[M]`, by actions drawn from each of the tables.

    Those are log-probabilities `f32[M, num_states, A]`.
    """
    priors = [TabularPrior(env, table, "measured", 0) for table in tables]
    asker, num_instances = asking.of(priors[0]), len(tables[0])

    def policy(keys: chex.PRNGKey, state: Any, told: Told) -> jax.Array:
        return jax.vmap(lambda k, p: sample_proposals(k, p, 1)[:, 0])(keys, told.log_probs)

    @jax.jit
    def play(table: Table, bank: TextEnvParams) -> jax.Array:
        keys, own = jax.random.split(key, num_instances), jnp.arange(num_instances)[:, None]
        data = Data(table, bank)
        return play_episodes(env, asker, policy, keys, data, own, EPISODES)["success"]

    return [np.asarray(play(prior.params, bank)) for prior in priors]
