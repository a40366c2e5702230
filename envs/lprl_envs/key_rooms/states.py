"""The states and parameters of KeyRooms."""

from __future__ import annotations

import jax
from flax import struct

from lprl_envs.text_env_data import TextEnvParams, TextEnvState


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Where the agent stands, and whether it has the key."""

    position: jax.Array
    """i32[]: row * W + column."""
    has_key: jax.Array
    """bool[]"""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Rooms`."""
