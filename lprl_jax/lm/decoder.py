"""A decoder-only transformer (Llama architecture) whose input is a batch of suffixes behind shared
prefixes, under any attention mask.

One layout serves every use. Tokens are `[G, S, T]`: G prefixes, S suffixes behind each, T tokens a
suffix. A prefix's keys and values are `[L, G, P, ...]`, without an axis for its suffixes:

* one prompt shared by the whole batch: G = 1, S = batch;
* a prefix a row: G = batch, S = 1;
* a plain forward pass: P = 0.

Inside a suffix the mask is free, so that candidate continuations can be packed as a token tree.

Letters: G prefixes, S suffixes, T and U suffix tokens, P prefix tokens, D width, K key-value heads,
R query heads per key-value head, H width of a head, F width of the feed-forward layer, L layers.

Reference: Touvron et al. 2023, Llama 2; the layer is `transformers`' `LlamaDecoderLayer`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """Shape of a Llama model; names as in `transformers.LlamaConfig`."""

    vocab_size: int
    """Rows of the embedding."""
    hidden_size: int
    """D."""
    intermediate_size: int
    """F."""
    num_hidden_layers: int
    """L."""
    num_attention_heads: int
    """Query heads, K * R."""
    num_key_value_heads: int
    """K; fewer than the query heads in grouped-query attention."""
    head_dim: int
    """H; need not be D over the number of heads."""
    rope_theta: float = 10_000.0
    """Base of the rotary position embedding."""
    rms_norm_eps: float = 1e-6
    """Added to the mean square."""
    tie_word_embeddings: bool = False
    """Whether the output head is the embedding."""


class KeyValues(NamedTuple):
    """Attention keys and values of prefixes, rotated already."""

    keys: jax.Array
    """f32[L, G, P, K, H]"""
    values: jax.Array
    """f32[L, G, P, K, H]"""


class RMSNorm(nn.Module):
    """x / rms(x) * scale, in f32."""

    eps: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalise the last axis."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        y = x.astype(jnp.float32)
        y = y * jax.lax.rsqrt(jnp.mean(y * y, axis=-1, keepdims=True) + self.eps)
        return (y * jnp.broadcast_to(scale, y.shape)).astype(x.dtype)


def rotate(x: jax.Array, positions: jax.Array, theta: float) -> jax.Array:
    """Rotary position embedding; `x [G, S, T, heads, H]`, `positions [G, S, T]`.

    Pairs are (i, i + H/2), as in Hugging Face's weights.
    """
    half = x.shape[-1] // 2
    frequencies = theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angles = positions[..., None, None].astype(jnp.float32) * frequencies.reshape(1, 1, 1, 1, -1)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    a, b = x[..., :half].astype(jnp.float32), x[..., half:].astype(jnp.float32)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1).astype(x.dtype)


def attend(
    queries: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    mask: jax.Array,
    prefix_keys: jax.Array,
    prefix_values: jax.Array,
    prefix_mask: jax.Array,
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

    Returns:
        `[G, S, T, K, R, H]`.
    """
    scale = queries.shape[-1] ** -0.5
    lowest = jnp.finfo(jnp.float32).min
    own = jnp.einsum("gstkrh,gsukh->gkstru", queries, keys, preferred_element_type=jnp.float32)
    own = jnp.where(mask[:, None, :, :, None, :], own * scale, lowest)
    far = jnp.einsum(
        "gstkrh,gpkh->gkstrp", queries, prefix_keys, preferred_element_type=jnp.float32
    )
    far = jnp.where(prefix_mask[:, None, None, None, None, :], far * scale, lowest)
    # The prefix may be empty, its maximum is then `lowest`; a token always sees itself.
    top = jnp.maximum(
        jnp.max(own, axis=-1, keepdims=True),
        jnp.max(far, axis=-1, keepdims=True, initial=lowest),
    )
    own, far = (jnp.exp(x - jax.lax.stop_gradient(top)) for x in (own, far))
    total = jnp.sum(own, axis=-1) + jnp.sum(far, axis=-1)
    out = jnp.einsum("gkstru,gsukh->gstkrh", own.astype(values.dtype), values)
    out += jnp.einsum("gkstrp,gpkh->gstkrh", far.astype(prefix_values.dtype), prefix_values)
    return (out / jnp.moveaxis(total, 1, 3)[..., None]).astype(queries.dtype)


class Layer(nn.Module):
    """Attention, then a gated feed-forward network, each normalised before and added to x."""

    config: DecoderConfig

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        prefix: KeyValues,
        positions: jax.Array,
        mask: jax.Array,
        prefix_mask: jax.Array,
    ) -> tuple[jax.Array, KeyValues]:
        """`x [G, S, T, D]` to the same, and this suffix's own keys and values `[G, S, T, K, H]`."""
        c = self.config
        groups, suffixes, length, _ = x.shape
        repeats = c.num_attention_heads // c.num_key_value_heads

        def project(name: str, features: int, y: jax.Array) -> jax.Array:
            # As one matrix: XLA's CPU gradient of a product over four axes takes twice as long.
            rows = nn.Dense(features, use_bias=False, name=name, dtype=y.dtype)(
                y.reshape(-1, y.shape[-1])
            )
            return rows.reshape(*y.shape[:-1], features)

        def heads(y: jax.Array) -> jax.Array:
            return y.reshape(groups, suffixes, length, -1, c.head_dim)

        y = RMSNorm(c.rms_norm_eps, name="attention_norm")(x)
        q = heads(project("q", c.num_attention_heads * c.head_dim, y))
        k = heads(project("k", c.num_key_value_heads * c.head_dim, y))
        v = heads(project("v", c.num_key_value_heads * c.head_dim, y))
        q, k = rotate(q, positions, c.rope_theta), rotate(k, positions, c.rope_theta)
        q = q.reshape(*k.shape[:-1], repeats, c.head_dim)
        y = attend(q, k, v, mask, prefix.keys, prefix.values, prefix_mask)
        x += project("o", c.hidden_size, y.reshape(groups, suffixes, length, -1))

        y = RMSNorm(c.rms_norm_eps, name="mlp_norm")(x)
        gate, up = project("gate", c.intermediate_size, y), project("up", c.intermediate_size, y)
        return x + project("down", c.hidden_size, nn.silu(gate) * up), KeyValues(k, v)


class Decoder(nn.Module):
    """Tokens to hidden states; layers are stacked and scanned."""

    config: DecoderConfig

    @nn.compact
    def __call__(
        self,
        tokens: jax.Array,
        positions: jax.Array,
        mask: jax.Array,
        prefix: KeyValues,
        prefix_mask: jax.Array,
    ) -> tuple[jax.Array, KeyValues]:
        """Hidden states behind the last norm, and the keys and values of these tokens.

        Args:
            tokens: `i32[G, S, T]`.
            positions: `i32[G, S, T]`.
            mask: `bool[G, S, T, T]`: `mask[.., t, u]`, whether token t sees token u.
            prefix: Of the prefixes; `no_prefix` where there is none.
            prefix_mask: `bool[G, P]`.

        Returns:
            `[G, S, T, D]`, and `KeyValues` of `[L, G, S, T, K, H]`.
        """
        c = self.config
        rows, shape = nn.initializers.normal(c.hidden_size**-0.5), (c.vocab_size, c.hidden_size)
        embedding = self.param("embedding", rows, shape)
        if not c.tie_word_embeddings:
            self.param("head", rows, shape)
        layers = nn.scan(
            Layer,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=(0, nn.broadcast, nn.broadcast, nn.broadcast),  # pyright: ignore[reportArgumentType]
            length=c.num_hidden_layers,
        )(c, name="layers")
        x, key_values = layers(embedding[tokens], prefix, positions, mask, prefix_mask)
        return RMSNorm(c.rms_norm_eps, name="norm")(x), key_values


def init(key: jax.Array, config: DecoderConfig) -> Any:
    """Random weights."""
    one = jnp.zeros((1, 1, 1), jnp.int32)
    mask = jnp.ones((1, 1, 1, 1), bool)
    return Decoder(config).init(key, one, one, mask, *no_prefix(config))["params"]


def no_prefix(config: DecoderConfig, groups: int = 1) -> tuple[KeyValues, jax.Array]:
    """A prefix of no tokens and its mask."""
    shape = (config.num_hidden_layers, groups, 0, config.num_key_value_heads, config.head_dim)
    return KeyValues(jnp.zeros(shape), jnp.zeros(shape)), jnp.zeros((groups, 0), bool)


def head(params: Any) -> jax.Array:
    """Output rows `[vocab, D]`; the embedding, where the two are tied."""
    return params.get("head", params["embedding"])


def encode_prefix(
    config: DecoderConfig, params: Any, tokens: jax.Array, valid: jax.Array
) -> KeyValues:
    """Keys and values `[L, G, P, K, H]` of prefixes `tokens [G, P]`, where `valid [G, P]`."""
    if tokens.shape[1] == 0:
        return no_prefix(config, tokens.shape[0])[0]
    positions = jnp.cumsum(valid, axis=1) - 1
    causal = jnp.tril(jnp.ones((tokens.shape[1],) * 2, bool))
    mask = causal[None] & valid[:, None, :]
    _, key_values = Decoder(config).apply(
        {"params": params},
        tokens[:, None],
        positions[:, None],
        mask[:, None],
        *no_prefix(config, tokens.shape[0]),
    )
    return jax.tree.map(lambda x: x[:, :, 0], key_values)


def logits(config: DecoderConfig, params: Any, tokens: jax.Array) -> jax.Array:
    """`[B, T, vocab]` of plain sequences `tokens [B, T]`: the slow way, for checks and examples."""
    batch, length = tokens.shape
    positions = jnp.broadcast_to(jnp.arange(length), (1, batch, length))
    mask = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (1, batch, length, length))
    hidden, _ = Decoder(config).apply(
        {"params": params}, tokens[None], positions, mask, *no_prefix(config)
    )
    return jnp.einsum("btd,vd->btv", hidden[0], head(params))
