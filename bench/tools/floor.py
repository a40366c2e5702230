"""A yardstick: the least that must be computed and moved, one after the other.

Operations are done at the rate of a product of two large matrices, bytes at that of a copy, both
measured in the same turns as what is held against them. Who computes while he moves, or writes
where he read, may be nearer to it than he is to what is possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tools.timing import Contender, Ratio, compiled

MATRIX = 1_024
"""Rows and columns of the product."""
PRODUCT, COPY = "product", "copy"
"""Ends of the names of what the floor is made of."""


class Costs(NamedTuple):
    """Of some work."""

    flops: int
    bytes: int


def contenders(name: str, size: int) -> dict[str, Contender]:
    """A product, and a copy of so many bytes; their names begin with `name/`."""
    square = jax.random.normal(jax.random.key(0), (MATRIX, MATRIX))
    kept = jnp.zeros(size // 4, jnp.float32)
    return {
        f"{name}/{PRODUCT}": compiled(
            jnp.matmul, square, square, amount=2 * MATRIX**3 / 1e9, unit="GFLOP/s",
            note=f"f32, {MATRIX} x {MATRIX} x {MATRIX}",
        ),
        f"{name}/{COPY}": compiled(
            lambda x: x + 1, kept, amount=2 * kept.nbytes / 1e9, unit="GB/s",
            note=f"f32, {kept.nbytes / 1e6:.1f} MB",
        ),
    }  # fmt: skip


def share(
    costs: Costs, found: Mapping[str, Contender], seconds: Mapping[str, Sequence[float]],
    name: str, of: str,
) -> Ratio:  # fmt: skip
    """The least time over what was taken, of each repeat.

    Args:
        costs: Of a call of the contender.
        found: Contenders, those of `contenders(name, ...)` among them.
        seconds: Of every repeat.
        name: Of the floor.
        of: Whose share it is.
    """
    product, copy = f"{name}/{PRODUCT}", f"{name}/{COPY}"
    flop, byte = (1e9 * found[x].amount for x in (product, copy))
    turns = zip(seconds[product], seconds[copy], seconds[of], strict=True)
    return Ratio.of(
        (costs.flops * multiplied / flop + costs.bytes * moved / byte) / took
        for multiplied, moved, took in turns
    )
