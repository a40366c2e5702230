"""A bound on the queries that a run makes, on top of any schedule."""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.schedules.base import Asked, Schedule, Seen, queried


class Purse(NamedTuple):
    """What is spent."""

    inner: Any
    """The schedule's own carry."""
    used: jax.Array
    """i32[R]: queries that a run has made."""
    wanted: jax.Array
    """bool[R, N]: what the schedule decided in this step, before the budget."""


def budgeted(schedule: Schedule, budget: int) -> Schedule:
    """The same schedule, while a run has made fewer queries than its budget.

    All its environments draw on one budget. Within a step they are served in the order of their
    number. What costs no query, for the schedule reuses answers, goes on when nothing is left. A
    schedule that learns is told its own decision, so that a refusal is not taken for a skip.
    """

    def init(keys: chex.PRNGKey, seen: Seen) -> Purse:
        used = jnp.zeros(len(seen.known), jnp.int32)
        return Purse(schedule.init(keys, seen), used, jnp.zeros_like(seen.known))

    def ask(carry: Purse, keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, Purse]:
        wanted, inner = schedule.ask(carry.inner, keys, seen)
        costs = queried(schedule, seen, wanted & seen.can_ask)
        before = jnp.cumsum(costs, axis=1) - costs
        is_left = carry.used[:, None] + before < budget
        allowed = wanted & (is_left | ~queried(schedule, seen, wanted))
        return allowed, Purse(inner, carry.used, wanted)

    def learn(carry: Purse, seen: Seen, asked: Asked) -> Purse:
        spent = jnp.sum(queried(schedule, seen, asked.asked), axis=1, dtype=jnp.int32)
        inner = schedule.learn(carry.inner, seen, asked._replace(wanted=carry.wanted))
        return carry._replace(inner=inner, used=carry.used + spent)

    def after(carry: Purse, reward: jax.Array, done: jax.Array) -> Purse:
        return carry._replace(inner=schedule.after(carry.inner, reward, done))

    name = f"{schedule.name}, at most {budget}"
    return Schedule(name, init, ask, learn, after, schedule.reuses)
