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

    @property
    def nodes(self) -> np.ndarray:
        """i32[A]: tokens of each that are run: all but the last, which is predicted."""
        return (self.valid.sum(axis=1) - 1).astype(np.int32)

    def most_nodes(self, count: int) -> int:
        """Tokens that are run of so many answers, none of them twice, at most."""
        return int(np.sort(self.nodes)[::-1][:count].sum())


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
    length = tokens.shape[-1]
    there = jnp.concatenate([valid, jnp.ones(nodes.shape, bool)], axis=-1)
    structure = np.tri(length + nodes.shape[-1], dtype=bool)
    structure[length:, length:] = trie.sees
    mask = there[..., None, :] & structure[None, None]
    texts = config, params, prefix, prefix_valid, tokens, valid
    sources = _run(*texts, nodes, trie.depth, mask, rows, shared)
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
    counts: jax.Array | None = None,
    nodes: int | None = None,
) -> Scores:
    """Some answers of every text, C in place of A; see `score`.

    For texts that few of many answers may follow: a chain of tokens an answer, nothing shared. The
    chains stand end to end, so that short answers leave no holes, and few take few columns.

    Args:
        config: Of the model.
        params: Weights.
        prefix: `[L, G, P, K, H]`.
        prefix_valid: `bool[G, P]`.
        tokens: `i32[G, S, T]`.
        valid: `bool[G, S, T]`.
        answers: All of them.
        chosen: `i32[G, S, C]`: those that may be scored.
        normalizer: As for `score`; so are `rows` and `shared`.
        rows: See there.
        shared: See there.
        counts: `bool[G, S, C]`: which of them are; the others are run nowhere, and 0. Without it
            all are.
        nodes: N, tokens that are run behind every text: as many as those that count have without
            their last ones, which the caller answers for. Without it, enough for any.
    """
    normalizer = normalizer or of_all_tokens
    counts = jnp.ones(chosen.shape, bool) if counts is None else counts
    count = chosen.shape[-1]
    nodes = count * int(answers.nodes.max()) if nodes is None else nodes
    target = jnp.asarray(answers.tokens)
    # The last token of an answer is predicted, not run.
    ends = jnp.cumsum(jnp.where(counts, jnp.asarray(answers.nodes)[chosen], 0), axis=-1)
    place = jnp.broadcast_to(jnp.arange(nodes, dtype=jnp.int32), (*chosen.shape[:-1], nodes))
    owner = jnp.sum(ends[..., None, :] <= place[..., None], axis=-1)  # C behind the last chain
    belongs = owner[..., None] == jnp.arange(count)[None, None, None]
    starts = jnp.pad(ends, [(0, 0), (0, 0), (1, 0)])
    depth = place - jnp.take_along_axis(starts, owner, axis=-1)
    is_node = owner < count
    answer = jnp.take_along_axis(chosen, jnp.minimum(owner, count - 1), axis=-1)
    within = jnp.minimum(depth, target.shape[1] - 1)
    chain = target[answer, within]
    after = target[answer, jnp.minimum(within + 1, target.shape[1] - 1)]

    # Everything sees the text; a node also those of its own chain that stand before it.
    length = tokens.shape[-1]
    own = [(0, 0), (0, 0), (length, 0)]
    owners = jnp.pad(owner, own, constant_values=count)
    there = jnp.concatenate([valid, is_node], axis=-1)
    is_text = jnp.arange(length + nodes, dtype=jnp.int32) < length
    sees = is_text[None, None, None] | (owners[..., None, :] == owners[..., None])
    mask = there[..., None, :] & np.tri(length + nodes, dtype=bool)[None, None] & sees
    texts = config, params, prefix, prefix_valid, tokens, valid
    sources = _run(*texts, chain, depth, mask, rows, shared)

    vocabulary = decoder.head(params)
    # Source of an answer's first token is the text's last one, of the others the one before.
    f32 = {"preferred_element_type": jnp.float32}
    first = jnp.einsum("gsd,gscd->gsc", sources[:, :, 0], vocabulary[target[chosen, 0]], **f32)
    later = jnp.einsum("gsnd,gsnd->gsn", sources[:, :, 1:], vocabulary[after], **f32)
    lowered = normalizer(sources, vocabulary)
    later = jnp.where(belongs, (later - lowered[..., 1:])[..., None], 0.0)
    scores = first - lowered[..., :1] + jnp.sum(later, axis=2)
    return Scores(jnp.where(counts, scores, 0.0), sources[:, :, 0].astype(jnp.float32))


def _run(
    config: DecoderConfig,
    params: Any,
    prefix: KeyValues,
    prefix_valid: jax.Array,
    tokens: jax.Array,
    valid: jax.Array,
    branches: jax.Array,
    depth: np.ndarray | jax.Array,
    mask: jax.Array,
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
        depth: `i32[N]` or `i32[G, S, N]`: how far behind the text's last token, from 0.
        mask: `bool[G, S, T + N, T + N]`: which of each other, and of the text, they see.
        rows: `i32[G]`, or None; see `decoder.read`.
        shared: `[L, C, K, H]`, or nothing.
    """
    before = jnp.sum(prefix_valid, axis=-1) + (shared[0].shape[1] if shared else 0)
    before = before if rows is None else before[rows]
    ends = before[:, None, None] + jnp.cumsum(valid, axis=-1)
    depth = jnp.broadcast_to(jnp.asarray(depth), branches.shape)
    positions = jnp.concatenate([ends - 1, ends[..., -1:] + depth], axis=-1)
    read = jnp.concatenate([tokens, branches], axis=-1), positions, mask, prefix, prefix_valid
    return decoder.read(config, params, *read, tokens.shape[-1] - 1, rows, shared)


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
