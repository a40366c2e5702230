"""How cube stacking reads: the cubes, the stack, and what a model is asked about them."""

from __future__ import annotations

import string

import jax
import jax.numpy as jnp

from lprl_envs.cube_stacking.cubes import COLORS, LARGEST, Cubes
from lprl_envs.template import Literal, Scope, Slot, Template

_NEXT = Literal("\nNext", Scope.STATE)
_WHOLE = Literal("\nThe whole stack from the bottom", Scope.STATE)


def action_texts(num_cubes: int) -> tuple[str, ...]:
    """They continue "Next"."""
    return " remove the top", *(f" stack{cube}" for cube in _cubes(num_cubes))


def template_of(num_cubes: int) -> Template:
    """The wording for so many cubes; a place of the stack is a slot that may be empty."""
    return Template((*_situation(num_cubes), _NEXT))


def completion_prompt_of(num_cubes: int) -> Template:
    """The same situation, with the question for the whole stack."""
    return Template((*_situation(num_cubes), _WHOLE))


def completion_of(num_cubes: int) -> Template:
    """A whole stack: a cube for every place, bottom first."""
    cubes = _cubes(num_cubes)
    places = (Slot(f"place {place}", cubes) for place in range(1, num_cubes + 1))
    return Template((*places, Literal("\n", Scope.STATE)))


def slots_of(cubes: Cubes, height: jax.Array) -> jax.Array:
    """`i32[3 * n]` of one instance: colour and edge of each cube, then the cube on each place.

    Values of `template_of`; above `height` there is none.
    """
    listed = jnp.stack([cubes.color, cubes.size - 1], axis=1)
    places = jnp.arange(len(cubes.target), dtype=jnp.int32)
    stack = jnp.where(places < height, cubes.target + 1, 0)
    return jnp.concatenate([listed.ravel(), stack], dtype=jnp.int32)


def _cubes(num_cubes: int) -> tuple[str, ...]:
    return tuple(f" {letter}" for letter in string.ascii_lowercase[:num_cubes])


def _situation(num_cubes: int) -> tuple[Literal | Slot, ...]:
    cubes = _cubes(num_cubes)
    colors = tuple(f" {color}" for color in COLORS)
    sizes = tuple(f" {size}" for size in range(1, LARGEST + 1))
    listed: list[Literal | Slot] = []
    for cube in cubes:
        listed += [
            Literal(f",{cube}" if listed else cube, Scope.INSTANCE),
            Slot(f"colour of{cube}", colors, Scope.INSTANCE),
            Slot(f"size of{cube}", sizes, Scope.INSTANCE),
        ]
    return (
        Literal("Stack all the cubes. Their colours and sizes make a hidden pattern.\nCubes"),
        *listed,
        Literal("\nThe stack from the bottom", Scope.STATE),
        *(Slot(f"place {place}", ("", *cubes)) for place in range(1, num_cubes + 1)),
    )
