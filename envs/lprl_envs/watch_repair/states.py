"""The states and parameters of watch repair, and their numbers.

The law depends on how far the trip is, so a state has a clock of its own: a state's number tells
all of it but gymnax's `time`, and in play the two are equal.

Before the decision, at clock 0, a state is a brand. At clock t the jams and the flat tyres are 0 to
t each, so that there are 8 (t + 1)^2 states: four brands, repaired or not. That makes 364,204.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lprl_envs.text_env_data import TextEnvParams, TextEnvState
from lprl_envs.watch_repair.brands import NUM_BRANDS

STEPS = 50
"""Of a trip."""
_PER_CLOCK = [NUM_BRANDS, *(2 * NUM_BRANDS * (t + 1) ** 2 for t in range(1, STEPS + 1))]
FIRST = np.cumsum([0, *_PER_CLOCK[:-1]]).astype(np.int32)
"""i32[51]: the first number at each clock."""
NUM_STATES = sum(_PER_CLOCK)


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """A watch and its trip."""

    brand: jax.Array
    """i32[]: 0 to 3."""
    repaired: jax.Array
    """bool[]: False at clock 0."""
    clock: jax.Array
    """i32[]: steps of the trip so far, 0 to 50."""
    jams: jax.Array
    """i32[]: met so far, at most `clock`."""
    tyres: jax.Array
    """i32[]: flat tyres so far, at most `clock`."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Brands`."""


def number_of(state: EnvState) -> jax.Array:
    """`i32[]` in `[0, NUM_STATES)`."""
    width = state.clock + 1
    group = jnp.where(state.clock == 0, state.brand, 2 * state.brand + state.repaired)
    within = (group * width + state.jams) * width + state.tyres
    return jnp.asarray(FIRST)[state.clock] + within


def of_number(number: jax.Array, instance: jax.Array) -> EnvState:
    """The state at time 0: the inverse of `number_of`."""
    clock = jnp.sum(number >= jnp.asarray(FIRST), dtype=jnp.int32) - 1
    width = clock + 1
    within = number - jnp.asarray(FIRST)[clock]
    group = within // width**2
    return EnvState(
        time=jnp.int32(0),
        instance=instance,
        brand=jnp.where(clock == 0, group, group // 2),
        repaired=(clock > 0) & (group % 2 == 1),
        clock=clock,
        jams=within // width % width,
        tyres=within % width,
    )
