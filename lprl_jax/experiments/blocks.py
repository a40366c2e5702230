"""Runs in blocks: a core trains as many at a time as its cache holds, and then the next ones.

Runs have nothing to do with each other, so the results are those of all at once. Of a thousand runs
of a small network a gradient step goes through some 170 MB of weights and moments, and in blocks
through five, over and over: they learn and play faster (`1000_runs_demo` in docs/speed.md). A block
that learns is copied out of the state and back, its replay too, once a chunk of training.

On accelerators, which want everything at once, there are no blocks; nor where the runs share more
than counts, such as a memory of a prior's answers, which is fuller and asked for more at a time
where all go together. With a judge there are none in play, where its errors are drawn by a row's
place among all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lprl_jax.experiments import carries

MOST, LEAST = 32, 20
"""Runs at a time. With 16 a core of two waits for its programs to begin, with 64 for memory."""

Train = Callable[[Any, Any], tuple[Any, dict[str, jax.Array]]]
"""`(state, data) -> (state, metrics [R])`; in the state, what is no scalar leads with R."""
Play = Callable[[Any, Any], dict[str, jax.Array]]
"""`(state, data) -> metrics [R]`"""


def train(function: Train) -> Train:
    """The same training, block by block."""

    def call(state: Any, data: Any) -> tuple[Any, dict[str, jax.Array]]:
        runs, size = len(state.key), _size(state)
        if size == runs:
            return function(state, data)

        def one(i: jax.Array, loop: Any) -> Any:
            whole, metrics = loop
            # A block begins at the step at which all began; what was asked is counted on.
            part = carries.put(_take(whole, state, i * size, size), carries.of(whole))
            part, told = function(part, data)
            return _put(whole, part, i * size), _put(metrics, told, i * size)

        told = jax.eval_shape(function, jax.eval_shape(lambda: _take(state, state, 0, size)), data)
        metrics = {name: jnp.zeros((runs, *x.shape[1:]), x.dtype) for name, x in told[1].items()}
        return jax.lax.fori_loop(0, runs // size, one, (state, metrics))

    return call


def play(function: Play) -> Play:
    """The same evaluation, block by block; a block is through when its own episodes are."""

    def call(state: Any, data: Any) -> dict[str, jax.Array]:
        runs, size = len(state.key), _size(state)
        is_judged = jax.tree.leaves(carries.of(state)[1:])
        if size == runs or is_judged:
            return function(state, data)
        starts = jnp.arange(0, runs, size)
        metrics = jax.lax.map(lambda i: function(_take(state, state, i, size), data), starts)
        return {name: x.reshape(runs, *x.shape[2:]) for name, x in metrics.items()}

    return call


def _size(state: Any) -> int:
    """Of the blocks: the largest that divides the runs, or all of them; see the top."""
    runs, shared = len(state.key), jax.tree.leaves(carries.of(state))
    if runs <= MOST or any(x.ndim for x in shared):
        return runs
    return max((n for n in range(LEAST, MOST + 1) if runs % n == 0), default=runs)


def _take(whole: Any, first: Any, start: Any, size: int) -> Any:
    """The runs from `start` on; scalars are those of `first`."""

    def take(x: jax.Array, scalar: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(x, start, size) if x.ndim else scalar

    return jax.tree.map(take, whole, first)


def _put(whole: Any, part: Any, start: Any) -> Any:
    """The runs from `start` on are the part's, and so are scalars."""

    def put(x: jax.Array, y: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_slice_in_dim(x, y, start, axis=0) if x.ndim else y

    return jax.tree.map(put, whole, part)
