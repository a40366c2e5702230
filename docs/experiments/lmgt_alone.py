"""What a judge comes to that is followed, with nothing learnt: the action it thinks best is taken.

A part of `lmgt_worlds`, on the instances, and with as many episodes, as an evaluation of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lmgt_learners import IN_WORDS, MODELS_ROW, PERFECT, World, digits_of, experiment_of

from lprl_jax.algorithms import asking
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.interaction import flatten, unflatten
from lprl_jax.algorithms.playing import play_episodes
from lprl_jax.experiments import build, judging
from lprl_jax.experiments.config import Experiment
from lprl_jax.judges import Judge
from lprl_jax.results import statistics

FOLLOWED = {
    MODELS_ROW: IN_WORDS,
    f"{MODELS_ROW}, by degrees": [*IN_WORDS, "judge_soft=true"],
    PERFECT: ["judge=perfect"],
    "chance": ["judge=uniform"],
}
"""Judges. By degrees a verdict is p(good) - p(bad), otherwise the likeliest word's."""


def alone(own: World) -> dict[str, list[float]]:
    """Returns, or shares of solved episodes, of a world's runs: IQM and interval, by judge."""
    found = {}
    for name, texts in FOLLOWED.items():
        played = play(experiment_of(own, texts))
        values = np.asarray(played["return" if own.of_returns else "success"])
        found[name] = statistics.bootstrap_interval(values).rounded(digits_of(own))
        print(own.task, name, found[name], flush=True)
    return found


def play(experiment: Experiment) -> dict[str, jax.Array]:
    """Means `f32[R]` over an evaluation's episodes of an experiment whose judge is followed."""
    given = experiment.config
    env, params = build.make_env(given.env, experiment.env_arguments, experiment.bank)
    judge = judging.make_judge(experiment, env, params)
    assert judge is not None
    keys, instances = build.keys(experiment), build.run_instances(experiment, params)

    @jax.jit
    def of_all(judge_params: Any, params: Any) -> dict[str, jax.Array]:
        policy = follow(env, judge, judge_params, params)
        data, count = Data((), params), given.eval_episodes
        return play_episodes(env, asking.of(None), policy, keys, data, instances, count)

    return of_all(judge.params, params)


def follow(
    env: Any, judge: Judge, judge_params: Any, params: Any
) -> Callable[[jax.Array, Any, Told], jax.Array]:
    """`(keys [R], states [R, N], told) -> actions [R, N]`: the best verdict's; ties at random."""

    def act(keys: jax.Array, state: Any, told: Told) -> jax.Array:
        del told
        rows, num_runs = flatten(state), len(keys)
        shape = len(rows.time) // num_runs, 2
        own = jax.vmap(lambda key: jax.random.split(key, shape))(keys).reshape(-1, 2)
        every = jnp.ones(len(own), bool)
        verdicts, _ = judge.verdicts(judge_params, judge.init(), own[:, 0], rows, params, every)
        legal = jax.vmap(env.action_mask, (0, None))(rows, params)
        verdicts = jnp.where(legal, verdicts, -jnp.inf)
        best = verdicts == verdicts.max(axis=-1, keepdims=True)
        chosen = jax.vmap(jax.random.categorical)(own[:, 1], jnp.where(best, 0.0, -jnp.inf))
        taken = jnp.asarray(env.action_words)[chosen] if env.is_continuous else chosen
        return unflatten(taken, num_runs)

    return act
