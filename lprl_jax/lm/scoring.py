"""Exact log-likelihoods of several answers behind one text, in a single forward pass.

The answers are packed as a token trie: words that several answers begin with are run once, and a
tree mask keeps the branches apart. A token of an answer is predicted at its parent, the first one
at the text's last token; so leaves need not be run at all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import Decoder, DecoderConfig, KeyValues

HEAD_CHUNK = 1 << 22
"""Logits held at a time: rows are normalised in chunks of `HEAD_CHUNK / vocab`."""


@dataclasses.dataclass(frozen=True)
class Trie:
    """Answers as a token trie. Source 0 is the text's last token, source 1 + n is node n."""

    tokens: np.ndarray
    """i32[N]: tokens of the inner nodes, parents before children."""
    depth: np.ndarray
    """i32[N]: 0 for the first token of an answer."""
    sees: np.ndarray
    """bool[N, N]: itself and its ancestors."""
    edge_token: np.ndarray
    """i32[E]: a token of an answer ..."""
    edge_source: np.ndarray
    """i32[E]: ... and where it is predicted."""
    path: np.ndarray
    """f32[A, E]: 1 for the edges of an answer."""

    @staticmethod
    def build(answers: Sequence[Sequence[int]]) -> Trie:
        """The trie of these token sequences; one may be the beginning of another."""
        edges = sorted({tuple(a[: i + 1]) for a in answers for i in range(len(a))}, key=len)
        inner = [e for e in edges if any(len(f) > len(e) and f[: len(e)] == e for f in edges)]
        source = {(): 0} | {node: 1 + n for n, node in enumerate(inner)}
        sees = [[node[: len(other)] == other for other in inner] for node in inner]
        path = [[tuple(a[: len(edge)]) == edge for edge in edges] for a in answers]
        return Trie(
            tokens=np.array([node[-1] for node in inner], np.int32),
            depth=np.array([len(node) - 1 for node in inner], np.int32),
            sees=np.array(sees, bool).reshape(len(inner), len(inner)),
            edge_token=np.array([edge[-1] for edge in edges], np.int32),
            edge_source=np.array([source[edge[:-1]] for edge in edges], np.int32),
            path=np.array(path, np.float32),
        )


def score(
    config: DecoderConfig,
    params: Any,
    prefix: KeyValues,
    prefix_valid: jax.Array,
    tokens: jax.Array,
    valid: jax.Array,
    trie: Trie,
) -> jax.Array:
    """`log P(answer | text)`, every answer, `f32[G, S, A]`.

    Args:
        config: Of the model.
        params: Weights.
        prefix: Keys and values of the prefixes, `[L, G, P, K, H]`.
        prefix_valid: `bool[G, P]`.
        tokens: `i32[G, S, T]`: the suffixes; the last column is valid in every row.
        valid: `bool[G, S, T]`.
        trie: The answers, of N inner nodes.
    """
    groups, suffixes, length = tokens.shape
    rows, nodes = (groups, suffixes), len(trie.tokens)

    def behind(text: jax.Array, answer: np.ndarray | jax.Array) -> jax.Array:
        return jnp.concatenate([text, jnp.broadcast_to(answer, (*rows, nodes))], axis=-1)

    ends = jnp.sum(prefix_valid, axis=-1)[:, None, None] + jnp.cumsum(valid, axis=-1)
    depth = jnp.asarray(trie.depth).reshape(1, 1, nodes)
    positions = behind(ends - 1, ends[..., -1:] + depth)
    structure = np.tril(np.ones((length + nodes,) * 2, bool))
    structure[length:, length:] = trie.sees
    mask = behind(valid, np.ones(nodes, bool))[:, :, None, :] & structure[None, None]
    hidden, _ = Decoder(config).apply(
        {"params": params}, behind(tokens, trie.tokens), positions, mask, prefix, prefix_valid
    )

    sources = hidden[:, :, length - 1 :].astype(jnp.float32)  # [G, S, 1 + N, D]
    vocabulary = decoder.head(params)
    chosen = vocabulary[trie.edge_token].astype(jnp.float32)
    raised = jnp.einsum("gsed,ed->gse", sources[:, :, trie.edge_source], chosen)
    lowered = _log_normalizer(sources, vocabulary)[:, :, trie.edge_source]
    return jnp.einsum("gse,ae->gsa", raised - lowered, trie.path)


def _log_normalizer(hidden: jax.Array, vocabulary: jax.Array) -> jax.Array:
    """Log-sum-exp over the vocabulary of every row of `hidden [..., D]`, in chunks of rows."""
    rows = hidden.reshape(-1, hidden.shape[-1])

    def normalize(row: jax.Array) -> jax.Array:
        return jax.nn.logsumexp((vocabulary @ row).astype(jnp.float32))

    chunk = max(1, HEAD_CHUNK // vocabulary.shape[0])
    return jax.lax.map(normalize, rows, batch_size=chunk).reshape(hidden.shape[:-1])
