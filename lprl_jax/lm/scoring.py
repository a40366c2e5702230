"""Exact log-likelihoods of several answers behind one text, in a single forward pass.

The answers are packed as a token trie: words that several answers begin with are run once, and a
tree mask keeps the branches apart. A token of an answer is predicted at its parent, the first one
at the text's last token; so leaves need not be run at all. Where every text allows only a few of
many answers, these few are packed side by side instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import DecoderConfig, KeyValues

HEAD_ROWS = 512
"""Rows of logits, each over the whole vocabulary, that are held at a time."""


Normalizer = Callable[[jax.Array, jax.Array], jax.Array]
"""`(sources [G, S, N, D], vocabulary [V, D]) -> f32[G, S, N]`: what logits are lowered by."""


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


@dataclasses.dataclass(frozen=True)
class Answers:
    """Answers as rows, of which every text chooses some."""

    tokens: np.ndarray
    """i32[A, W]: padded on the right."""
    valid: np.ndarray
    """bool[A, W]"""

    @staticmethod
    def build(answers: Sequence[Sequence[int]]) -> Answers:
        """The rows of these token sequences, none of them empty."""
        lengths = np.array([len(answer) for answer in answers])
        valid = np.arange(lengths.max())[None] < lengths[:, None]
        tokens = np.zeros(valid.shape, np.int32)
        tokens[valid] = np.concatenate([np.asarray(answer, np.int32) for answer in answers])
        return Answers(tokens, valid)


def every_pair(texts: jax.Array, answers: np.ndarray) -> jax.Array:
    """Every text `[B, T]` with every answer `[A, W]` behind it, `[B, A, T + W]`."""
    rows = len(texts), len(answers)
    left = jnp.broadcast_to(texts[:, None], (*rows, texts.shape[1]))
    right = jnp.broadcast_to(answers[None], (*rows, answers.shape[1]))
    return jnp.concatenate([left, right], axis=2)


class Scores(NamedTuple):
    """What one forward pass says of S texts behind each of G prefixes."""

    log_likelihoods: jax.Array
    """f32[G, S, A]: `log P(answer | text)`."""
    readout: jax.Array
    """f32[G, S, D]: the hidden state behind the last norm at a text's last token."""


def score(
    config: DecoderConfig,
    params: Any,
    prefix: KeyValues,
    prefix_valid: jax.Array,
    tokens: jax.Array,
    valid: jax.Array,
    trie: Trie,
    normalizer: Normalizer | None = None,
    rows: jax.Array | None = None,
    shared: KeyValues | tuple[()] = (),
) -> Scores:
    """Every answer behind every text.

    Args:
        config: Of the model.
        params: Weights.
        prefix: Keys and values of the prefixes, `[L, G, P, K, H]`.
        prefix_valid: `bool[G, P]`.
        tokens: `i32[G, S, T]`: the suffixes; the last column is valid in every row.
        valid: `bool[G, S, T]`.
        trie: The answers, of N inner nodes.
        normalizer: `of_all_tokens` by default; where answers are only compared with each other,
            `of_later_tokens` gives log-likelihoods short of a constant a text.
        rows: `i32[G]`: with it, prefixes are a bank of M in the place of G, and each group takes
            this one of them; see `decoder.read`.
        shared: `[L, C, K, H]`: of what stands before all prefixes, if there is anything.
    """
    normalizer = normalizer or of_all_tokens
    nodes = jnp.broadcast_to(trie.tokens, (*tokens.shape[:2], len(trie.tokens)))
    texts = config, params, prefix, prefix_valid, tokens, valid
    sources = _run(*texts, nodes, trie.depth, trie.sees, rows, shared)
    vocabulary = decoder.head(params)
    chosen = sources[:, :, trie.edge_source], vocabulary[trie.edge_token]
    raised = jnp.einsum("gsed,ed->gse", *chosen, preferred_element_type=jnp.float32)
    lowered = normalizer(sources, vocabulary)[:, :, trie.edge_source]
    scores = jnp.einsum("gse,ae->gsa", raised - lowered, trie.path)
    return Scores(scores, sources[:, :, 0].astype(jnp.float32))


def score_chosen(
    config: DecoderConfig,
    params: Any,
    prefix: KeyValues,
    prefix_valid: jax.Array,
    tokens: jax.Array,
    valid: jax.Array,
    answers: Answers,
    chosen: jax.Array,
    normalizer: Normalizer | None = None,
    rows: jax.Array | None = None,
    shared: KeyValues | tuple[()] = (),
) -> Scores:
    """Some answers of every text, C in place of A; see `score`.

    For texts that few of many answers may follow: a chain of tokens an answer, nothing shared.

    Args:
        config: Of the model.
        params: Weights.
        prefix: `[L, G, P, K, H]`.
        prefix_valid: `bool[G, P]`.
        tokens: `i32[G, S, T]`.
        valid: `bool[G, S, T]`.
        answers: All of them, of W tokens at most.
        chosen: `i32[G, S, C]`: those that are scored.
        normalizer: As for `score`; so are `rows` and `shared`.
        rows: See there.
        shared: See there.
    """
    normalizer = normalizer or of_all_tokens
    (*batch, count), width = chosen.shape, answers.tokens.shape[1]
    target, there = jnp.asarray(answers.tokens)[chosen], jnp.asarray(answers.valid)[chosen]
    # The last token of an answer is predicted, not run.
    chain, depth = target[..., :-1].reshape(*batch, -1), np.tile(np.arange(width - 1), count)
    sees = np.kron(np.eye(count, dtype=bool), np.tril(np.ones((width - 1,) * 2, bool)))
    texts = config, params, prefix, prefix_valid, tokens, valid
    sources = _run(*texts, chain, depth, sees, rows, shared)
    vocabulary = decoder.head(params)
    # Source of an answer's first token is the text's last one, of the others the one before.
    first = jnp.broadcast_to(sources[:, :, None, :1], (*batch, count, 1, sources.shape[-1]))
    within = sources[:, :, 1:].reshape(*batch, count, width - 1, -1)
    raised = jnp.einsum(
        "gscwd,gscwd->gscw",
        jnp.concatenate([first, within], axis=3),
        vocabulary[target],
        preferred_element_type=jnp.float32,
    )
    lowered = normalizer(sources, vocabulary)
    first = jnp.broadcast_to(lowered[:, :, None, :1], (*batch, count, 1))
    within = lowered[:, :, 1:].reshape(*batch, count, width - 1)
    log_probs = raised - jnp.concatenate([first, within], axis=3)
    scores = jnp.sum(jnp.where(there, log_probs, 0.0), axis=-1)
    return Scores(scores, sources[:, :, 0].astype(jnp.float32))


def _run(
    config: DecoderConfig,
    params: Any,
    prefix: KeyValues,
    prefix_valid: jax.Array,
    tokens: jax.Array,
    valid: jax.Array,
    branches: jax.Array,
    depth: np.ndarray,
    sees: np.ndarray,
    rows: jax.Array | None,
    shared: KeyValues | tuple[()],
) -> jax.Array:
    """Hidden states `[G, S, 1 + N, D]` of the texts' last tokens and of what is packed behind.

    Args:
        config: Of the model.
        params: Weights.
        prefix: `[L, G, P, K, H]`.
        prefix_valid: `bool[G, P]`.
        tokens: `i32[G, S, T]`.
        valid: `bool[G, S, T]`.
        branches: `i32[G, S, N]`: tokens behind the texts.
        depth: `i32[N]`: how far behind the text's last token, from 0.
        sees: `bool[N, N]`: which of each other they see.
        rows: `i32[G]`, or None; see `decoder.read`.
        shared: `[L, C, K, H]`, or nothing.
    """
    length, nodes = tokens.shape[-1], branches.shape[-1]

    def behind(text: jax.Array, branch: np.ndarray | jax.Array) -> jax.Array:
        return jnp.concatenate([text, jnp.broadcast_to(branch, branches.shape)], axis=-1)

    before = jnp.sum(prefix_valid, axis=-1) + (shared[0].shape[1] if shared else 0)
    before = before if rows is None else before[rows]
    ends = before[:, None, None] + jnp.cumsum(valid, axis=-1)
    positions = behind(ends - 1, ends[..., -1:] + jnp.asarray(depth).reshape(1, 1, nodes))
    structure = np.tril(np.ones((length + nodes,) * 2, bool))
    structure[length:, length:] = sees
    mask = behind(valid, np.ones(nodes, bool))[:, :, None, :] & structure[None, None]
    read = behind(tokens, branches), positions, mask, prefix, prefix_valid
    return decoder.read(config, params, *read, length - 1, rows, shared)


def of_later_tokens(sources: jax.Array, vocabulary: jax.Array) -> jax.Array:
    """As `of_all_tokens`, but 0 for first tokens: that normaliser is the same for all answers.

    Where every answer is a single token, the vocabulary is never run through.
    """
    first = jnp.zeros_like(sources[:, :, :1, 0], jnp.float32)
    if sources.shape[2] == 1:
        return first
    return jnp.concatenate([first, of_all_tokens(sources[:, :, 1:], vocabulary)], axis=2)


def of_all_tokens(sources: jax.Array, vocabulary: jax.Array) -> jax.Array:
    """Log-sum-exp over the vocabulary of every row of `sources [..., D]`, in chunks of rows."""
    rows = sources.reshape(-1, sources.shape[-1])
    chunk = min(HEAD_ROWS, len(rows))
    padded = jnp.pad(rows, [(0, -len(rows) % chunk), (0, 0)])

    def normalize(rows: jax.Array) -> jax.Array:
        # The vocabulary first: sums over a leading axis are faster on a CPU.
        logits = jnp.einsum("vd,nd->vn", vocabulary, rows, preferred_element_type=jnp.float32)
        return jax.nn.logsumexp(logits, axis=0)

    out = jax.lax.map(normalize, padded.reshape(-1, chunk, rows.shape[1]))
    return out.reshape(-1)[: len(rows)].reshape(sources.shape[:-1])
