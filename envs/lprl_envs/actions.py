"""What an action is: a number of several, or a point in a box."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from gymnax.environments import spaces

from lprl_envs.errors import InvalidInput


class Bounds(NamedTuple):
    """A box: the lowest and the highest of each of the d numbers of an action."""

    low: jax.Array
    """f32[d]"""
    high: jax.Array
    """f32[d]"""

    def of_unit(self, unit: jax.Array) -> jax.Array:
        """Points of the box, `f32[..., d]`, of points of the cube [-1, 1]^d."""
        middle, half = (jnp.broadcast_to(x, unit.shape) for x in self._middle_and_half())
        return middle + half * unit

    def to_unit(self, point: jax.Array) -> jax.Array:
        """The inverse of `of_unit`."""
        middle, half = (jnp.broadcast_to(x, point.shape) for x in self._middle_and_half())
        return (point - middle) / half

    def _middle_and_half(self) -> tuple[jax.Array, jax.Array]:
        return (self.low + self.high) / 2, (self.high - self.low) / 2


class Acting(Protocol):
    """What these functions need of an environment: members of `TextEnv`."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def is_continuous(self) -> bool:
        """Whether an action is a point in a box."""
        ...

    def action_space(self, params: Any = None) -> spaces.Space:
        """`Discrete`, or `Box`."""
        ...


def bounds(env: Acting, params: Any = None) -> Bounds:
    """The box in which the actions of a continuous world lie.

    Args:
        env: The environment.
        params: Its parameters, by which it may be larger or smaller; None for the default ones.

    Raises:
        InvalidInput: if actions are discrete.
    """
    space = env.action_space(params)
    if not isinstance(space, spaces.Box):
        raise InvalidInput(f"{env.name} has discrete actions, which lie in no box")
    low, high = (
        jnp.broadcast_to(jnp.asarray(x, jnp.float32), space.shape) for x in (space.low, space.high)
    )
    return Bounds(low, high)


def require_discrete(env: Acting, what: str) -> None:
    """Raise InvalidInput in a continuous world; `what` says who needs numbered actions."""
    if env.is_continuous:
        raise InvalidInput(f"{env.name} has continuous actions, and {what} discrete ones")
