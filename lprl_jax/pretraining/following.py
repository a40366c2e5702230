"""How far one comes on held-out instances who follows a model, a habit, or chance."""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.algorithms import asking
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.playing import Policy, play_episodes
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.pretraining.tasks import can_list_states
from lprl_jax.priors.base import Prior
from lprl_jax.priors.controls import UniformPrior
from lprl_jax.priors.habit import HabitPrior
from lprl_jax.priors.language import LanguagePrior
from lprl_jax.priors.sampling import sample_proposals
from lprl_jax.priors.tabular import tabulate
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
    """Play by a model, by a habit of these log-weights `f32[A]`, and at random.

    Where states can be listed the model is asked about each of them once, beforehand.
    """
    asked: Prior = LanguagePrior.of_model(model, env, bank)
    if can_list_states(env):
        asked = tabulate(asked, env, bank)
    played = {
        "drawn": (asked, drawn),
        "greedy": (asked, likeliest),
        "habit": (HabitPrior(env, log_weights), drawn),
        "uniform": (UniformPrior(env), drawn),
    }
    rates = (success(env, bank, prior, how, key) for prior, how in played.values())
    return Followed(*(share_interval(rate) for rate in rates))


def drawn(keys: chex.PRNGKey, state: Any, told: Told) -> jax.Array:
    """Actions `i32[R, N]` by the prior's probabilities."""
    del state
    return jax.vmap(lambda k, p: sample_proposals(k, p, 1)[:, 0])(keys, told.log_probs)


def likeliest(keys: chex.PRNGKey, state: Any, told: Told) -> jax.Array:
    """The most likely actions `i32[R, N]`; of equally likely ones any, each time."""
    best = told.log_probs >= jnp.max(told.log_probs, axis=-1, keepdims=True)
    return drawn(keys, state, told._replace(log_probs=jnp.where(best, 0.0, -jnp.inf)))


def success(
    env: TextEnv[Any, Any], bank: TextEnvParams, prior: Prior, policy: Policy, key: chex.PRNGKey
) -> np.ndarray:
    """Success rates in each instance, `f32[M]`, of who acts by a prior."""
    asker, num_instances = asking.of(prior), len(jax.tree.leaves(bank.bank)[0])

    @jax.jit
    def play(params: Any, bank: TextEnvParams) -> jax.Array:
        keys, own = jax.random.split(key, num_instances), jnp.arange(num_instances)[:, None]
        data = Data(params, bank)
        return play_episodes(env, asker, policy, keys, data, own, EPISODES)["success"]

    return np.asarray(play(prior.params, bank))
