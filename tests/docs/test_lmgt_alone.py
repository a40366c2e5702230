"""Following a judge: the best legal verdict's action, ties at random, each run its own instance."""

import importlib
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from algorithms.probes import TabularMDP, tables
from lprl_envs import Pendulum

from lprl_jax.algorithms.asking import Told
from lprl_jax.judges import of_table
from lprl_jax.judges.experts import expert_judge

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
alone: Any = importlib.import_module("lmgt_alone")

RUNS, ROWS = 2, 512


def acted(env: Any, params: Any, judge: Any) -> np.ndarray:
    """Actions `[RUNS, ROWS]` in first states, of instance r in run r."""
    keys = jax.random.split(jax.random.key(1), (RUNS, ROWS))
    instances = np.arange(RUNS, dtype=np.int32)
    first = jax.vmap(jax.vmap(env.initial_state, (0, None, None)), (0, 0, None))
    state = first(keys, instances, params)
    policy = alone.follow(env, judge, judge.params, params)
    return np.asarray(policy(jax.random.split(jax.random.key(2), RUNS), state, Told((), ())))


def test_the_best_legal_verdict_is_taken_and_ties_are_tossed() -> None:
    """In the first instance the best action is illegal and two tie; in the second one is best."""
    env, legal = TabularMDP(1, 4), np.array([[0, 1, 1, 1]], bool)
    params = env.params_of([tables([[0, 0, 0, 0]], np.zeros((1, 4)), legal)] * RUNS)
    first = np.array([[1.0, 0.5, 0.5, -1.0], [1.0, -0.5, -0.2, 0.0]], np.float32)
    verdicts = np.stack([first, np.zeros((RUNS, 4))], axis=1)  # the end is no place to act in
    found = acted(env, params, of_table(env, params, verdicts, "by hand"))
    assert set(np.unique(found[0])) == {1, 2}
    assert abs((found[0] == 1).mean() - 0.5) < 0.08  # 3.6 standard errors
    assert (found[1] == 3).all()


def test_of_continuous_actions_a_word_is_taken() -> None:
    env = Pendulum()
    params = env.sample_params(jax.random.key(0), RUNS)
    judge = expert_judge(env, params)
    found = acted(env, params, judge)
    assert found.shape == (RUNS, ROWS, 1)
    assert set(np.unique(found)) <= set(np.unique(env.action_words))
    assert len(np.unique(found)) > 1
