"""What a judge comes to that is followed, with nothing learnt: the action it thinks best is taken.

A part of `lmgt_worlds`, on the instances, and with the evaluations, of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lmgt_learners import MODEL, MODELS_ROW, PERFECT, RUNS, World, made

from lprl_jax.algorithms import asking
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.interaction import flatten, play_episodes, unflatten
from lprl_jax.algorithms.tabular.perfect_judge import perfect_judge
from lprl_jax.judges import Judge, tabulate, uniform
from lprl_jax.judges.experts import expert_judge, has_expert
from lprl_jax.judges.words import WordJudge
from lprl_jax.results import statistics

CHANCE = "chance"


def alone(own: World) -> dict[str, list[float]]:
    """Returns, or shares of solved episodes, of a world's runs: IQM and interval, by judge."""
    env, params = made(own)
    model = WordJudge.from_pretrained(MODEL, env, params, soft=True)
    knows = expert_judge if has_expert(env) else perfect_judge
    followed = {
        MODELS_ROW: tabulate(model, env, params),
        PERFECT: knows(env, params),
        CHANCE: uniform(env),
    }
    digits = 1 if own.of_returns and abs(own.threshold) > 1 else 3
    found = {}
    for name, judge in followed.items():
        played = _play(env, params, judge, own)
        values = np.asarray(played["return" if own.of_returns else "success"])
        found[name] = statistics.bootstrap_interval(values).rounded(digits)
        print(own.task, name, found[name], flush=True)
    return found


def _play(env: Any, params: Any, judge: Judge, own: World) -> dict[str, jax.Array]:
    """Episodes of every run, each on its own instance, by the likeliest good action."""
    keys = jax.random.split(jax.random.key(0), RUNS)
    instances = jnp.arange(RUNS, dtype=jnp.int32)[:, None] % len(params.instances)
    asker, words = asking.of(None), jnp.asarray(env.action_words) if env.is_continuous else None

    @jax.jit
    def play(judge_params: Any) -> dict[str, jax.Array]:
        data = Data((), params)
        policy = _policy(env, judge, judge_params, params, words)
        return play_episodes(env, asker, policy, keys, data, instances, own.fields["eval_episodes"])

    return play(judge.params)


def _policy(
    env: Any, judge: Judge, judge_params: Any, params: Any, words: jax.Array | None
) -> Callable[[jax.Array, Any, Told], jax.Array]:
    """`(keys [R], states [R, N], told) -> actions [R, N]`: the best verdict's; ties at random."""

    def act(keys: jax.Array, state: Any, told: Told) -> jax.Array:
        del told
        rows, num_runs = flatten(state), len(keys)
        count = len(rows.time)
        own = jax.vmap(lambda key: jax.random.split(key, count // num_runs))(keys).reshape(-1)
        every = jnp.ones(count, bool)
        verdicts, _ = judge.verdicts(judge_params, judge.init(), own, rows, params, every)
        legal = jax.vmap(env.action_mask, (0, None))(rows, params)
        verdicts = jnp.where(legal, verdicts, -jnp.inf)
        best = verdicts == verdicts.max(axis=-1, keepdims=True)
        chosen = jax.vmap(jax.random.categorical)(own, jnp.where(best, 0.0, -jnp.inf))
        return unflatten(chosen if words is None else words[chosen], num_runs)

    return act
