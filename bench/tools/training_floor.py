"""A yardstick of DQN's update: what must be computed, and what must be moved, one after the other.

Operations are those of the matrix products; what is done once an element is free here. A state that
is given by its number looks a row of the first layer up, which is no product. Bytes are those of
what outlives an update, read once and written once: the network, its target and Adam's two moments,
and the transitions that are written and drawn. Gradients and activations are free.

Both are done at rates that are measured in the same turns: of a product of two large matrices, and
of a copy of as many weights as an update moves. Who computes while he moves, or writes where he
read, may be nearer to it than he is to what is possible.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tools.timing import Contender, compiled

KEPT = 4
"""Arrays as large as the network: itself, the target, two moments."""
FLOAT = 4
"""Bytes."""
MATRIX = 1_024
"""Rows and columns of the product."""
PRODUCT, COPY = "training/product", "training/copy"


class Costs(NamedTuple):
    """Of one update of one run."""

    flops: int
    bytes: int


def weights(sizes: Sequence[int]) -> int:
    """Of a network of states, widths of hidden layers, and actions; the last layer has no bias."""
    return sum(math.prod(pair) for pair in itertools.pairwise(sizes)) + sum(sizes[1:-1])


def dqn_update(sizes: Sequence[int], steps: int, batch: int, transition: int) -> Costs:
    """One update of one run.

    Args:
        sizes: As of `weights`.
        steps: Environment steps between two gradient steps.
        batch: Transitions of a gradient step.
        transition: Bytes of one.
    """
    forward = 2 * sum(math.prod(pair) for pair in itertools.pairwise(sizes[1:]))
    # Online and target network forward; gradients by the weights, and by what the layers read.
    learning = batch * (2 * forward + 2 * forward)
    moved = 2 * FLOAT * KEPT * weights(sizes) + transition * (steps + batch)
    return Costs(steps * forward + learning, moved)


def contenders(costs: Costs, sizes: Sequence[int], num_runs: int) -> dict[str, Contender]:
    """A product and a copy."""
    square = jax.random.normal(jax.random.key(0), (MATRIX, MATRIX))
    kept = jnp.zeros((num_runs, KEPT * weights(sizes)), jnp.float32)
    all_runs = f"{num_runs * costs.flops / 1e6:.1f} MFLOP, {num_runs * costs.bytes / 1e6:.1f} MB"
    return {
        PRODUCT: compiled(
            jnp.matmul, square, square, amount=2 * MATRIX**3 / 1e9, unit="GFLOP/s",
            note=f"f32, {MATRIX} x {MATRIX} x {MATRIX}",
        ),
        COPY: compiled(
            lambda x: x + 1, kept, amount=2 * kept.nbytes / 1e9, unit="GB/s",
            note=f"f32, {kept.nbytes / 1e6:.1f} MB; an update of {num_runs} runs: {all_runs}",
        ),
    }  # fmt: skip


def share(
    costs: Costs, work: int, found: Mapping[str, Contender], seconds: Mapping[str, Sequence[float]],
    name: str,
) -> float:  # fmt: skip
    """The least time over what was taken; median over the repeats, each measured in turn.

    Args:
        costs: Of an update of a run.
        work: Updates times runs in a call of the contender.
        found: Contenders, those of `contenders` among them.
        seconds: Of every repeat.
        name: Whose share it is.
    """
    flop, byte = (1e9 * found[x].amount for x in (PRODUCT, COPY))
    turns = zip(seconds[PRODUCT], seconds[COPY], seconds[name], strict=True)
    return statistics.median(
        work * (costs.flops * product / flop + costs.bytes * moved / byte) / took
        for product, moved, took in turns
    )
