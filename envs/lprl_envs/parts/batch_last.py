"""How `vmap` gives a function its axis last.

What is made of many small arrays, a number a block or a cell, is fast where each operation runs
over the whole batch, as vector instructions want it: where the batch is the last axis. `vmap` puts
it first, or where gathers leave it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap


def batch_last(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays `[n, ...]`, to which `vmap` gives its axis as the last of these."""
    mapped = custom_vmap(function)

    @mapped.def_vmap
    def _(axis_size: int, in_batched: list[bool], *arguments: jax.Array) -> Any:
        rows = [
            jnp.moveaxis(x, 0, -1) if is_batched else x[..., None]
            for x, is_batched in zip(arguments, in_batched, strict=True)
        ]

        def to_front(x: jax.Array) -> jax.Array:
            return jnp.moveaxis(jnp.broadcast_to(x, (*x.shape[:-1], axis_size)), -1, 0)

        found = jax.tree.map(to_front, mapped(*rows))
        return found, jax.tree.map(lambda _: True, found)

    return mapped
