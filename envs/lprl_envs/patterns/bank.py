"""Hidden patterns as instances: given by hand or drawn at random, held out, gathered in a bank."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lprl_envs import values
from lprl_envs.banks import SPLITS, choose_families, draw_bank, grid_hash
from lprl_envs.errors import InvalidInput, require_one_of, shown
from lprl_envs.patterns.shapes import FAMILIES, HELD_OUT_FAMILIES, Shape, between, is_frame
from lprl_envs.text_env import HELD_OUT_ONE_IN

CELLS = ".#"
"""How patterns are written by hand: off, on."""
BY_HAND = -1
"""The family of a pattern that was given by hand."""


@struct.dataclass
class Patterns:
    """A bank of M patterns of one size."""

    cells: jax.Array
    """bool[M, H * W], row by row."""
    family: jax.Array
    """i32[M]: which of FAMILIES a pattern was drawn from, or BY_HAND."""


def is_held_out(grid: jax.Array) -> jax.Array:
    """`bool[]` of a pattern `bool[H, W]`: every frame, whatever drew it, and one in five others."""
    return is_frame(grid) | (grid_hash(grid) % HELD_OUT_ONE_IN == 0)


def draw_patterns(
    key: chex.PRNGKey,
    num_patterns: int,
    shape: Shape,
    split: str | None,
    families: Sequence[str],
    name: str = "a pattern",
) -> Patterns:
    """A bank of random patterns, each from one of the families, which are equally likely.

    Args:
        key: Random key.
        num_patterns: M.
        shape: H, W.
        split: `"train"`, `"held-out"`, or None for both.
        families: Their names; none means all that fit the size, without those held out where a
            split is named.
        name: Of the environment, for the message.

    Raises:
        InvalidInput: if an argument is out of range, or no pattern of that size is in the split.
    """
    if split is not None:
        require_one_of("split", split, SPLITS)
    chosen = _chosen(families, split, shape)
    return _draw_bank(key, num_patterns, shape, split, chosen, name)


@functools.partial(jax.jit, static_argnums=range(1, 6))  # one by one its operations take long
def _draw_bank(
    key: chex.PRNGKey,
    num_patterns: int,
    shape: Shape,
    split: str | None,
    families: tuple[str, ...],
    name: str,
) -> Patterns:
    draw = functools.partial(_draw, shape=shape, families=families)
    what = f"{name}, {', '.join(families)} of {shape[0]}x{shape[1]}"

    def held_out(pattern: Patterns) -> jax.Array:
        return is_held_out(pattern.cells.reshape(shape))

    return draw_bank(key, num_patterns, split, draw, held_out, name=what)


def _draw(key: chex.PRNGKey, shape: Shape, families: tuple[str, ...]) -> Patterns:
    key_family, key_shape = jax.random.split(key)
    which = between(jax.random.uniform(key_family, dtype=jnp.float32), 0, len(families) - 1)
    draws = [FAMILIES[name].draw for name in families]
    branches = [lambda key, draw=draw: draw(key, shape) for draw in draws]
    cells = jax.lax.switch(which, branches, key_shape)
    numbers = jnp.array([list(FAMILIES).index(name) for name in families], jnp.int32)
    return Patterns(cells.ravel(), numbers[which])


def _chosen(families: Sequence[str], split: str | None, shape: Shape) -> tuple[str, ...]:
    """The families to draw from."""
    names = tuple(FAMILIES)
    chosen = [names[i] for i in choose_families(names, HELD_OUT_FAMILIES, families, split)]
    fitting = tuple(name for name in chosen if FAMILIES[name].fits(shape))
    if families and len(fitting) < len(chosen):
        name = next(name for name in chosen if name not in fitting)
        least, found = (f"{h}x{w}" for h, w in (FAMILIES[name].smallest, shape))
        raise InvalidInput(f"{name} need {least} cells or more, the size is {found}")
    return fitting


def parse_pattern(rows: Any, shape: Shape, largest: int | None = None) -> np.ndarray:
    """`bool[H * W]` of a pattern written as rows such as `"#..#"`.

    Args:
        rows: The pattern.
        shape: H, W.
        largest: Most rows and columns of any pattern, for the message.

    Raises:
        InvalidInput: if it has another size or another character, or is empty or full.
    """
    rows = list(rows) if isinstance(rows, list | tuple) else [rows]
    if not rows or not all(isinstance(row, str) and row for row in rows):
        raise InvalidInput(f"a pattern is a list of rows such as ['#.', '.#']; found {shown(rows)}")
    lengths = [len(row) for row in rows]
    if len(set(lengths)) != 1:
        raise InvalidInput(f"pattern rows differ in length: {lengths}; a pattern is rectangular")
    unknown = sorted({cell for row in rows for cell in row} - set(CELLS))
    if unknown:
        raise InvalidInput(f"unknown cell {unknown[0]!r} in the pattern; valid: # on, . off")
    if (len(rows), lengths[0]) != shape:
        found, right = f"{len(rows)}x{lengths[0]}", f"{shape[0]}x{shape[1]}"
        if min(len(rows), lengths[0]) < 2 or max(len(rows), lengths[0]) > (largest or math.inf):
            raise InvalidInput(f"a pattern is {found}, the environment {right}; {_sizes(largest)}")
        raise InvalidInput(f"a pattern is {found}, the environment {right}; set size: {found}")
    cells = np.array([CELLS.index(cell) for row in rows for cell in row], bool)
    if cells.all() or not cells.any():
        state = "full" if cells.all() else "empty"
        raise InvalidInput(f"the pattern {rows} is {state}; it needs cells on and cells off")
    return cells


def bank(patterns: Sequence[Any], shape: Shape, largest: int | None = None) -> Patterns:
    """A bank of patterns written by hand, each as `parse_pattern` takes it."""
    if not (given := values.instances(patterns)):
        raise InvalidInput("a bank of no patterns; it needs at least one")
    cells = np.stack([parse_pattern(rows, shape, largest) for rows in given])
    return Patterns(jnp.asarray(cells), jnp.full(len(cells), BY_HAND, jnp.int32))


def parse_size(size: str, largest: int) -> Shape:
    """The `H, W` of `"HxW"`, each 2 to `largest`."""
    match = re.fullmatch(r"([1-9][0-9]?)x([1-9][0-9]?)", values.text("size", size))
    shape = (int(match[1]), int(match[2])) if match else (0, 0)
    if min(shape) < 2 or max(shape) > largest:
        raise InvalidInput(f"unknown size {shown(size)}; {_sizes(largest)}")
    return shape


def _sizes(largest: int | None) -> str:
    return "valid: 2x2 " + (f"to {largest}x{largest}" if largest else "or more")
