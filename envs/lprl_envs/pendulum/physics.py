"""Instances of pendulum, a pole and gravity, and the law that they make: gymnax's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments.classic_control import pendulum

from lprl_envs import values
from lprl_envs.errors import InvalidInput
from lprl_envs.parts.quantities import Quantities

QUANTITIES = Quantities(
    drawn={"l": (0.6, 1.0, 1.4), "m": (0.5, 1.0, 2.0), "g": (5.0, 10.0, 15.0)},
    defaults={"l": 1.0, "m": 1.0, "g": 10.0},
)
"""Length in m, mass in kg, gravity in m/s^2; by default gymnax's own."""
INNER = pendulum.Pendulum()
"""Gymnax's environment."""
OWN = INNER.default_params
"""Gymnax's parameters; torque, speed limit and step are the same in every instance."""


@struct.dataclass
class Physics:
    """A bank of M instances."""

    l: jax.Array
    """f32[M]: the pole's length, in m."""
    m: jax.Array
    """f32[M]: its mass, in kg."""
    g: jax.Array
    """f32[M]: gravity, in m/s^2."""


class Turned(NamedTuple):
    """What a step does."""

    theta: jax.Array
    """f32[]: in rad; it counts turns."""
    theta_dot: jax.Array
    """f32[]: in rad/s."""
    reward: jax.Array
    """f32[]"""


def bank_of(instances: Sequence[Any], world: str) -> Physics:
    """Instances by hand: mappings of what differs from gymnax's defaults.

    Raises:
        InvalidInput: if a name is unknown, or a value of another type or out of range.
    """
    rows = [QUANTITIES.checked(found, world) for found in values.instances(instances)]
    if not rows:
        raise InvalidInput(f"a bank of no instances of {world}; it needs at least one")
    return Physics(**QUANTITIES.columns(rows))


def random_physics(key: chex.PRNGKey) -> Physics:
    """One instance, of any quantities."""
    return Physics(**QUANTITIES.draw(key))


def turn(physics: Physics, theta: jax.Array, theta_dot: jax.Array, torque: jax.Array) -> Turned:
    """Gymnax's step, which leaves nothing to chance.

    Args:
        physics: One instance.
        theta: `f32[]`
        theta_dot: `f32[]`
        torque: `f32[]` in Nm; beyond 2 either way it is 2.
    """
    state = pendulum.EnvState(time=0, theta=theta, theta_dot=theta_dot, last_u=jnp.float32(0.0))
    own = dataclasses.replace(OWN, l=physics.l, m=physics.m, g=physics.g)
    _, after, reward, _, _ = INNER.step_env(jax.random.key(0), state, torque, own)
    return Turned(after.theta, after.theta_dot, reward)
