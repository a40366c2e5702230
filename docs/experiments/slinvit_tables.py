"""The priors of `slinvit.py` as tables over the suites' states: the model is asked once a state.

Most of PlanBench's instances have four blocks. In an environment of five they have 866 states, of
which 125 can be reached; so they are asked about in one of four, and the answers are laid out as
the environment of five numbers states and actions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import BlocksWorld
from lprl_envs.blocks_world_instances import Problems, published, resize

from lprl_jax import LanguagePrior, TabularPrior, UniformPrior, tabulate

BLOCKS = 5
ENV = BlocksWorld(BLOCKS)


def instances_of(suites: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the suites, as published."""
    return [row for suite in suites for row in published(suite)]


def params_of(rows: Sequence[dict[str, Any]], env: BlocksWorld = ENV) -> Any:
    """A bank of these rows."""
    return env.params_of([{"init": row["init"], "goal": row["goal"]} for row in rows])


def uniform(rows: Sequence[dict[str, Any]]) -> TabularPrior:
    """Every legal action alike."""
    return tabulate(UniformPrior(ENV), ENV, params_of(rows))


def of_model(name: str, rows: Sequence[dict[str, Any]], folder: Path | None) -> TabularPrior:
    """A model's answers in every state that can be reached; kept in `folder`, if one is named."""
    log_probs = np.array(uniform(rows).params)
    evaluations = 0
    sizes = [len("".join(row["init"])) for row in rows]
    for size in sorted(set(sizes)):
        env = BlocksWorld(size)
        own = [i for i, found in enumerate(sizes) if found == size]
        params = params_of([rows[i] for i in own], env)
        path = None if folder is None else folder / f"{name}-{size}.npz"
        if path is not None and path.exists():
            table = TabularPrior.load(path, env, params)
        else:
            table = tabulate(LanguagePrior.from_pretrained(name, env, params), env, params)
            if path is not None:
                table.save(path, params)
        evaluations += table.evaluations
        states, actions = _places(size)
        answers = np.full((len(own), len(states), ENV.num_actions), -np.inf, np.float32)
        answers[..., actions] = np.asarray(table.params)
        log_probs[np.array(own)[:, None], states] = answers
    return TabularPrior(ENV, jnp.asarray(log_probs), name, evaluations)


def _places(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which states and actions of the large environment those of a smaller one are."""
    env = BlocksWorld(size)
    params = env.default_params
    numbers = jnp.arange(env.num_states or 0, dtype=jnp.int32)
    on = jax.vmap(lambda i: env.state_at(0, i, params).on)(numbers)
    large = resize(Problems(on, on), BLOCKS).on
    start = ENV.initial_state(jax.random.key(0), jnp.int32(0), ENV.default_params)
    states = jax.vmap(
        lambda on: ENV.state_index(dataclasses.replace(start, on=on), ENV.default_params)
    )(large)
    actions = [ENV.action_texts.index(text) for text in env.action_texts]
    return np.asarray(states), np.array(actions)
