"""Quantities of an instance: real numbers with a word each for ranges of them.

An instance may be physics: a mass, a length, gravity. A world draws each from a few values, and has
a word for every one of these; by hand it takes any number between the lowest and the highest, which
reads as the nearest value does. The words change at geometric means of neighbouring values.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp

from lprl_envs import values
from lprl_envs.errors import InvalidInput, shown


def range_of(number: jax.Array, edges: tuple[float, ...]) -> jax.Array:
    """`i32[]`: in which of the ranges between ascending edges a number lies; on an edge, above."""
    return jnp.sum(number >= jnp.asarray(edges, jnp.float32), dtype=jnp.int32)


@dataclasses.dataclass(frozen=True)
class Quantities:
    """Names, what is drawn of each, and what is taken where nothing is said.

    Where a row of a bank is wanted, it is anything with an attribute f32[] a name.
    """

    drawn: Mapping[str, tuple[float, ...]]
    """Positive and ascending."""
    defaults: Mapping[str, float]

    def checked(self, found: Any, world: str, others: tuple[str, ...] = ()) -> dict[str, Any]:
        """An instance by hand, with the defaults of what is not in it.

        Args:
            found: A mapping; what it holds under one of `others` stays as it is.
            world: For messages.
            others: Names of what is no quantity.

        Raises:
            InvalidInput: if it is no mapping, a name is unknown, or a number out of range.
        """
        names = ", ".join((*self.drawn, *others))
        if not isinstance(found, Mapping):
            raise InvalidInput(
                f"an instance of {world} is {shown(found)}; right: a mapping of {names} to values"
            )
        row: dict[str, Any] = dict(self.defaults)
        for name, value in found.items():
            if name in others:
                row[name] = value
                continue
            if name not in self.drawn:
                raise InvalidInput(f"unknown parameter {shown(name)} of {world}; valid: {names}")
            row[name] = values.finite(name, value)
            low, high = self.drawn[name][0], self.drawn[name][-1]
            if not low <= row[name] <= high:
                values.refuse(name, value, f"it must be {low:g} to {high:g}")
        return row

    def columns(self, rows: list[dict[str, Any]]) -> dict[str, jax.Array]:
        """`f32[M]` a name, of M rows as `checked` gives them."""
        return {name: jnp.asarray([row[name] for row in rows], jnp.float32) for name in self.drawn}

    def draw(self, key: chex.PRNGKey) -> dict[str, jax.Array]:
        """`f32[]` a name, every value as likely."""
        sizes = jnp.asarray([len(several) for several in self.drawn.values()], jnp.int32)
        index = jax.random.randint(key, sizes.shape, 0, sizes, jnp.int32)
        return {
            name: jnp.asarray(several, jnp.float32)[index[i]]
            for i, (name, several) in enumerate(self.drawn.items())
        }

    def words(self, row: Any) -> jax.Array:
        """`i32[n]`: which word each quantity has."""
        found = []
        for name, several in self.drawn.items():
            edges = tuple(math.sqrt(a * b) for a, b in itertools.pairwise(several))
            found.append(range_of(getattr(row, name), edges))
        return jnp.stack(found)

    def bits(self, row: Any) -> jax.Array:
        """`i32[n]`: tells a row apart from others."""
        reals = jnp.stack([getattr(row, name) for name in self.drawn])
        return jax.lax.bitcast_convert_type(reals, jnp.int32)
