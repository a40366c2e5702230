"""The states and parameters of a kitchen, and their numbers.

A state is where the agent stands and a *configuration*: where each food is, whether it is chopped,
and where the bowl is. Configurations are listed once a kind of kitchen, those that play can reach
from wherever the agent stands: 13 of the tomato kitchen, 398 of the salad kitchen. In 1 and 43 of
them the bowl is delivered, with any dish in it; a dish of one, two or three foods has 9, 5 or 1 of
the 43, and an instance never meets those of other dishes. So an instance with a dish of two has 355
and 5 configurations of its own.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import spaces

from lprl_envs.overcooked.cells import NUM_CELLS
from lprl_envs.overcooked.kinds import Kind
from lprl_envs.overcooked.rules import DELIVERED, ON_BOARD, Configuration, configurations
from lprl_envs.text_env_data import TextEnvParams, TextEnvState

NUM_FOOD_WHERE, NUM_BOWL_WHERE = ON_BOARD + 2, DELIVERED + 1
BITS = 3
"""That say where food or the bowl is; a food has one more, whether it is chopped."""


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Where everything is, between two macros."""

    agent: jax.Array
    """i32[]: the cell of the floor, 5 * row + column."""
    where: jax.Array
    """i32[F]: HOME, HELD, IN_BOWL, or on a board, of each food."""
    chopped: jax.Array
    """bool[F]: False at home, True in the bowl."""
    bowl: jax.Array
    """i32[]: HOME, HELD, on a board, or DELIVERED."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Kitchens`."""


def spaces_of(kind: Kind) -> dict[str, spaces.Space]:
    """Of the fields that a kitchen's state has of its own."""
    shape = (kind.num_foods,)
    return {
        "agent": spaces.Discrete(NUM_CELLS),
        "where": spaces.Box(0, NUM_FOOD_WHERE - 1, shape, jnp.int32),
        "chopped": spaces.Box(0, 1, shape, jnp.bool),
        "bowl": spaces.Discrete(NUM_BOWL_WHERE),
    }


class Codes(NamedTuple):
    """Configurations as integers: the bowl's bits, then those of each food."""

    code: np.ndarray
    """i32[C]: by the configuration's number."""
    number: np.ndarray
    """i32[2^(3 + 4 F)]: the inverse; 0 of what is no configuration."""


def code_of(now: Configuration) -> int:
    """A configuration's code."""
    code = now.bowl
    for f, (at, is_chopped) in enumerate(zip(now.where, now.chopped, strict=True)):
        code |= (at | is_chopped << BITS) << _shift(f)
    return code


def _shift(food: int) -> int:
    return BITS + (BITS + 1) * food


@functools.cache
def codes_of(kind: Kind) -> Codes:
    """The codes of all configurations of a kind of kitchen."""
    code = np.array([code_of(now) for now in configurations(kind)], np.int32)
    number = np.zeros(1 << _shift(kind.num_foods), np.int32)
    number[code] = np.arange(len(code), dtype=np.int32)
    return Codes(code, number)


def code_of_state(state: EnvState) -> jax.Array:
    """`i32[]`: the code of a state's configuration."""
    code = state.bowl
    for f in range(state.where.shape[0]):
        code |= (state.where[f] | state.chopped[f].astype(jnp.int32) << BITS) << _shift(f)
    return code


def with_code(state: EnvState, code: jax.Array, agent: jax.Array) -> EnvState:
    """The state with another configuration, and the agent elsewhere."""
    foods = [code >> _shift(f) for f in range(state.where.shape[0])]
    return EnvState(
        time=state.time,
        instance=state.instance,
        agent=agent,
        where=jnp.stack([food & (1 << BITS) - 1 for food in foods]),
        chopped=jnp.stack([food >> BITS & 1 for food in foods]) == 1,
        bowl=code & (1 << BITS) - 1,
    )


def configuration_number(kind: Kind, state: EnvState) -> jax.Array:
    """`i32[]` in `[0, C)`."""
    return jnp.asarray(codes_of(kind).number)[code_of_state(state)]


def number_of(kind: Kind, state: EnvState) -> jax.Array:
    """`i32[]`: cell * C + configuration."""
    return state.agent * len(codes_of(kind).code) + configuration_number(kind, state)


def of_number(kind: Kind, number: jax.Array | int, instance: jax.Array | int) -> EnvState:
    """The state at time 0: the inverse of `number_of`."""
    codes, number = codes_of(kind).code, jnp.asarray(number, jnp.int32)
    blank = first_state(kind, jnp.int32(0), jnp.int32(instance))
    return with_code(blank, jnp.asarray(codes)[number % len(codes)], number // len(codes))


def first_state(kind: Kind, agent: jax.Array, instance: jax.Array) -> EnvState:
    """At time 0 with everything at home and the hand empty."""
    return EnvState(
        time=jnp.int32(0),
        instance=instance,
        agent=agent,
        where=jnp.zeros(kind.num_foods, jnp.int32),
        chopped=jnp.zeros(kind.num_foods, jnp.bool),
        bowl=jnp.int32(0),
    )
