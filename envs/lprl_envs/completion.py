"""Pattern completion: an environment whose goal is a hidden pattern that its parts give away.

Where a state shows a part of the pattern, a language model may be asked for the whole at once
(LaGR, arXiv 2308.13542): the prompt is the state's text with another ending, and the answer is a
text with a fixed skeleton again, one slot an element.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax

from lprl_envs.template import Template


@runtime_checkable
class Completable(Protocol):
    """What such an environment offers beside `TextEnv`."""

    @property
    def completion_prompt(self) -> Template:
        """How a state asks for the whole: the segments of `template`, but for the last literal."""
        ...

    @property
    def completion(self) -> Template:
        """How a whole pattern reads: a slot an element, and a last literal that ends it."""
        ...

    def target(self, instance: jax.Array, params: Any) -> jax.Array:
        """`i32[completion.num_slots]`: the instance's pattern."""
        ...

    def revealed(self, state: Any, params: Any) -> jax.Array:
        """`f32[]`: the fraction of the pattern's elements that the state shows."""
        ...

    def accepts(self, completion: jax.Array, state: Any, params: Any) -> jax.Array:
        """`bool[]`: whether a completion, as of `target`, passes the task's evaluator."""
        ...

    def question(self, state: Any, params: Any) -> Any:
        """The state that is asked about: whatever does not belong to the pattern is set aside.

        States that show the same part of the pattern become the same, and so do their prompts.
        """
        ...

    def follow(self, completion: jax.Array, state: Any, params: Any) -> jax.Array:
        """`i32[]`: the next action that builds a completion, as of `target`."""
        ...
