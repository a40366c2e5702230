"""What an episode's state, an instance and the parameters are: a room's things, as data.

R receptacles, O objects. Where an object is, `where`: a receptacle's number, R in the hand, R + 1
where the instance has no such object.
"""

from __future__ import annotations

import jax
from flax import struct

from lprl_envs.text_env_data import TextEnvParams, TextEnvState

HOT, COLD = 1, 2
"""Of `temperature`; an object that was neither heated nor cooled has 0."""


@struct.dataclass
class Rooms:
    """A bank of M instances; one instance is a row of it, without the axis M."""

    present: jax.Array
    """bool[M, R]: which receptacles there are."""
    openable: jax.Array
    """bool[M, R]: which of them open; these are closed at the start."""
    where: jax.Array
    """i32[M, O]: the receptacle of each object at the start, or R + 1."""
    lamp: jax.Array
    """i32[M]: the receptacle on which the desk lamp stands, or -1."""
    task: jax.Array
    """i32[M]: of `kits.TASKS`."""
    goal_object: jax.Array
    """i32[M]: a type of objects, by the kit's number."""
    goal_place: jax.Array
    """i32[M]: a type of receptacles, or the lamp, by the kit's number."""
    phrasing: jax.Array
    """i32[M]: in which of two wordings the goal is told."""


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Where agent and objects are, and what was done to them."""

    at: jax.Array
    """i32[]: 0 in the middle of the room, else 1 + the receptacle's number."""
    where: jax.Array
    """i32[O]: see the top of this file."""
    open: jax.Array
    """bool[R]: which receptacles stand open."""
    seen: jax.Array
    """bool[R]: of which receptacles the agent has seen what is in or on them."""
    clean: jax.Array
    """bool[O]: which objects were cleaned."""
    temperature: jax.Array
    """i32[O]: 0, HOT or COLD."""
    lit: jax.Array
    """bool[]: whether the lamp was turned on."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Rooms`."""
