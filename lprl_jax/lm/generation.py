"""Free text from the model, token by token, inside the graph.

Keys and values of what was read and written are kept, so a token costs one column. What is written
has a fixed length; what it means, and where it ends, is for the reader to say (`parsing`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import Decoder, DecoderConfig, KeyValues

Choose = Callable[[chex.PRNGKey, jax.Array], jax.Array]
"""`(key, logits f32[vocab]) -> i32[]`: the next token."""


def greedy(key: chex.PRNGKey, logits: jax.Array) -> jax.Array:
    """The most likely token."""
    del key
    return jnp.argmax(logits).astype(jnp.int32)


def sampled(temperature: float = 1.0) -> Choose:
    """A token drawn with probability softmax(logits / temperature)."""

    def choose(key: chex.PRNGKey, logits: jax.Array) -> jax.Array:
        return jax.random.categorical(key, logits / temperature).astype(jnp.int32)

    return choose


def generate(
    config: DecoderConfig,
    params: Any,
    tokens: jax.Array,
    valid: jax.Array,
    keys: chex.PRNGKey,
    num_tokens: int,
    choose: Choose = greedy,
) -> jax.Array:
    """Continue texts, `i32[B, num_tokens]`.

    Args:
        config: Of the model.
        params: Weights.
        tokens: `i32[B, T]`: the texts; the last column is valid in every row.
        valid: `bool[B, T]`.
        keys: `[B]`.
        num_tokens: Written a text.
        choose: `greedy`, or `sampled(temperature)`.
    """
    batch, length = tokens.shape
    causal = jnp.tril(jnp.ones((length, length), bool))
    # A column that is not there sees itself, so that no row of the softmax is empty.
    mask = (causal[None] & valid[:, None]) | jnp.eye(length, dtype=bool)[None]
    hidden, read = Decoder(config).apply(
        {"params": params},
        tokens[:, None],
        (jnp.cumsum(valid, axis=1) - 1)[:, None],
        mask[:, None],
        *decoder.no_prefix(config, batch),
    )
    room = [(0, 0), (0, 0), (0, num_tokens), (0, 0), (0, 0)]
    memory = jax.tree.map(lambda x: jnp.pad(x[:, :, 0], room), read)  # [L, B, T + num, K, H]
    there = jnp.pad(valid, [(0, 0), (0, num_tokens)])
    vocabulary, count = decoder.head(params), jnp.sum(valid, axis=1)
    step_keys = jax.vmap(lambda key: jax.random.split(key, num_tokens))(keys)

    def write(
        carry: tuple[jax.Array, KeyValues, jax.Array], now: tuple[jax.Array, chex.PRNGKey]
    ) -> tuple[Any, jax.Array]:
        (last, memory, there), (i, keys) = carry, now
        logits = (last @ vocabulary.T).astype(jnp.float32)
        token = jax.vmap(choose)(keys, logits)
        hidden, own = Decoder(config).apply(
            {"params": params},
            token[:, None, None],
            (count + i)[:, None, None],
            jnp.ones((batch, 1, 1, 1), bool),
            memory,
            there,
        )
        memory = jax.tree.map(
            lambda kept, new: jax.lax.dynamic_update_slice_in_dim(
                kept, new[:, :, 0], length + i, axis=2
            ),
            memory,
            own,
        )
        there = jax.lax.dynamic_update_slice_in_dim(
            there, jnp.ones((batch, 1), bool), length + i, axis=1
        )
        return (hidden[:, 0, 0], memory, there), token

    steps = jnp.arange(num_tokens, dtype=jnp.int32), jnp.swapaxes(step_keys, 0, 1)
    _, written = jax.lax.scan(write, (hidden[:, 0, -1], memory, there), steps)
    return jnp.swapaxes(written, 0, 1)
