"""Schedules that go by the primary learner's values: how much is at stake, and how sure it is.

Each says what it does while nothing is learnt yet. That differs from one to the next, and it often
decides how many queries are made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.algorithms.schedules.base import Schedule, Seen, uniforms

LARGEST = float(np.finfo(np.float32).max)
HEADS, MARGIN = UNCERTAINTIES = ("heads", "margin")


def importance(threshold: float) -> Schedule:
    """Asks where the best legal action is worth more than the worst by over `threshold`.

    Values that are all alike, a table's or a network's that has learnt nothing, ask nothing. A
    network that was drawn at random asks wherever the noise of its weights exceeds the threshold.

    Reference: Torrey and Taylor 2013, Teaching on a Budget (AAMAS).
    """

    def ask(carry: tuple[()], keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, tuple[()]]:
        best = jnp.max(jnp.where(seen.legal, seen.q_values, -jnp.inf), axis=-1)
        worst = jnp.min(jnp.where(seen.legal, seen.q_values, jnp.inf), axis=-1)
        return best - worst > threshold, carry

    return Schedule(f"importance {threshold:g}", lambda keys, seen: (), ask)


def selective_sampling(scale: float) -> Schedule:
    """Asks with probability b / (b + margin), b = `scale` above 0, the margin that of `margin`.

    Values that are all alike ask everywhere, and so nearly does a network whose weights' noise is
    far below b. Where a single action is legal nothing is asked.

    Reference: Cesa-Bianchi, Gentile and Zaniboni 2006, Worst-Case Analysis of Selective Sampling
    for Linear Classification (JMLR 7).
    """

    def ask(carry: tuple[()], keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, tuple[()]]:
        chance = scale / (scale + margin(seen))
        return uniforms(keys, seen) < chance, carry

    return Schedule(f"selective sampling {scale:g}", lambda keys, seen: (), ask)


def head_variance(threshold: float) -> Schedule:
    """Asks where the heads of an ensemble differ by a variance above `threshold`.

    Heads that were drawn at random differ: they ask everywhere, unless the threshold exceeds the
    noise of their weights. Heads that are all alike, as tables of zeros are, ask nothing.

    Reference: da Silva et al. 2020, Uncertainty-Aware Action Advising for Deep Reinforcement
    Learning Agents (AAAI; RCMP).
    """

    def init(keys: chex.PRNGKey, seen: Seen) -> tuple[()]:
        require_heads(seen)
        return ()

    def ask(carry: tuple[()], keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, tuple[()]]:
        return variance_of_heads(seen) > threshold, carry

    return Schedule(f"head variance {threshold:g}", init, ask)


class Held(NamedTuple):
    """The last uncertainties of each run."""

    values: jax.Array
    """f32[R, W]: a ring."""
    written: jax.Array
    """i32[R]: how many were ever written."""


def adaptive_percentile(window: int, least: int, percentile: float, of: str) -> Schedule:
    """Asks where the uncertainty exceeds a percentile of the run's last ones.

    A run holds its last `window` uncertainties, of all its environments and all their steps, asked
    or not. Until it holds `least` of them it asks everywhere. The environments of one step are
    judged by what was held before it. The percentile lies between two of those held, as NumPy's.

    Values that are all alike ask everywhere at first, and nothing once `least` are held, for
    nothing exceeds what it equals. A network that was drawn at random then asks in the share of
    steps that the percentile leaves: in three of ten at 70.

    Args:
        window: W, at least N.
        least: 0 to W.
        percentile: 0 to 100.
        of: The uncertainty: `"heads"`, the variance of an ensemble's, or `"margin"`, how little
            the best action is ahead.

    Reference: Ilhan, Gow and Perez 2021, Action Advising with Advice Imitation in Deep
    Reinforcement Learning (AAMAS), and its code.
    """
    uncertainty: Callable[[Seen], jax.Array] = {
        HEADS: variance_of_heads,
        MARGIN: lambda seen: jnp.maximum(-margin(seen), -LARGEST / 2),
    }[of]

    def init(keys: chex.PRNGKey, seen: Seen) -> Held:
        if of == HEADS:
            require_heads(seen)
        runs, envs = seen.revealed.shape
        if envs > window:
            raise InvalidInput(
                f"ask_window is {window}, and a run has {envs} environments; it must be "
                f"{envs} or more"
            )
        return Held(jnp.zeros((runs, window)), jnp.zeros(runs, jnp.int32))

    def ask(carry: Held, keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, Held]:
        found = uncertainty(seen)
        held = jnp.minimum(carry.written, window)
        bound = jax.vmap(percentile_of, (0, 0, None))(carry.values, held, percentile)
        wanted = (found > bound[:, None]) | (held < least)[:, None]
        place = (carry.written[:, None] + jnp.arange(found.shape[1])[None]) % window
        values = jax.vmap(lambda ring, i, new: ring.at[i].set(new))(carry.values, place, found)
        return wanted, Held(values, carry.written + found.shape[1])

    return Schedule(f"adaptive percentile {percentile:g} of {of}", init, ask)


def percentile_of(values: jax.Array, held: jax.Array, percentile: float) -> jax.Array:
    """`f32[]`: a percentile of the first `held i32[]` of `values f32[W]`, by linear interpolation.

    Of none it is the largest number.
    """
    is_held = jnp.arange(len(values)) < held
    ranked = jnp.sort(jnp.where(is_held, values, LARGEST))
    last = jnp.maximum(held - 1, 0)
    rank = percentile / 100 * last
    below = jnp.floor(rank).astype(jnp.int32)
    share = rank - below
    # So, and not by weights, for between two that are equal nothing must be rounded.
    return ranked[below] + share * (ranked[jnp.minimum(below + 1, last)] - ranked[below])


def margin(seen: Seen) -> jax.Array:
    """`f32[R, N]`: the best legal value less the second best; inf where there are not two."""
    values = jnp.where(seen.legal, seen.q_values, -jnp.inf)
    is_best = jax.nn.one_hot(jnp.argmax(values, axis=-1), values.shape[-1], dtype=bool)
    second = jnp.max(jnp.where(is_best, -jnp.inf, values), axis=-1)
    has_two = jnp.sum(seen.legal, axis=-1) >= 2
    return jnp.where(has_two, jnp.max(values, axis=-1) - jnp.where(has_two, second, 0.0), jnp.inf)


def variance_of_heads(seen: Seen) -> jax.Array:
    """`f32[R, N]`: of each legal action's value over the heads, and its mean over the actions."""
    of_actions = jnp.var(jnp.where(seen.legal[..., None, :], seen.heads, 0.0), axis=-2)
    return jnp.sum(of_actions, axis=-1) / jnp.maximum(jnp.sum(seen.legal, axis=-1), 1)


def require_heads(seen: Seen) -> None:
    """Raise InvalidInput unless there is an ensemble."""
    heads: Any = seen.heads
    if isinstance(heads, tuple) or heads.shape[2] < 2:
        raise InvalidInput(
            "the schedule goes by how the heads of an ensemble differ, and the learner has a "
            "single one; right: num_heads of 2 or more"
        )
