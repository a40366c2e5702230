"""Instances of cart pole: pole, cart, push, gravity, and whether the buttons are exchanged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments.classic_control import cartpole

from lprl_envs import values
from lprl_envs.errors import InvalidInput, shown

VALUES: dict[str, tuple[float, ...]] = {
    "length": (0.25, 0.35, 0.5, 0.7, 1.0, 1.4),
    "masspole": (0.05, 0.1, 0.2, 0.4, 0.8),
    "masscart": (0.5, 1.0, 2.0),
    "force_mag": (5.0, 7.5, 10.0, 15.0, 20.0),
    "gravity": (3.7, 6.0, 9.8, 14.0, 20.0),
}
"""What is drawn of each, with a word each: in m (half the pole), kg, kg, N and m/s^2."""
DEFAULT = {"length": 0.5, "masspole": 0.1, "masscart": 1.0, "force_mag": 10.0, "gravity": 9.8}
"""Gymnax's own."""
DERIVED = ("total_mass", "polemass_length")
"""Gymnax's parameters that follow from the others, which gymnax itself does not make sure of."""
EDGES = {
    name: tuple(math.sqrt(a * b) for a, b in itertools.pairwise(drawn))
    for name, drawn in VALUES.items()
}
"""Between the words: the geometric means of neighbouring values."""
PLAIN, SWAPPED = FAMILIES = ("plain", "swapped")


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
    columns = {name: jnp.asarray([row[name] for row in rows], jnp.float32) for name in DEFAULT}
    return Physics(**columns, swapped=jnp.asarray([row["swapped"] for row in rows], bool))


def _checked(found: Any, world: str) -> dict[str, Any]:
    valid = {**DEFAULT, "swapped": False}
    if not isinstance(found, Mapping):
        raise InvalidInput(
            f"an instance of {world} is {shown(found)}; right: a mapping, of {', '.join(valid)} "
            "to values"
        )
    for name, value in found.items():
        if name in DERIVED:
            raise InvalidInput(f"{name} is {shown(value)}; leave it away, it follows from others")
        if name not in valid:
            raise InvalidInput(
                f"unknown parameter {shown(name)} of {world}; valid: {', '.join(valid)}"
            )
        if name == "swapped":
            valid[name] = values.truth(name, value)
            continue
        valid[name] = values.finite(name, value)
        low, high = VALUES[name][0], VALUES[name][-1]
        if not low <= valid[name] <= high:
            values.refuse(name, value, f"it must be {low:g} to {high:g}")
    return valid


def random_physics(key: chex.PRNGKey, families: tuple[int, ...]) -> Physics:
    """One instance: every value of `VALUES` as likely, and every family named."""
    sizes = [*map(len, VALUES.values()), len(families)]
    index = jax.random.randint(key, (len(sizes),), 0, jnp.asarray(sizes, jnp.int32), jnp.int32)
    drawn = {
        name: jnp.asarray(several, jnp.float32)[index[i]]
        for i, (name, several) in enumerate(VALUES.items())
    }
    family = jnp.asarray(families, jnp.int32)[index[-1]]
    return Physics(**drawn, swapped=family == FAMILIES.index(SWAPPED))


def words_of(physics: Physics) -> jax.Array:
    """`i32[5]`: which of the words for each quantity of one instance, in the order of `VALUES`."""
    found = [
        jnp.sum(getattr(physics, name) >= jnp.asarray(edges, jnp.float32), dtype=jnp.int32)
        for name, edges in EDGES.items()
    ]
    return jnp.stack(found)


def bits_of(physics: Physics) -> jax.Array:
    """`i32[6]`: tells an instance apart."""
    reals = jnp.stack([getattr(physics, name) for name in VALUES])
    bits = jax.lax.bitcast_convert_type(reals, jnp.int32)
    return jnp.append(bits, physics.swapped.astype(jnp.int32))


def of_gymnax(physics: Physics) -> cartpole.EnvParams:
    """One instance as gymnax's parameters, of which two follow from others."""
    return cartpole.EnvParams(
        **{name: getattr(physics, name) for name in VALUES},
        total_mass=physics.masscart + physics.masspole,
        polemass_length=physics.masspole * physics.length,
    )
