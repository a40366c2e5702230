"""What decoder-only transformers are made of: norms, rotary positions, attention, feed-forward.

Matrices multiply in the dtype of their input; norms, rotations and softmax are computed in f32.

Letters: G prefixes, S suffixes, T and U suffix tokens, P prefix tokens, C tokens that all prefixes
begin with, D width, K key-value heads, R query heads per key-value head, H width of a head, F width
of the feed-forward layer.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "silu": nn.silu,
    "relu": nn.relu,
    "gelu": functools.partial(nn.gelu, approximate=False),
    "gelu_new": functools.partial(nn.gelu, approximate=True),
    "gelu_pytorch_tanh": functools.partial(nn.gelu, approximate=True),
}
"""By their names in Hugging Face's configs."""

LORA_A, LORA_B = "lora_a", "lora_b"
"""What a matrix's parameters hold beside it where it is adapted; see `lora`."""


class RMSNorm(nn.Module):
    """x / rms(x) * scale."""

    eps: float
    """Added to the mean square."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalise the last axis."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        y = x.astype(jnp.float32)
        y = y * jax.lax.rsqrt(jnp.mean(y * y, axis=-1, keepdims=True) + self.eps)
        return (y * jnp.broadcast_to(scale, y.shape)).astype(x.dtype)


class LayerNorm(nn.Module):
    """(x - mean(x)) / std(x) * scale + bias."""

    eps: float
    """Added to the variance."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalise the last axis."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        y = x.astype(jnp.float32)
        y -= jnp.mean(y, axis=-1, keepdims=True)
        # Of the centred values: a difference of two large means would cancel.
        y *= jax.lax.rsqrt(jnp.mean(y * y, axis=-1, keepdims=True) + self.eps)
        y = y * jnp.broadcast_to(scale, y.shape) + jnp.broadcast_to(bias, y.shape)
        return y.astype(x.dtype)


class Linear(nn.Module):
    """`x [..., in] -> [..., out]` as one matrix product, or where it is adapted as three.

    XLA's CPU gradient of a product over four axes takes twice as long.
    """

    features: int
    """Of the output."""
    use_bias: bool = False
    """Whether a vector is added."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Multiply, in the dtype of x."""
        rows = x.reshape(-1, x.shape[-1])
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        y = rows @ kernel.astype(x.dtype)
        if self.has_variable("params", LORA_A):
            a, b = (self.get_variable("params", name) for name in (LORA_A, LORA_B))
            y += (rows @ a.astype(x.dtype)) @ b.astype(x.dtype)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            y += jnp.broadcast_to(bias.astype(x.dtype), y.shape)
        return y.reshape(*x.shape[:-1], self.features)


def is_adapted(layers: Mapping[str, Any]) -> bool:
    """Whether matrices of a layer's parameters have adapters beside them (`lora`).

    These are trained on models so large that a gradient keeps a layer's input alone, and computes
    what it is made of again: no more work than the gradients of all weights would be.
    """
    return any(LORA_A in own for own in layers.values())


@dataclasses.dataclass(frozen=True)
class RopeScaling:
    """How rotary positions are stretched beyond the length of the first training."""

    factor: float
    """Frequencies are divided by it."""
    original_max_position_embeddings: int | None = None
    """Llama 3: length of the first training; None divides all frequencies alike ("linear")."""
    low_freq_factor: float = 1.0
    """Llama 3: waves longer than the length over this are divided by the whole factor."""
    high_freq_factor: float = 4.0
    """Llama 3: waves shorter than the length over this are left; between, it is interpolated."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if a value scales nothing."""
        given = dataclasses.asdict(self)
        if self.original_max_position_embeddings is None:
            del given["original_max_position_embeddings"]
        require_positive(given)
        if self.low_freq_factor >= self.high_freq_factor:
            raise InvalidInput(
                f"low_freq_factor is {self.low_freq_factor}; it must be below high_freq_factor, "
                f"{self.high_freq_factor}"
            )


@dataclasses.dataclass(frozen=True)
class RopeFactors:
    """Rotary positions stretched by a factor a frequency, as GGUF files keep Llama 3's."""

    factors: tuple[float, ...]
    """[H / 2]: each frequency is divided by its own."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if one scales nothing."""
        require_positive({f"factor {i}": factor for i, factor in enumerate(self.factors)})


def require_positive(values: Mapping[str, Any]) -> None:
    """Raises InvalidInput if one is no number above 0."""
    for name, value in values.items():
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise InvalidInput(f"{name} is {value!r}; it must be a number above 0")


def rope_frequencies(
    head_dim: int, theta: float, scaling: RopeScaling | RopeFactors | None
) -> np.ndarray:
    """Radians a position, `f32[H / 2]`: theta^(-2i / H), scaled.

    References: Su et al. 2021, RoFormer; Dubey et al. 2024, The Llama 3 Herd of Models.
    """
    frequencies = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    if scaling is None:
        return frequencies.astype(np.float32)
    if isinstance(scaling, RopeFactors):
        return (frequencies / np.array(scaling.factors)).astype(np.float32)
    slowed = frequencies / scaling.factor
    if scaling.original_max_position_embeddings is None:
        return slowed.astype(np.float32)
    turns = scaling.original_max_position_embeddings * frequencies / (2 * math.pi)
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (kept * frequencies + (1.0 - kept) * slowed).astype(np.float32)


class Rotation(NamedTuple):
    """Of tokens by their positions; the same in all layers and heads."""

    cos: jax.Array
    """f32[G, S, T, 1, H / 2]"""
    sin: jax.Array
    """f32[G, S, T, 1, H / 2]"""


def rotation(positions: jax.Array, frequencies: np.ndarray) -> Rotation:
    """By `positions [G, S, T]` at `frequencies [H / 2]`."""
    angles = positions[..., None, None].astype(jnp.float32) * frequencies.reshape(1, 1, 1, 1, -1)
    return Rotation(jnp.cos(angles), jnp.sin(angles))


def rotate(x: jax.Array, by: Rotation) -> jax.Array:
    """Rotary position embedding of `x [G, S, T, heads, H]`.

    Pairs are (i, i + H/2), as in Hugging Face's weights.
    """
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    halves = [a * by.cos - b * by.sin, b * by.cos + a * by.sin]
    return jnp.concatenate(halves, axis=-1).astype(x.dtype)


def attend(
    queries: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    mask: jax.Array,
    prefix_keys: jax.Array,
    prefix_values: jax.Array,
    prefix_mask: jax.Array,
    shared: tuple[jax.Array, jax.Array] | tuple[()] = (),
) -> jax.Array:
    """Softmax attention over prefix and suffix, joined by their common maximum and sum.

    Args:
        queries: `[G, S, T, K, R, H]`.
        keys: `[G, S, U, K, H]`; `values` likewise.
        values: See `keys`.
        mask: `bool[G, S, T, U]`: which tokens of its suffix a token sees.
        prefix_keys: `[G, P, K, H]`; `prefix_values` likewise.
        prefix_values: See `prefix_keys`.
        prefix_mask: `bool[G, P]`: prefix tokens that are there.
        shared: Keys and values `[C, K, H]` of what stands before all prefixes, seen by every token.

    Returns:
        `[G, S, T, K, R, H]`.
    """
    scale, lowest = queries.shape[-1] ** -0.5, jnp.finfo(jnp.float32).min
    product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)
    # Heads before tokens, so that all that follows is products of contiguous matrices.
    queries = jnp.einsum("gstkrh->gkstrh", queries)
    keys, values = (jnp.einsum("gsukh->gksuh", x) for x in (keys, values))
    own = product("gkstrh,gksuh->gkstru", queries, keys) * scale
    own = jnp.where(mask[:, None, :, :, None, :], own, lowest)
    far = product("gkstrh,gpkh->gkstrp", queries, prefix_keys) * scale
    far = jnp.where(prefix_mask[:, None, None, None, None, :], far, lowest)
    # The prefix may be empty, its maximum is then `lowest`; a token always sees itself.
    top = jnp.maximum(
        jnp.max(own, axis=-1, keepdims=True),
        jnp.max(far, axis=-1, keepdims=True, initial=lowest),
    )
    near = None
    if shared:
        # One product a head for all groups, so heads stand first.
        near = product("gkstrh,ckh->kgstrc", queries, shared[0]) * scale
        highest = jnp.max(near, axis=-1, keepdims=True, initial=lowest)
        top = jnp.maximum(top, jnp.swapaxes(highest, 0, 1))
    top = jax.lax.stop_gradient(top)
    own, far = (jnp.exp(x - top) for x in (own, far))
    total = jnp.sum(own, axis=-1, keepdims=True) + jnp.sum(far, axis=-1, keepdims=True)
    out = product("gkstru,gksuh->gkstrh", own.astype(values.dtype), values)
    out += product("gkstrp,gpkh->gkstrh", far.astype(prefix_values.dtype), prefix_values)
    if shared and near is not None:
        near = jnp.exp(near - jnp.swapaxes(top, 0, 1))
        total += jnp.swapaxes(jnp.sum(near, axis=-1, keepdims=True), 0, 1)
        out += product("kgstrc,ckh->gkstrh", near.astype(shared[1].dtype), shared[1])
    return jnp.einsum("gkstrh->gstkrh", (out / total).astype(queries.dtype))
