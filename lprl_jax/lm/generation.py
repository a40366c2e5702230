"""Free text from the model, token by token, inside the graph.

Keys and values of what was read and written are kept, so a token costs one column. They are kept
where they belong: a prefix's once for all texts behind it, a text's once for all that is sampled
behind it, and only what a sample writes is its own. What is written means what its reader says
(`parsing`, `projection`); a reader may also say which tokens end it, so that the loop can stop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import DecoderConfig, KeyValues, Layer

Choose = Callable[[chex.PRNGKey, jax.Array], jax.Array]
"""`(key, logits f32[vocab]) -> i32[]`: the next token."""


def greedy(key: chex.PRNGKey, logits: jax.Array) -> jax.Array:
    """The most likely token."""
    del key
    return jnp.argmax(logits).astype(jnp.int32)


def sampled(temperature: float = 1.0, top_p: float = 1.0) -> Choose:
    """A token drawn with probability softmax(logits / temperature), of the likely ones only.

    Args:
        temperature: Above 0.
        top_p: See `nucleus`; 1 keeps all.
    """

    def choose(key: chex.PRNGKey, logits: jax.Array) -> jax.Array:
        logits = logits / temperature
        kept = logits if top_p == 1.0 else nucleus(logits, top_p)
        return jax.random.categorical(key, kept).astype(jnp.int32)

    return choose


def nucleus(logits: jax.Array, top_p: float) -> jax.Array:
    """Logits `f32[vocab]` of the likeliest tokens, -inf elsewhere.

    Kept are as few as have a probability of `top_p` together: those before which, from the
    likeliest down, less than that has been passed. Whatever is as likely as the last is kept too.

    Reference: Holtzman et al. 2020, The Curious Case of Neural Text Degeneration.
    """
    ordered = jnp.flip(jnp.sort(logits))
    probs = jax.nn.softmax(ordered)
    passed = jnp.cumsum(probs) - probs
    lowest = jnp.min(jnp.where(passed < top_p, ordered, jnp.inf))
    return jnp.where(logits >= lowest, logits, -jnp.inf)


class Behind(NamedTuple):
    """What each of B texts stands behind: one of M prefixes, and before it what all share."""

    memory: KeyValues
    """`[L, M, P, K, H]`: keys and values of the prefixes."""
    valid: jax.Array
    """bool[M, P]"""
    rows: jax.Array
    """i32[B]: which of them."""
    shared: KeyValues | tuple[()] = ()
    """`[L, C, K, H]`: of what stands before all prefixes, if there is anything."""

    @property
    def lengths(self) -> jax.Array:
        """`i32[B]`: tokens before each text."""
        own = jnp.sum(self.valid, axis=1)[self.rows]
        return own + (self.shared[0].shape[1] if self.shared else 0)

    @property
    def gathered(self) -> KeyValues:
        """Keys and values `[L, B, P, K, H]`, a prefix a text."""
        return jax.tree.map(lambda leaf: leaf[:, self.rows], self.memory)


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
    behind = Behind(*decoder.no_prefix(config), jnp.zeros(len(tokens), jnp.int32))
    texts = behind, tokens, valid, keys[:, None]
    return sample(config, params, *texts, num_tokens, choose)[:, 0]


def sample(
    config: DecoderConfig,
    params: Any,
    behind: Behind,
    tokens: jax.Array,
    valid: jax.Array,
    keys: chex.PRNGKey,
    num_tokens: int,
    choose: Choose,
    ends: np.ndarray | None = None,
) -> jax.Array:
    """Continue each of B texts k times, `i32[B, k, num_tokens]`.

    Args:
        config: Of the model.
        params: Weights.
        behind: What stands before the texts.
        tokens: `i32[B, T]`: the texts; the last column is valid in every row.
        valid: `bool[B, T]`.
        keys: `[B, k]`.
        num_tokens: Written a sample, at most.
        choose: The next token.
        ends: `bool[vocab]`: tokens behind which nothing is read. Such a token is repeated to the
            sample's end; when all samples have come to theirs, the model is not run any more.
    """
    (batch, k), length = keys.shape, tokens.shape[1]
    causal = jnp.tril(jnp.ones((length, length), bool))
    # A column that is not there sees itself, so that no row of the softmax is empty.
    mask = (causal[None] & valid[:, None]) | jnp.eye(length, dtype=bool)[None]
    places = behind.lengths[:, None] + jnp.cumsum(valid, axis=1) - 1
    texts = tokens[:, None], places[:, None], mask[:, None]
    prefix_valid = behind.valid[behind.rows]
    prefix = behind.gathered
    hidden, read = _run(config, params, *texts, prefix, prefix_valid, (), behind.shared)
    text = jax.tree.map(lambda x: x[:, :, 0], read)  # [L, B, T, K, H]
    # What all samples of a text see: put together once, and not for every token that is written.
    earlier = jax.tree.map(lambda *x: jnp.concatenate(x, axis=2), prefix, text)
    before = jnp.concatenate([prefix_valid, valid], axis=1)

    vocabulary, over = decoder.head(params), jnp.asarray(False if ends is None else ends)
    step_keys = jax.vmap(jax.vmap(lambda key: jax.random.split(key, num_tokens)))(keys)

    def write(i: Any, last: jax.Array, written: jax.Array) -> jax.Array:
        """Choose token i of every sample by hidden states `[B, k, D]`."""
        logits = jnp.einsum("bkd,vd->bkv", last, vocabulary, preferred_element_type=jnp.float32)
        token = jax.vmap(jax.vmap(choose))(step_keys[:, :, i], logits)
        if ends is not None:
            previous = written[:, :, jnp.maximum(i - 1, 0)]
            token = jnp.where((i > 0) & over[previous], previous, token)
        return written.at[:, :, i].set(token)

    def goes_on(carry: tuple[jax.Array, jax.Array, KeyValues]) -> jax.Array:
        i, written, _ = carry
        is_over = over[written[:, :, i - 1]] if ends is not None else over
        return (i < num_tokens) & ~jnp.all(is_over)

    def step(
        carry: tuple[jax.Array, jax.Array, KeyValues],
    ) -> tuple[jax.Array, jax.Array, KeyValues]:
        """Run token i - 1, and choose token i."""
        i, written, own = carry
        seen = jnp.append(jnp.arange(num_tokens - 1) < i - 1, True)
        place = (behind.lengths + jnp.sum(valid, axis=1) + i - 1)[:, None, None]
        one = (
            written[:, :, i - 1, None],
            jnp.broadcast_to(place, (batch, k, 1)),
            jnp.broadcast_to(seen, (batch, k, 1, num_tokens)),
        )
        hidden, new = _run(config, params, *one, earlier, before, own, behind.shared)
        own = jax.tree.map(
            lambda kept, x: jax.lax.dynamic_update_slice_in_dim(kept, x, i - 1, axis=3), own, new
        )
        return i + 1, write(i, hidden[:, :, 0], written), own

    first = jnp.broadcast_to(hidden[:, 0, -1][:, None], (batch, k, hidden.shape[-1]))
    written = write(0, first, jnp.zeros((batch, k, num_tokens), jnp.int32))
    if num_tokens == 1:
        return written
    # Room for all but the last token, which is not run.
    room = (config.num_hidden_layers, batch, k, num_tokens - 1, *text.keys.shape[-2:])
    own = KeyValues(*(jnp.zeros(room, x.dtype) for x in text))
    count, written, _ = jax.lax.while_loop(goes_on, step, (jnp.int32(1), written, own))
    if ends is None:
        return written
    # Of the tokens that were not written, all are the end.
    rest = jnp.arange(num_tokens) >= count
    return jnp.where(rest[None, None], written[:, :, count - 1, None], written)


def _run(
    config: DecoderConfig,
    params: Any,
    tokens: jax.Array,
    positions: jax.Array,
    mask: jax.Array,
    prefixes: KeyValues,
    prefix_mask: jax.Array,
    past: KeyValues | tuple[()],
    shared: KeyValues | tuple[()],
) -> tuple[jax.Array, KeyValues]:
    """As `Decoder`, with a prefix a group, and N tokens of each suffix run before.

    Args:
        config: Of the model.
        params: Weights.
        tokens: `i32[G, S, T]`.
        positions: `i32[G, S, T]`.
        mask: `bool[G, S, T, N + T]`.
        prefixes: `[L, G, P, K, H]`.
        prefix_mask: `bool[G, P]`.
        past: `[L, G, S, N, K, H]`; () for none.
        shared: `[L, C, K, H]`; () for none.

    Returns:
        `[G, S, T, D]`, and `[L, G, S, T, K, H]` of these tokens.
    """
    x, by = decoder.embed(config, decoder.tables_of(params), tokens, positions)

    def layer(x: jax.Array, number: jax.Array) -> tuple[jax.Array, KeyValues]:
        kept = params["layers"], prefixes, past, shared
        weights, prefix, own, before = jax.tree.map(lambda leaf: leaf[number], kept)
        seen = x, prefix, by, mask, prefix_mask, before
        return Layer(config).apply({"params": weights}, *seen, past=own)  # type: ignore[return-value]

    numbers = jnp.arange(config.num_hidden_layers, dtype=jnp.int32)
    x, new = jax.lax.scan(layer, x, numbers)
    return decoder.last_norm(config, params, x), new
