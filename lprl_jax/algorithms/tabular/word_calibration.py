"""A judge in words, freed of what its model likes to say anyway, measured on training instances.

A model may like to say "good" whatever it reads. `calibrated` asks it about states of random play
in training instances, and takes the mean log p(v | s, a) of each word off: then all three are as
likely on average. That knows nothing of what is right, and never sees a held-out instance.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.algorithms.tabular import habits
from lprl_jax.judges.base import has_choice
from lprl_jax.judges.words import WordJudge, bias_of

INSTANCES = 32
"""Training instances that are played, by as many players."""
STEPS = 32
"""Of each player; all states are asked about in which there is anything to choose."""


def calibrated(judge: WordJudge, drawn: Sequence[tuple[str, Any]] = ()) -> WordJudge:
    """The same judge of the same bank, less what its model likes to say of anything.

    Args:
        judge: Its own bias is replaced, its threshold kept.
        drawn: Options of `env.sample_params`, by name: how training instances are drawn.

    Raises:
        InvalidInput: if the environment has no training instances.
    """
    env = judge.env
    states, taught = asked_about(env, drawn)
    plain = judge.calibrated((0.0, 0.0, 0.0)).with_bank(taught)
    asked = has_choice(env, states, taught)
    log_probs = jax.jit(plain.log_probs)(plain.params, states, taught, asked)
    legal = jax.vmap(env.action_mask, in_axes=(0, None))(states, taught)
    bias = bias_of(log_probs, legal & asked[:, None])
    return judge.calibrated(bias, float(judge.params.threshold))


def asked_about(
    env: TextEnv[Any, Any], drawn: Sequence[tuple[str, Any]] = ()
) -> tuple[Any, TextEnvParams]:
    """States `[INSTANCES * STEPS]` of random play, and the training instances they are of.

    Args:
        env: The environment.
        drawn: Options of `env.sample_params`, by name: how training instances are drawn.

    Raises:
        InvalidInput: if the environment has no training instances.
    """
    taught = habits.training_instances(env, drawn, INSTANCES, "a judge is calibrated")
    key = jax.random.fold_in(jax.random.key(habits.SEED), 1)  # another than drew the instances
    return played(env, INSTANCES, STEPS, taught, key), taught


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def played(
    env: TextEnv[Any, Any], episodes: int, steps: int, env_params: TextEnvParams, key: chex.PRNGKey
) -> Any:
    """States `[episodes * steps]` in which players of legal actions at random must act.

    A player whose episode ends goes on in another, of any instance of the bank.
    """

    def step(state: Any, key: chex.PRNGKey) -> tuple[Any, Any]:
        key_action, key_step = jax.random.split(key)
        if env.is_continuous:
            action = env.action_space(env_params).sample(key_action)
        else:
            legal = env.action_mask(state, env_params)
            action = jax.random.categorical(key_action, jnp.where(legal, 0.0, -jnp.inf))
        _, after, *_ = env.step(key_step, state, action, env_params)
        return after, state

    def play(key: chex.PRNGKey) -> Any:
        key_reset, key_play = jax.random.split(key)
        _, state = env.reset(key_reset, env_params)
        return jax.lax.scan(step, state, jax.random.split(key_play, steps))[1]

    found = jax.vmap(play)(jax.random.split(key, episodes))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)
