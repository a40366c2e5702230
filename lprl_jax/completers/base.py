"""What a completer is: it is shown a part of a pattern, and answers with the whole.

Completers stand beside priors. A prior weighs the next action; a completer writes a pattern, a slot
an element, which the environment's evaluator accepts or not (`lprl_envs.completion`).

Reference: LaGR, arXiv 2308.13542.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import chex
import jax
from lprl_envs import InvalidInput, TextEnv
from lprl_envs.completion import Completable
from lprl_envs.errors import shown

from lprl_jax.priors.base import Counters


class Answers(NamedTuple):
    """What a completer writes of B states."""

    completion: jax.Array
    """i32[B, S]: a value for each slot of `env.completion`; means nothing where not readable."""
    readable: jax.Array
    """bool[B]: whether it is a pattern at all; False in rows that were not needed."""


class Completer(Protocol):
    """A function from what a state shows to a whole pattern, from outside the learner.

    `params` is an argument of every compiled function, never closed over. The answer to a prompt is
    frozen: the same key, prompt and instance get the same answer, whenever they are asked again.
    """

    @property
    def name(self) -> str:
        """For reports."""
        ...

    @property
    def params(self) -> Any:
        """What `complete` takes as its first argument."""
        ...

    def init(self) -> Counters:
        """The carry before anything was asked."""
        ...

    def complete(
        self,
        params: Any,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[Answers, Counters]:
        """Whole patterns.

        Args:
            params: `self.params`.
            carry: What `init` or the last call returned.
            keys: `[B]`: of the run that asks, the same at every step; other keys are other trials.
            env_state: B states, `[B, ...]` leaves.
            env_params: Of the environment, unbatched.
            needed: `bool[B]`: the rows that ask. The others cost no evaluation.

        Returns:
            Answers, and the new carry: every needed row was a query and was run.
        """
        ...


def require_completer(completer: Any) -> None:
    """Raise InvalidInput unless this is a completer."""
    if isinstance(completer, type) or not hasattr(completer, "complete"):
        raise InvalidInput(
            f"completer is {shown(completer)}; right: a completer, as Recorded.of(env) or "
            'LanguageCompleter.from_pretrained("embedded", env, env_params)'
        )


def require_completable(env: TextEnv[Any, Any]) -> Completable:
    """The environment, if it has completions.

    Raises:
        InvalidInput: if it has none.
    """
    if isinstance(env, Completable):
        return env
    raise InvalidInput(
        f"{env.name} has no pattern to complete; valid: CubeStacking-lprl, ImageCompletion-lprl, "
        "ObjectArrangement-lprl, or any environment with `completion`"
    )
