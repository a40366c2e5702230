"""A world that knows what is right in a state, although its states cannot be gone through.

Where states are numbered, what is right is planned. Elsewhere a world may know it by itself; it is
then told by what the state's text tells, so that a reader of the text can learn it.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax


@runtime_checkable
class Demonstrated(Protocol):
    """What such a world offers beside `TextEnv`."""

    def right_actions(self, state: Any, params: Any) -> jax.Array:
        """`bool[num_actions]`: the best of the legal actions; none where the episode is over."""
        ...
