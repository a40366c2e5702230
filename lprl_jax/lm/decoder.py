"""A decoder-only transformer whose input is a batch of suffixes behind shared prefixes, under any
attention mask.

One layout serves every use. Tokens are `[G, S, T]`: G prefixes, S suffixes behind each, T tokens a
suffix. A prefix's keys and values are `[L, G, P, ...]`, without an axis for its suffixes:

* one prompt shared by the whole batch: G = 1, S = batch;
* a prefix a row: G = batch, S = 1;
* few prefixes of many rows: as before, and `read` takes each row's from among them, layer by layer;
* a plain forward pass: P = 0.

What stands before all prefixes is `shared`, `[L, C, ...]`: there once, whatever the batch.

Inside a suffix the mask is free, so that candidate continuations can be packed as a token tree.

One module is all the families: they differ in their norm, their positions, their feed-forward layer
and in which matrices have biases, which `DecoderConfig` says. Letters are those of `layers`; and L
layers.

References: Radford et al. 2019, GPT-2; Touvron et al. 2023, Llama 2; `transformers`' classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lprl_jax.lm.decoder_config import DecoderConfig
from lprl_jax.lm.layers import (
    ACTIVATIONS,
    LayerNorm,
    Linear,
    RMSNorm,
    Rotation,
    attend,
    is_adapted,
    rope_frequencies,
    rotate,
    rotation,
)


class KeyValues(NamedTuple):
    """Attention keys and values of prefixes, rotated already."""

    keys: jax.Array
    """f32[L, G, P, K, H]"""
    values: jax.Array
    """f32[L, G, P, K, H]"""


def _norm(config: DecoderConfig, name: str | None = None) -> nn.Module:
    """The family's norm."""
    kind = RMSNorm if config.norm == "rms" else LayerNorm
    return kind(config.norm_eps, name=name)


class Layer(nn.Module):
    """Attention, then a feed-forward network, each normalised before and added to x."""

    config: DecoderConfig

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        prefix: KeyValues,
        by: Rotation | tuple[()],
        mask: jax.Array,
        prefix_mask: jax.Array,
        shared: KeyValues | tuple[()] = (),
        start: int = 0,
        past: KeyValues | tuple[()] = (),
    ) -> tuple[jax.Array, KeyValues]:
        """Of `x [G, S, T, D]` the rows from `start`; all tokens' keys and values `[G, S, T, K, H]`.

        Where nobody reads a token, its keys and values are all that is needed of it. `past` is of
        N tokens of each suffix that were run before, `[G, S, N, K, H]`, and the mask is then
        `[G, S, T, N + T]`.
        """
        c = self.config
        act, repeats = ACTIVATIONS[c.hidden_act], c.num_attention_heads // c.num_key_value_heads

        def heads(name: str, count: int, y: jax.Array) -> jax.Array:
            y = Linear(count * c.head_dim, c.qkv_bias, name=name)(y)
            return y.reshape(*y.shape[:-1], count, c.head_dim)

        y = _norm(c, "attention_norm")(x)
        q = heads("q", c.num_attention_heads, y[:, :, start:])
        k = heads("k", c.num_key_value_heads, y)
        v = heads("v", c.num_key_value_heads, y)
        if c.qk_norm:
            q, k = RMSNorm(c.norm_eps, name="q_norm")(q), RMSNorm(c.norm_eps, name="k_norm")(k)
        if isinstance(by, Rotation):
            k, q = rotate(k, by), rotate(q, Rotation(*(part[:, :, start:] for part in by)))
        q = q.reshape(*q.shape[:3], c.num_key_value_heads, repeats, c.head_dim)
        seen = KeyValues(k, v)
        if past:
            seen = KeyValues(*(jnp.concatenate(x, axis=2) for x in zip(past, seen, strict=True)))
        far = prefix.keys, prefix.values, prefix_mask
        y = attend(q, seen.keys, seen.values, mask[:, :, start:], *far, shared)
        y = Linear(c.hidden_size, c.o_bias, name="o")(y.reshape(*q.shape[:3], -1))
        x = x[:, :, start:] + y

        y = _norm(c, "mlp_norm")(x)
        up = Linear(c.intermediate_size, c.mlp_bias, name="up")(y)
        if c.mlp == "gated":
            up = act(Linear(c.intermediate_size, c.mlp_bias, name="gate")(y)) * up
        else:
            up = act(up)
        return x + Linear(c.hidden_size, c.mlp_bias, name="down")(up), KeyValues(k, v)


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
        shared: KeyValues | tuple[()] = (),
    ) -> tuple[jax.Array, KeyValues]:
        """Hidden states behind the last norm, and the keys and values of these tokens.

        Args:
            tokens: `i32[G, S, T]`.
            positions: `i32[G, S, T]`.
            mask: `bool[G, S, T, T]`: `mask[.., t, u]`, whether token t sees token u.
            prefix: Of the prefixes; `no_prefix` where there is none.
            prefix_mask: `bool[G, P]`.
            shared: `[L, C, K, H]`, of what stands before all prefixes, if there is anything.

        Returns:
            `[G, S, T, D]`, and `KeyValues` of `[L, G, S, T, K, H]`.
        """
        c = self.config
        rows = nn.initializers.normal(c.hidden_size**-0.5)
        tables = [self.param("embedding", rows, (c.vocab_size, c.hidden_size))]
        if not c.tie_word_embeddings:
            self.param("head", rows, (c.vocab_size, c.hidden_size))
        if c.positions == "learned":
            shape = (c.max_position_embeddings, c.hidden_size)
            tables.append(self.param("positions", rows, shape))
        own = self.variables.get("params", {}).get("layers", {})
        layers = nn.scan(
            nn.remat(Layer, prevent_cse=False) if is_adapted(own) else Layer,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=(0, nn.broadcast, nn.broadcast, nn.broadcast, 0),  # pyright: ignore[reportArgumentType]
            length=c.num_hidden_layers,
        )(c, name="layers")
        x, by = embed(c, tables, tokens, positions)
        x, key_values = layers(x, prefix, by, mask, prefix_mask, shared)
        return _norm(c, "norm")(x), key_values


def read(
    config: DecoderConfig,
    params: Any,
    tokens: jax.Array,
    positions: jax.Array,
    mask: jax.Array,
    prefix: KeyValues,
    prefix_mask: jax.Array,
    start: int,
    rows: jax.Array | None = None,
    shared: KeyValues | tuple[()] = (),
) -> jax.Array:
    """Hidden states of the tokens from `start`, `[G, S, T - start, D]`; arguments as for `Decoder`.

    Of the tokens before, the last layer computes keys and values only. With `rows i32[G]`, prefixes
    are a bank of M, `[L, M, P, K, H]` and `bool[M, P]`, of which each group takes one: those of a
    layer are gathered when it is run, and never those of all layers.
    """
    x, by = embed(config, tables_of(params), tokens, positions)
    where = () if rows is None else (rows,)
    prefix_mask = prefix_mask[where]

    def layer(x: jax.Array, number: jax.Array | int, start: int = 0) -> jax.Array:
        weights, before = jax.tree.map(lambda leaf: leaf[number], (params["layers"], shared))
        own = jax.tree.map(lambda leaf: leaf[number, *where], prefix)
        told = x, own, by, mask, prefix_mask, before, start
        return Layer(config).apply({"params": weights}, *told)[0]

    last = config.num_hidden_layers - 1
    numbers = jnp.arange(last, dtype=jnp.int32)
    inner = jax.checkpoint(layer, prevent_cse=False) if is_adapted(params["layers"]) else layer
    x, _ = jax.lax.scan(lambda x, number: (inner(x, number), None), x, numbers)
    return last_norm(config, params, layer(x, last, start))


def tables_of(params: Any) -> list[jax.Array]:
    """What `embed` looks up: of tokens, and of positions where these are learned."""
    return [params[name] for name in ("embedding", "positions") if name in params]


def last_norm(config: DecoderConfig, params: Any, x: jax.Array) -> jax.Array:
    """The norm behind all layers."""
    return _norm(config).apply({"params": params["norm"]}, x)  # type: ignore[return-value]


def embed(
    config: DecoderConfig, tables: Sequence[jax.Array], tokens: jax.Array, positions: jax.Array
) -> tuple[jax.Array, Rotation | tuple[()]]:
    """What the first layer reads, and how keys and queries are rotated, if they are."""
    x = tables[0][tokens]
    if config.positions == "learned":
        return x + tables[1][positions], ()
    frequencies = rope_frequencies(config.head_dim, config.rope_theta, config.rope_scaling)
    return x, rotation(positions, frequencies)


def init(key: jax.Array, config: DecoderConfig) -> Any:
    """Random weights."""
    one = jnp.zeros((1, 1, 1), jnp.int32)
    mask = jnp.ones((1, 1, 1, 1), bool)
    return Decoder(config).init(key, one, one, mask, *no_prefix(config))["params"]


def no_prefix(config: DecoderConfig, groups: int = 1) -> tuple[KeyValues, jax.Array]:
    """A prefix of no tokens and its mask."""
    shape = (config.num_hidden_layers, groups, 0, config.num_key_value_heads, config.head_dim)
    nothing = jnp.zeros(shape, jnp.float32)
    return KeyValues(nothing, nothing), jnp.zeros((groups, 0), bool)


def head(params: Any) -> jax.Array:
    """Output rows `[vocab, D]`; the embedding, where the two are tied."""
    return params.get("head", params["embedding"])


def encode_prefix(
    config: DecoderConfig,
    params: Any,
    tokens: jax.Array,
    valid: jax.Array,
    shared: KeyValues | tuple[()] = (),
) -> KeyValues:
    """Keys and values `[L, G, P, K, H]` of prefixes `tokens [G, P]`, where `valid [G, P]`.

    Behind what is `shared`, `[L, C, K, H]`, if there is anything.
    """
    if tokens.shape[1] == 0:
        return no_prefix(config, tokens.shape[0])[0]
    before = shared[0].shape[1] if shared else 0
    positions = before + jnp.cumsum(valid, axis=1) - 1
    causal = jnp.tril(jnp.ones((tokens.shape[1],) * 2, bool))
    mask = causal[None] & valid[:, None, :]
    _, key_values = Decoder(config).apply(
        {"params": params},
        tokens[:, None],
        positions[:, None],
        mask[:, None],
        *no_prefix(config, tokens.shape[0]),
        shared,
    )
    return jax.tree.map(lambda x: x[:, :, 0], key_values)


def logits(config: DecoderConfig, params: Any, tokens: jax.Array) -> jax.Array:
    """`[B, T, vocab]` of plain sequences `tokens [B, T]`: the slow way, for checks and examples."""
    batch, length = tokens.shape
    positions = jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32), (1, batch, length))
    mask = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (1, batch, length, length))
    hidden, _ = Decoder(config).apply(
        {"params": params}, tokens[None], positions, mask, *no_prefix(config)
    )
    return jnp.einsum("btd,vd->btv", hidden[0], head(params))
