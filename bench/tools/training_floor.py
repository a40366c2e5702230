"""What an update of DQN must at least compute and move.

Operations are those of the matrix products; what is done once an element is free here. A state that
is given by its number looks a row of the first layer up, which is no product. Bytes are those of
what outlives an update, read once and written once: the network, its target and Adam's two moments,
and the transitions that are written and drawn. Gradients and activations are free.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from tools.floor import Costs

KEPT = 4
"""Arrays as large as the network: itself, the target, two moments."""
FLOAT = 4
"""Bytes."""


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
