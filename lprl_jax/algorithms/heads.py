"""The last layer of a network: few outputs, and of many runs a gradient that a CPU takes quickly.

A batch of products with four columns leaves most of a vector empty; with four rows it does not. So
of many runs the gradient by the kernel is taken turned: the same sums, in the same order, in less
time.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

VECTOR = 16
"""Numbers that a CPU's core takes at once: f32 in 512 bits."""


def head(size: int, **options: Any) -> nn.Dense:
    """`nn.Dense`, with the gradient above where its output is narrow.

    Args:
        size: Of the output.
        **options: As of `nn.Dense`.
    """
    return nn.Dense(size, dot_general=_times if size < VECTOR else None, **options)


def _times(x: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """`f32[..., H]` and `f32[H, A]` to `f32[..., A]`, as `nn.Dense` has it multiplied."""
    return _product(x, kernel)


@jax.custom_vjp
def _product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return x @ kernel


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return x @ kernel, (x, kernel)


def _backward(kept: tuple[jax.Array, jax.Array], of: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    return of @ kernel.T, _of_kernel(x, kernel, of)


_product.defvjp(_forward, _backward)


@jax.custom_batching.custom_vmap
def _of_kernel(x: jax.Array, kernel: jax.Array, of: jax.Array) -> jax.Array:
    """Of one run: as JAX takes it."""
    (gradient,) = jax.linear_transpose(lambda kernel: x @ kernel, kernel)(of)
    return gradient


@_of_kernel.def_vmap
def _of_kernels(
    size: int, is_batched: list[bool], x: jax.Array, _: jax.Array, of: jax.Array
) -> tuple[jax.Array, bool]:
    """Of many runs: turned, behind a barrier, for XLA would turn it back."""
    x, of = (
        (y if own else jnp.broadcast_to(y, (size, *y.shape))).reshape(size, -1, y.shape[-1])
        for y, own in zip((x, of), (is_batched[0], is_batched[2]), strict=True)
    )
    turned = jax.lax.optimization_barrier(jnp.swapaxes(of, 1, 2) @ x)
    return jnp.swapaxes(turned, 1, 2), True
