"""Random keys by purpose: what one purpose draws tells nothing of what another draws.

`split(key, n)[i]` and `fold_in(key, i)` are one key in JAX, so that numbers chosen by hand collide
with splits, and an evaluation draws what a training step draws. Here a purpose is a name, and its
number lies beyond any that a split or a loop takes.

A run's key of an experiment's seed is `runs(seed, R)[r]`. `Algorithm.init` takes from it what a run
starts with, and the key of its training, which each update then carries on; an evaluation is drawn
by the state's key as it stands, and so differs from update to update. A bank of instances is drawn
by `jax.random.key(bank_seed)` itself: banks stay what they were, and nothing else draws by a root.
"""

from __future__ import annotations

import zlib
from typing import Literal

import chex
import jax
import numpy as np

Purpose = Literal[
    "runs",
    "start",
    "weights",
    "training",
    "evaluation",
    "evaluation of a finished run",
    "collection",
    "search",
    "share",
    "trial",
    "verdicts",
]
"""What keys are for: `start` of the first episodes, `weights` of networks, `share` of a device,
`trial` of what is asked in it, `verdicts` of a judge that draws."""

_BEYOND = 1 << 31
"""Below lie the numbers of splits and loops."""


def of(key: chex.PRNGKey, purpose: Purpose) -> chex.PRNGKey:
    """The key of a purpose, of a key or of each of several, `[...]`."""
    number = np.uint32(zlib.crc32(purpose.encode()) | _BEYOND)
    fold = jax.random.fold_in
    for _ in range(key.ndim):
        fold = jax.vmap(fold, in_axes=(0, None))
    return fold(key, number)


def runs(seed: int, num_runs: int) -> chex.PRNGKey:
    """`[R]`: a key a run of an experiment of this seed; the first R of more runs are the same."""
    return jax.random.split(of(jax.random.key(seed), "runs"), num_runs)
