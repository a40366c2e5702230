"""Training steps a second where states are too many for a table: DQN, and DQN-Prior with a memory.

Household's small kitchen, 32 runs with a room each, learners as in `training`. Cold, the memory is
empty at first in every repeat. Warm, it holds what the same training has met, but for a few states
that lost their places to others: that is what remembering takes by itself. Both make the same
steps.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from tools.timing import Contender, Measured, race, ratio, rows

import lprl_jax
from lprl_jax import LanguagePrior
from lprl_jax.priors import memo
from suites.training import RUNS, training

DQN, COLD, WARM = (f"training/household_{x}" for x in ("dqn", "dqn_prior_cold", "dqn_prior_memo"))
SLOTS = 65_536
FORGOTTEN = 0.001
"""Share of a warm memory's questions, at most, that run through the model."""


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    return measure("embedded-home", "kitchen-small", SLOTS, 20 if quick else 100, 10)


def measure(model: str, room: str, slots: int, updates: int, repeats: int) -> Measured:
    """Of `updates` updates of all runs, ten steps each."""
    env, _ = lprl_jax.make("Household-lprl", room=room)
    params = env.sample_params(jax.random.key(0), RUNS)
    prior = LanguagePrior.from_pretrained(model, env, params, chunk=memo.CHUNK)
    cold, warm = cold_and_warm(env, params, prior, slots, updates)
    contenders = {
        DQN: training(env, params, None, updates, RUNS),
        WARM: warm,
    }
    slow = {COLD: cold}
    seconds, slow_seconds = race(contenders, repeats), race(slow, min(repeats, 3))
    measured = rows(contenders, seconds) + rows(slow, slow_seconds)
    return measured, {"household/dqn_prior_memo/dqn": ratio(contenders, seconds, WARM, DQN)}


def cold_and_warm(
    env: Any, params: Any, prior: LanguagePrior, slots: int, updates: int,
    forgotten: float = FORGOTTEN, run_instances: Any = None,
) -> tuple[Contender, Contender]:  # fmt: skip
    """The same training of RUNS runs, behind an empty memory and behind what that has met.

    Of a warm memory's questions the share `forgotten` at most runs through the model.
    """
    told = env, params, memo.remember(prior, env, slots), updates, RUNS
    cold = training(*told, run_instances=run_instances)
    state, _ = cold.call()
    warm = training(*told, carry=state.prior_carry, run_instances=run_instances)
    again, _ = warm.call()
    asked = again.prior_carry.minus(state.prior_carry)
    assert int(asked.evaluations) <= forgotten * int(asked.queries), "what was met is forgotten"
    # What is remembered is what was answered: both learn the same.
    jax.tree.map(np.testing.assert_array_equal, state.params, again.params)
    return _noted(cold, state.prior_carry.counters), _noted(warm, asked)


def _noted(contender: Contender, asked: Any) -> Contender:
    """With how often the model ran."""
    queries, evaluations = int(asked.queries), int(asked.evaluations)
    note = f"{contender.note}; {queries:,} questions, {evaluations:,} run through the model"
    return dataclasses.replace(contender, note=note)
