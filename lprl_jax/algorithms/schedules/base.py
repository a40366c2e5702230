"""What a schedule is: it decides, at every step of every environment, whether to ask.

All by one signature, so that one figure compares them. A schedule sees `Seen`; it is told what came
of asking. Its settings are static, its carry is a pytree whose leaves lead with R.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax


class Seen(NamedTuple):
    """What a schedule may look at, of R runs with N environments each, before they act."""

    q_values: jax.Array
    """f32[R, N, A]: the primary learner's."""
    heads: Any
    """f32[R, N, H, A]: of each head of its ensemble; () where it has one network."""
    legal: jax.Array
    """bool[R, N, A]"""
    observation: jax.Array
    """The environment's, as networks read it: f32[R, N, F], or i32[R, N] of an index."""
    revealed: jax.Array
    """f32[R, N]: the fraction of the pattern that the state shows."""
    changed: jax.Array
    """bool[R, N]: whether the prompt is another than the last one asked in this trial; True where
    none was."""
    known: jax.Array
    """bool[R, N]: whether this prompt's answer is in the memory."""
    can_ask: jax.Array
    """bool[R, N]: False where an accepted completion is held, or the prompt is not eligible. What a
    schedule decides there is not done."""
    time: jax.Array
    """i32[]: environment steps of every environment so far."""
    episode: jax.Array
    """i32[R, N]: episodes that an environment has ended."""
    epsilon: jax.Array
    """f32[R, N]: the probability with which the primary explores here."""


class Asked(NamedTuple):
    """What came of it."""

    wanted: jax.Array
    """bool[R, N]: what the schedule decided."""
    asked: jax.Array
    """bool[R, N]: wanted, where it could be."""
    accepted: jax.Array
    """bool[R, N]: and the task's evaluator accepted the answer."""


class Schedule(NamedTuple):
    """When to ask."""

    name: str
    """For reports."""
    init: Callable[[chex.PRNGKey, Seen], Any]
    """`(keys [R], seen) -> carry`; of `seen` only the shapes count."""
    ask: Callable[[Any, chex.PRNGKey, Seen], tuple[jax.Array, Any]]
    """`(carry, keys [R], seen) -> (wanted bool[R, N], carry)`"""
    learn: Callable[[Any, Seen, Asked], Any] = lambda carry, seen, asked: carry
    """`(carry, seen, asked) -> carry`: called at every step once the answers are there; what is
    learnt, and what is counted of queries that were made."""
    after: Callable[[Any, jax.Array, jax.Array], Any] = lambda carry, reward, done: carry
    """`(carry, reward f32[R, N], done bool[R, N]) -> carry`: called at every step once the
    environments have made theirs; `done` where an episode ended, in whichever way."""
    reuses: bool = False
    """Whether an answer in the memory is taken from there at no query."""


def queried(schedule: Schedule, seen: Seen, asked: jax.Array) -> jax.Array:
    """`bool[R, N]`: which of the environments that asked made a query that counts."""
    return asked & ~seen.known if schedule.reuses else asked


def uniforms(keys: chex.PRNGKey, seen: Seen) -> jax.Array:
    """`f32[R, N]` in [0, 1): the numbers by which chance decides, of a key a run, `[R]`."""
    num_envs = seen.revealed.shape[1]
    return jax.vmap(lambda key: jax.random.uniform(key, (num_envs,)))(keys)
