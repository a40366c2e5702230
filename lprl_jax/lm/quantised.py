"""Fewer bits a weight: what a model becomes where its matrices are rounded, in float32.

Every output of a matrix has its own step s = max|w| / q, q = 2^(b-1) - 1, and a weight becomes
clip(round(w / s), -q, q) · s. So it holds no more than b bits a weight tells, but is no smaller and
no faster: this answers what such a model would say. Norms and biases stay as they are.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from lprl_envs import values

from lprl_jax.lm.checkpoint import LanguageModel

BITS = range(2, 9)
WHOLE = 32
"""Bits of a weight that is left alone."""
KERNEL = "kernel"
"""The name of a matrix `[..., in, out]`; those of words are `[V, D]`, a row an output."""
OF_WORDS = ("embedding", "head")


def quantised(model: LanguageModel, bits: int) -> LanguageModel:
    """The model with its matrices rounded to so many bits; with 32, as it is.

    Raises:
        InvalidInput: if that is not a whole number from 2 to 8, nor 32.
    """
    require_bits("bits", bits)
    if bits == WHOLE:
        return model

    def round_one(path: Any, leaf: jax.Array) -> jax.Array:
        name = path[-1].key
        if name == KERNEL:
            return round_to(leaf, bits, axis=-2)
        return round_to(leaf, bits, axis=-1) if name in OF_WORDS else leaf

    params = jax.tree_util.tree_map_with_path(round_one, model.params)
    return model._replace(params=params, name=f"{model.name} ({bits} bits)")


def require_bits(name: str, bits: int) -> None:
    """Raise InvalidInput unless a model can be rounded to so many, or left alone."""
    if values.whole(name, bits) not in (*BITS, WHOLE):
        right = f"it must lie in {BITS.start} to {BITS.stop - 1}, or be {WHOLE}: the model as it is"
        values.refuse(name, bits, right)


def round_to(weights: jax.Array, bits: int, axis: int) -> jax.Array:
    """Weights to the nearest of 2^bits - 1 levels, by steps shared along `axis`, the inputs."""
    levels = 2 ** (bits - 1) - 1
    step = jnp.max(jnp.abs(weights), axis=axis, keepdims=True) / levels
    whole = jnp.round(weights / jnp.where(step > 0, step, 1.0))
    return jnp.clip(whole, -levels, levels) * step
