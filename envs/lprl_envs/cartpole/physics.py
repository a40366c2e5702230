"""Instances of cart pole: pole, cart, push, gravity, and whether the buttons are exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments.classic_control import cartpole

from lprl_envs import values
from lprl_envs.errors import InvalidInput
from lprl_envs.parts.quantities import Quantities

QUANTITIES = Quantities(
    drawn={
        "length": (0.25, 0.35, 0.5, 0.7, 1.0, 1.4),
        "masspole": (0.05, 0.1, 0.2, 0.4, 0.8),
        "masscart": (0.5, 1.0, 2.0),
        "force_mag": (5.0, 7.5, 10.0, 15.0, 20.0),
        "gravity": (3.7, 6.0, 9.8, 14.0, 20.0),
    },
    defaults={"length": 0.5, "masspole": 0.1, "masscart": 1.0, "force_mag": 10.0, "gravity": 9.8},
)
"""In m (half the pole), kg, kg, N and m/s^2; by default gymnax's own."""
DERIVED = ("total_mass", "polemass_length")
"""Gymnax's parameters that follow from the others, which gymnax itself does not make sure of."""
FAMILIES = PLAIN, SWAPPED = "plain", "swapped"


@struct.dataclass
class Physics:
    """A bank of M instances."""

    length: jax.Array
    """f32[M]: half the pole's length, in m."""
    masspole: jax.Array
    """f32[M]: in kg."""
    masscart: jax.Array
    """f32[M]: in kg."""
    force_mag: jax.Array
    """f32[M]: of a push, in N."""
    gravity: jax.Array
    """f32[M]: in m/s^2."""
    swapped: jax.Array
    """bool[M]: whether the left button pushes right, and the right one left."""


def bank_of(instances: Sequence[Any], world: str) -> Physics:
    """Instances by hand: mappings of what differs from gymnax's defaults; `swapped` is a bit.

    Raises:
        InvalidInput: if a name is unknown, or a value of another type or out of range.
    """
    rows = [_checked(found, world) for found in values.instances(instances)]
    if not rows:
        raise InvalidInput(f"a bank of no instances of {world}; it needs at least one")
    swapped = jnp.asarray([row["swapped"] for row in rows], bool)
    return Physics(**QUANTITIES.columns(rows), swapped=swapped)


def _checked(found: Any, world: str) -> dict[str, Any]:
    for name in DERIVED if isinstance(found, Mapping) else ():
        if name in found:
            values.refuse(name, found[name], "leave it away, it follows from others")
    row = {"swapped": False, **QUANTITIES.checked(found, world, ("swapped",))}
    return {**row, "swapped": values.truth("swapped", row["swapped"])}


def random_physics(key: chex.PRNGKey, families: tuple[int, ...]) -> Physics:
    """One instance, of any quantities, and of one of the families named."""
    key_family, key_physics = jax.random.split(key)
    place = jax.random.randint(key_family, (), 0, len(families), jnp.int32)
    family = jnp.asarray(families, jnp.int32)[place]
    return Physics(**QUANTITIES.draw(key_physics), swapped=family == FAMILIES.index(SWAPPED))


def bits_of(physics: Physics) -> jax.Array:
    """`i32[6]`: tells an instance apart."""
    return jnp.append(QUANTITIES.bits(physics), physics.swapped.astype(jnp.int32))


def of_gymnax(physics: Physics) -> cartpole.EnvParams:
    """One instance as gymnax's parameters, of which two follow from others."""
    own: dict[str, Any] = {name: getattr(physics, name) for name in QUANTITIES.drawn}
    return cartpole.EnvParams(
        **own,
        total_mass=physics.masscart + physics.masspole,  # pyright: ignore[reportArgumentType]
        polemass_length=physics.masspole * physics.length,  # pyright: ignore[reportArgumentType]
    )
