"""What a move in cube stacking does and pays: integers in, integers out."""

from __future__ import annotations

import jax
import jax.numpy as jnp

REMOVE = 0
"""The action; action i stacks the i-th cube."""
REWARDS = ("exact", "paper")
"""Whether the change of the score is that to the stack which stays, or that to the stack with the
new cube on top, before a wrong one is undone. The latter pays h for a wrong cube on h right ones,
as often as one likes."""


def act(
    height: jax.Array, action: jax.Array, place: jax.Array, reward: str
) -> tuple[jax.Array, jax.Array]:
    """The height after a move, and its reward, both `i32[]`.

    Args:
        height: i32[], cubes in the stack, which are the first of the target.
        action: i32[].
        place: i32[n], where in the target each cube stands.
        reward: One of REWARDS.
    """
    stacks, cube = action != REMOVE, place[jnp.maximum(action - 1, 0)]
    up, down = stacks & (cube == height), ~stacks & (height > 0)
    after = height + up - down
    gain = after**2 - height**2
    if reward == "paper":
        gain += jnp.where(stacks & (cube > height), height, 0)  # (h + 1) h - h^2
    is_complete = (height == len(place)) | (after == len(place))
    return after, gain + is_complete
