"""What a judge is: it is shown a state, and says of every action if it is good, bad, or neither.

Judges stand beside priors. A prior says what would be done; a judge says what it thinks of it, and
its verdict is added to the reward that a learner sees.

Reference: Language Model Guided Trade-offs (LMGT), arXiv 2409.04744.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard

import chex
import jax
import jax.numpy as jnp
from lprl_envs.errors import InvalidInput, shown

from lprl_jax.priors.base import Counters

GOOD, UNSURE, BAD = 1.0, 0.0, -1.0
"""Verdicts of a judge that is hard; those of a soft one lie between."""


class Judge(Protocol):
    """A function from states to a verdict on every action, from outside the learner.

    `params` is an argument of every compiled function, never closed over. In a world with
    continuous actions, actions are its words, `env.action_words`.
    """

    @property
    def name(self) -> str:
        """For reports."""
        ...

    @property
    def params(self) -> Any:
        """What `verdicts` takes as its first argument."""
        ...

    def init(self) -> Counters:
        """The carry before anything was asked."""
        ...

    def verdicts(
        self,
        params: Any,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """What it thinks of the actions.

        Args:
            params: `self.params`.
            carry: What `init` or the last call returned.
            keys: `[B]`: of this step and row, for a judge that draws.
            env_state: B states, `[B, ...]` leaves.
            env_params: Of the environment, unbatched.
            needed: `bool[B]`: the rows that are asked. The others cost no evaluation, and what is
                returned for them means nothing.

        Returns:
            δ, `f32[B, A]` in [-1, 1], 0 for illegal actions; and the new carry.
        """
        ...


class TextJudge(Judge, Protocol):
    """A judge that reads a state's text and nothing else, and can be asked about a text alone."""

    def verdicts_of_slots(
        self,
        params: Any,
        carry: Counters,
        instance: jax.Array,
        slots: jax.Array,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """As `verdicts`, of texts that are given as to `priors.TextPrior.log_probs_of_slots`."""
        ...


def reads_text(judge: Judge) -> TypeGuard[TextJudge]:
    """Whether a judge is a `TextJudge`; that of a prior is one if the prior reads text alone."""
    return hasattr(judge, "verdicts_of_slots")


def require_judge(judge: Any) -> None:
    """Raise InvalidInput unless this is a judge, or None."""
    if judge is None or (not isinstance(judge, type) and hasattr(judge, "verdicts")):
        return
    raise InvalidInput(
        f"judge is {shown(judge)}; right: None, or a judge, as PriorJudge(prior) or "
        "always_good(env)"
    )


def among_legal(env: Any, verdicts: jax.Array, env_state: Any, env_params: Any) -> jax.Array:
    """Verdicts `[B, A]`, 0 for illegal actions."""
    legal = jax.vmap(env.action_mask, in_axes=(0, None))(env_state, env_params)
    return jnp.where(legal, verdicts, UNSURE)


def has_choice(env: Any, env_state: Any, env_params: Any) -> jax.Array:
    """`bool[B]`: whether more than one action is legal; of the only one nothing is to be said."""
    legal = jax.vmap(env.action_mask, in_axes=(0, None))(env_state, env_params)
    return jnp.sum(legal, axis=-1) > 1


def of_values(
    q: jax.Array,
    legal: jax.Array,
    good_within: float = 0.0,
    bad_beyond: float = 0.0,
    alike_below: float = 1e-6,
) -> jax.Array:
    """The verdict of somebody who knows the values of all actions.

    An action is judged by its distance to the best one, as a share of the distance between best and
    worst. Where those are alike, nothing is to be said.

    Args:
        q: `f32[..., A]`, values of the legal actions.
        legal: `bool[..., A]`
        good_within: Shares up to this are good; 0 for the best action alone, ties included.
        bad_beyond: Shares beyond this are bad; between the two it is unsure.
        alike_below: Best and worst are alike where they differ by less, in the values' units.

    Returns:
        `f32[..., A]`: 1, 0 or -1; 0 for illegal actions.
    """
    best = jnp.max(jnp.where(legal, q, -jnp.inf), axis=-1, keepdims=True)
    worst = jnp.min(jnp.where(legal, q, jnp.inf), axis=-1, keepdims=True)
    spread = best - worst
    share = (best - q) / jnp.maximum(spread, jnp.finfo(jnp.float32).tiny)
    rounding = 1e-5
    verdict = jnp.where(share > bad_beyond + rounding, BAD, UNSURE)
    verdict = jnp.where(share <= good_within + rounding, GOOD, verdict)
    return jnp.where(legal & (spread > alike_below), verdict, UNSURE)
