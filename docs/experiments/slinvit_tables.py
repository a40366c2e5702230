"""Priors as tables over the suites' states, of `slinvit.py` and `subgoals.py`: asked once a state.

Most of PlanBench's instances have four blocks. In an environment of five they have 866 states, of
which 125 can be reached; so they are asked about in one of four, and the answers are laid out as
the environment of five numbers states and actions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import BlocksWorld, BlocksWorldSubgoals
from lprl_envs.blocks_world.instances import Problems, published, resize

from lprl_jax import LanguagePrior, TabularPrior, UniformPrior, tabulate
from lprl_jax.algorithms.tabular import habits

BLOCKS = 5
ENV = BlocksWorld(BLOCKS)
Env = BlocksWorld | BlocksWorldSubgoals


def instances_of(suites: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the suites, as published."""
    return [row for suite in suites for row in published(suite)]


def params_of(rows: Sequence[dict[str, Any]], env: Env = ENV) -> Any:
    """A bank of these rows."""
    return env.params_of([{"init": row["init"], "goal": row["goal"]} for row in rows])


def uniform(rows: Sequence[dict[str, Any]], large: Env = ENV) -> TabularPrior:
    """Every legal action alike."""
    return tabulate(UniformPrior(large), large, params_of(rows, large))


def of_model(
    name: str, rows: Sequence[dict[str, Any]], folder: Path | None, large: Env = ENV
) -> TabularPrior:
    """A model's answers in every state that can be reached; kept in `folder`, if one is named."""

    def asked(env: Env, params: Any) -> TabularPrior:
        path = None if folder is None else folder / f"{name}-{env.name}-{env.num_blocks}.npz"
        if path is not None and path.exists():
            return TabularPrior.load(path, env, params)
        table = tabulate(LanguagePrior.from_pretrained(name, env, params), env, params)
        if path is not None:
            table.save(path, params)
        return table

    return by_size(name, rows, large, asked)


def of_habit(rows: Sequence[dict[str, Any]], large: Env = ENV) -> TabularPrior:
    """Of each number of blocks the habit of its training instances."""

    def fitted(env: Env, params: Any) -> TabularPrior:
        return tabulate(habits.of_training(env), env, params)

    return by_size("habit", rows, large, fitted)


def by_size(
    name: str,
    rows: Sequence[dict[str, Any]],
    large: Env,
    answers_in: Callable[[Env, Any], TabularPrior],
) -> TabularPrior:
    """Answers in the environment of as many blocks as a row has, laid out as the large one's."""
    log_probs = np.array(uniform(rows, large).table)
    evaluations = 0
    sizes = [len("".join(row["init"])) for row in rows]
    for size in sorted(set(sizes)):
        env = type(large)(size)
        own = [i for i, found in enumerate(sizes) if found == size]
        table = answers_in(env, params_of([rows[i] for i in own], env))
        evaluations += table.evaluations
        states, actions = _places(env, large)
        answers = np.full((len(own), len(states), large.num_actions), -np.inf, np.float32)
        answers[..., actions] = np.asarray(table.table)
        log_probs[np.array(own)[:, None], states] = answers
    return TabularPrior(large, jnp.asarray(log_probs), name, evaluations)


def _places(env: Env, large: Env) -> tuple[np.ndarray, np.ndarray]:
    """Which states and actions of the large environment those of a smaller one are."""
    params = env.default_params
    numbers = jnp.arange(env.num_states or 0, dtype=jnp.int32)
    on = jax.vmap(lambda i: env.state_at(0, i, params).on)(numbers)
    on = resize(Problems(on, on), large.num_blocks).on
    start = large.initial_state(jax.random.key(0), jnp.int32(0), large.default_params)
    states = jax.vmap(
        lambda on: large.state_index(dataclasses.replace(start, on=on), large.default_params)
    )(on)
    actions = [large.action_texts.index(text) for text in env.action_texts]
    return np.asarray(states), np.array(actions)
