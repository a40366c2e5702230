"""Schedules that learn nothing: by chance, by the clock, by the prompt.

What the primary learner has learnt or not changes nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.schedules.base import Schedule, Seen, uniforms


def never() -> Schedule:
    """Asks nothing: the primary learner alone."""
    return _by("never", lambda seen: jnp.zeros_like(seen.known))


def always() -> Schedule:
    """Asks wherever it can."""
    return _by("always", lambda seen: jnp.ones_like(seen.known))


def random(probability: float) -> Schedule:
    """Asks with a probability in [0, 1]. At ½ it is what the released LaGR-SEQ does on pictures.

    Its ε there is 1 for ever, so that its choice between asking and not is a coin's.
    """
    return _by_chance(f"random {probability:g}", lambda seen: jnp.float32(probability))


def every(n: int) -> Schedule:
    """Asks in the last of every n steps, at times n - 1, 2n - 1, ...; so every 1 is always.

    And a fresh trial, which shows nothing yet, spends no query unless n is 1.
    """
    return _by(f"every {n}", lambda seen: _everywhere(seen, seen.time % n == n - 1))


def first(steps: int) -> Schedule:
    """Asks in the first steps of every environment, and never again: early advising.

    Reference: Torrey and Taylor 2013, Teaching on a Budget (AAMAS).
    """
    return _by(f"first {steps}", lambda seen: _everywhere(seen, seen.time < steps))


def on_change() -> Schedule:
    """Asks where the prompt is another than the last one asked: nothing is asked twice in a row."""
    return _by("on change", lambda seen: seen.changed)


def once() -> Schedule:
    """Asks where the memory has no answer to the prompt.

    That is once a prompt as long as the memory forgets none. What it has forgotten is asked again.
    And an answer that was accepted once is not asked for again, so that a later episode, which no
    longer holds it, goes without; `linear_decay` takes it from the memory.
    """
    return _by("once a prompt", lambda seen: ~seen.known)


def linear_decay(steps: float) -> Schedule:
    """Asks with probability max(0, 1 - t / steps), at time t, and reuses what it was told.

    Where the memory has the answer it is always taken, at no query; see `Schedule.reuses`.
    """
    of_chance = _by_chance(
        f"linear decay {steps:g}", lambda seen: jnp.maximum(0.0, 1.0 - seen.time / steps)
    )

    def ask(carry: tuple[()], keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, tuple[()]]:
        wanted, carry = of_chance.ask(carry, keys, seen)
        return wanted | seen.known, carry

    return of_chance._replace(ask=ask, reuses=True)


def _by(name: str, rule: Callable[[Seen], jax.Array]) -> Schedule:
    """By a rule `seen -> bool[R, N]`, without memory or chance."""
    return Schedule(name, lambda keys, seen: (), lambda carry, keys, seen: (rule(seen), carry))


def _by_chance(name: str, probability: Callable[[Seen], jax.Array]) -> Schedule:
    """By a probability `seen -> f32[]`, of every environment by itself."""

    def ask(carry: tuple[()], keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, tuple[()]]:
        return uniforms(keys, seen) < probability(seen), carry

    return Schedule(name, lambda keys, seen: (), ask)


def _everywhere(seen: Seen, now: jax.Array) -> jax.Array:
    """`bool[R, N]` of `bool[]`."""
    return jnp.broadcast_to(now, seen.known.shape)
