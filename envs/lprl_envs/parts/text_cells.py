"""Text cells: what a state reads, as one number.

An instance's states differ in the template's state slots alone. Where these have few values, their
combinations are numbered, mixed radix in reading order, so that what is known of every text of an
instance is a table `[M, num_cells]`: exact for whatever depends on the text alone, such as a
model's answer, also where the states themselves are real numbers and cannot be listed.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.errors import InvalidInput
from lprl_envs.template import Scope, Template

MOST_CELLS = 1 << 16
"""Of a table that one would still want."""


def num_cells(template: Template) -> int | None:
    """How many texts an instance's states may have; None where they are more than `MOST_CELLS`."""
    count = math.prod(len(s.values) for s in template.slots if s.scope is Scope.STATE)
    return count if count <= MOST_CELLS else None


def cell_of(template: Template, slots: jax.Array) -> jax.Array:
    """`i32[]` in `[0, num_cells)`: the number of the state slots among `slots` `i32[num_slots]`.

    The last state slot changes fastest.
    """
    weights, _ = _digits(template)
    return jnp.sum(slots * jnp.asarray(weights), dtype=jnp.int32)


def slots_of(template: Template, cell: jax.Array) -> jax.Array:
    """`i32[num_slots]`: the state slots of that number, and 0 elsewhere; inverse of `cell_of`."""
    weights, sizes = _digits(template)
    return cell // jnp.maximum(weights, 1) % jnp.asarray(sizes)


def _digits(template: Template) -> tuple[np.ndarray, np.ndarray]:
    """What each slot's value counts in a cell's number, and how many it has: `i32[num_slots]` both.

    A slot that is no state's counts 0, and has one.
    """
    weights = np.zeros(template.num_slots, np.int32)
    sizes = np.ones(template.num_slots, np.int32)
    weight = 1
    for place in reversed(range(template.num_slots)):
        if template.slots[place].scope is Scope.STATE:
            weights[place], sizes[place] = weight, len(template.slots[place].values)
            weight *= len(template.slots[place].values)
    return weights, sizes


def num_text_cells(env: Any) -> int | None:
    """Of a `TextEnv`: how many texts an instance's states may have; None where too many."""
    return num_cells(env.template)


def text_cell(env: Any, state: Any, params: Any) -> jax.Array:
    """`i32[]` in `[0, num_text_cells)`: equal for states of an instance that read alike.

    Raises:
        InvalidInput: if there are too many.
    """
    _require_numbered(env)
    return cell_of(env.template, env.slots(state, params))


def cell_slots(env: Any, instance: jax.Array, cell: jax.Array, params: Any) -> jax.Array:
    """`i32[num_slots]`: what the text of that number reads in an instance; inverse of `text_cell`.

    There are texts that no state of the instance has.

    Raises:
        InvalidInput: if there are too many.
    """
    _require_numbered(env)
    first = env.initial_state(jax.random.key(0), instance, params)
    is_state = np.array([slot.scope is Scope.STATE for slot in env.template.slots])
    return jnp.where(is_state, slots_of(env.template, cell), env.slots(first, params))


def _require_numbered(env: Any) -> None:
    if num_text_cells(env) is None:
        raise InvalidInput(f"{env.name} has too many texts an instance to number them")
