"""The states and parameters of cube stacking."""

from __future__ import annotations

import jax
from flax import struct

from lprl_envs.cube_stacking.cubes import Cubes
from lprl_envs.text_env_data import TextEnvParams, TextEnvState


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """How far the target is built."""

    height: jax.Array
    """i32[]: the number of cubes in the stack, which are the first of the target."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Cubes`."""


def cubes_of(state: EnvState, params: EnvParams) -> Cubes:
    """The state's instance, `[n]` leaves."""
    return jax.tree.map(lambda leaf: leaf[state.instance], params.bank)
