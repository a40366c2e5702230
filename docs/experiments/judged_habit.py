"""The best verdicts on actions that look at no state, as a table that judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.judges import tabular
from lprl_jax.judges.base import has_choice
from lprl_jax.pretraining import measuring_verdicts
from lprl_jax.pretraining.curriculum_of_judge import JUDGE_TASKS


def task_of(name: str) -> Any:
    """What `embedded-judge` was taught, by name."""
    return next(task for task in JUDGE_TASKS if task.name == name)


def write(env: Any, params: Any, task: str, path: Path) -> None:
    """A habit's verdicts, fitted on training instances of a task, for those of `params`."""
    said = measuring_verdicts.habit_of(task_of(task))
    verdicts = np.where(_choice(env, params)[:, None], said[None], 0.0)[None]
    instances = len(jax.tree.leaves(params.bank)[0])
    table = np.broadcast_to(verdicts, (instances, *verdicts.shape[1:]))
    tabular.of_table(env, params, table, "habit").save(path, params)


def _choice(env: Any, params: Any) -> np.ndarray:
    """`bool[rows]` of a table: whether there is more than one legal action."""
    rows = tabular.num_rows(env)
    if env.num_states is None:  # then all actions are legal
        return np.ones(rows, bool)
    states = jax.vmap(lambda i: env.state_at(0, i, params))(jnp.arange(rows))
    return np.asarray(has_choice(env, states, params))
