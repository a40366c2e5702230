"""A template's text as integer tables for one tokenizer, so that a compiled program can render it.

Byte-pair encodings are not compositional: the tokens of a text are in general not the tokens of
its pieces. They are where a tokenizer splits anyway, before a space or a newline. `compile` proves
it for a given template and tokenizer, and refuses the template, naming the offending pair,
otherwise. What is proven:

1. every pair of values that can become neighbours, also where the slots between them are empty,
   encodes jointly as it does apart, and no join has digits on both sides (some tokenizers group
   digits in threes, which a pair alone does not show);
2. so do the answers behind the last literal;
3. whole texts, sampled, encode as the table renders them;
4. different answers, and different values of a slot, are different tokens.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, Literal, Scope, Slot, Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SAMPLED_TEXTS = 64
BEFORE = ("", "\n", "a")
"""What a piece may be encoded behind, to find its own tokens: nothing, where the first piece of a
text is like any other; a line break, to which SentencePiece joins no letter; a letter, to which it
joins no line break."""
JOINS = (("a", " b"), ("a", "\nb"), ("a", "\n\nb"), ("a", "."), ("a", ", b"), ("a\n", "b"))
"""Pairs that encode jointly as apart, if one knows what is apart."""
_PROBES = sorted(
    {*BEFORE, *(left for left, _ in JOINS), *(left + right for left, right in JOINS)}
    | {before + right for before in BEFORE for _, right in JOINS}
)


@dataclasses.dataclass(frozen=True)
class Columns:
    """Columns of tokens, each looked up from the value of one slot."""

    tokens: np.ndarray
    """i32[C, max_values]: token of a column for each value of its slot; 0 where there is none."""
    valid: np.ndarray
    """bool[C, max_values]: whether that value has a token in this column."""
    slot: np.ndarray
    """i32[C]: the slot a column belongs to; literals belong to slot `num_slots`, which is 0."""

    def render(self, slots: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Tokens `i32[C]` and their validity `bool[C]` of a state with `slots [num_slots]`."""
        values = jnp.append(slots, 0)[self.slot]
        columns = np.arange(len(self.slot))
        return jnp.asarray(self.tokens)[columns, values], jnp.asarray(self.valid)[columns, values]


@dataclasses.dataclass(frozen=True)
class TokenTable:
    """A template for one tokenizer: what an instance's states share, then what they do not."""

    prefix: Columns
    """Static and instance segments."""
    suffix: Columns
    """State segments. The last column is always valid: there the answer is read out."""
    answers: tuple[tuple[int, ...], ...]
    """Tokens of each answer."""

    def render(self, slots: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The whole text: tokens and validity, both `[prefix columns + suffix columns]`."""
        parts = self.prefix.render(slots), self.suffix.render(slots)
        return jnp.concatenate([p[0] for p in parts]), jnp.concatenate([p[1] for p in parts])


def compile(
    template: Template, answers: Sequence[str], tokenizer: PreTrainedTokenizerFast
) -> TokenTable:
    """Tables of a template and of the answers that may follow it.

    Raises:
        InvalidInput: naming the pair of texts that the tokenizer does not encode piece by piece,
            or does not tell apart.
    """
    encode = Encoder(tokenizer)
    segments = template.segments
    _prove_pairs(encode, segments)
    last = segments[-1]
    assert isinstance(last, Literal)  # a template ensures it
    encode.prove([(last.text, answer) for answer in answers])
    _prove_samples(encode, template)
    for texts in (answers, *(slot.values for slot in template.slots)):
        encode.prove_distinct(texts)

    split = next((i for i, s in enumerate(segments) if s.scope is Scope.STATE), len(segments) - 1)
    parts = [
        _columns(encode, segments, start, stop)
        for start, stop in ((0, split), (split, len(segments)))
    ]
    return TokenTable(parts[0], parts[1], tuple(tuple(encode(answer)) for answer in answers))


def compact(tokens: jax.Array, valid: jax.Array, width: int) -> tuple[jax.Array, jax.Array]:
    """Move valid tokens to the front of `width` columns.

    The caller answers for `width >= sum(valid)`, and checks it where the texts are known.
    """
    order = jnp.argsort(~valid, stable=True)[:width]
    missing = (0, max(0, width - len(order)))
    return jnp.pad(tokens[order], missing), jnp.pad(valid[order], missing)


def compact_right(tokens: jax.Array, valid: jax.Array, width: int) -> tuple[jax.Array, jax.Array]:
    """The same, to the end of the columns."""
    flipped = compact(tokens[::-1], valid[::-1], width)
    return flipped[0][::-1], flipped[1][::-1]


class Encoder:
    """Tokens of pieces of text: of the first one, and of those that stand behind others.

    Some tokenizers (SentencePiece's, of Llama 2) put a space before whatever they are given, some
    of these (`Metaspace`, of Mistral v0.3) only where it begins with none. A piece's own tokens are
    then those behind another text, less that text's. Which text is found out: that of `BEFORE` with
    which the most of `JOINS`, where tokenizers join nothing, come apart.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self.tokenizer = tokenizer
        self.start: list[int] = tokenizer.encode("")
        """What the tokenizer puts before a text."""
        if self.whole("a") != self.start + self.batch(["a"])[0]:
            raise InvalidInput(
                "the tokenizer puts special tokens behind a text; a decoder's puts none"
            )
        probes = dict(zip(_PROBES, self.batch(_PROBES), strict=True))
        self.before: str = max(BEFORE, key=lambda before: _num_apart(probes, before))
        """Put before a piece, for its own tokens; of several that will do, the first."""

    def __call__(self, text: str) -> list[int]:
        """Of a piece that stands behind others."""
        return self.behind([text])[0]

    def first(self, text: str) -> list[int]:
        """Of the piece that a text begins with."""
        return self.start + self.batch([text])[0]

    def whole(self, text: str) -> list[int]:
        """Of a whole text, with what the tokenizer puts before it."""
        return self.tokenizer.encode(text)

    def batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Of texts, without what is put before them."""
        encodings = self.tokenizer.backend_tokenizer.encode_batch(
            list(texts), add_special_tokens=False
        )
        return [encoding.ids for encoding in encodings]

    def behind(self, texts: Sequence[str]) -> list[list[int]]:
        """Of pieces that stand behind others."""
        ids = self.batch([self.before, *(self.before + text for text in texts)])
        return [tokens[len(ids[0]) :] for tokens in ids[1:]]

    def prove(self, pairs: Sequence[tuple[str, str]], at_start: bool = False) -> None:
        """Each `(left, right)` encodes jointly as it does apart."""
        pieces = sorted({text for pair in pairs for text in pair})
        apart = dict(zip(pieces, self.behind(pieces), strict=True))
        encode = self.batch if at_start else self.behind
        lefts = dict(zip(pieces, encode(pieces), strict=True))
        joint = encode([left + right for left, right in pairs])
        for (left, right), tokens in zip(pairs, joint, strict=True):
            if left[-1].isdigit() and right[0].isdigit():
                raise InvalidInput(
                    f"the template joins digits, {left!r} + {right!r}; put a space or word between"
                )
            if tokens != lefts[left] + apart[right]:
                raise InvalidInput(
                    f"this tokenizer does not split the template at {left!r} + {right!r}: together "
                    f"{self.tokenizer.convert_ids_to_tokens(tokens)}; begin the second with a space"
                )

    def prove_distinct(self, texts: Sequence[str]) -> None:
        """Different texts are different tokens, unlike unknown words."""
        seen: dict[tuple[int, ...], str] = {}
        for text, tokens in zip(texts, self.behind(texts), strict=True):
            other = seen.setdefault(tuple(tokens), text)
            if other != text:
                raise InvalidInput(
                    f"this tokenizer writes {other!r} and {text!r} alike, as "
                    f"{self.tokenizer.convert_ids_to_tokens(tokens)}; it does not know their words"
                )


def _num_apart(encoded: Mapping[str, list[int]], before: str) -> int:
    """How many of `JOINS` are the left text's tokens, then the right one's own behind `before`."""
    known = encoded[before] if before else []

    def comes_apart(left: str, right: str) -> bool:
        behind = encoded[before + right]
        own = behind[len(known) :]
        return behind == known + own and encoded[left + right] == encoded[left] + own

    return sum(comes_apart(left, right) for left, right in JOINS)


def _texts(segment: Literal | Slot) -> tuple[str, ...]:
    return (segment.text,) if isinstance(segment, Literal) else segment.values


def _prove_pairs(encode: Encoder, segments: Sequence[Literal | Slot]) -> None:
    """Every pair of non-empty values that can stand side by side."""
    before: list[tuple[str, bool]] = []  # what can stand right before this segment, or begin a text
    pairs: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for place, segment in enumerate(segments):
        texts = [text for text in _texts(segment) if text]
        for left, begins in before:
            pairs[begins] += [(left, right) for right in texts]
        can_be_empty = len(texts) < len(_texts(segment))
        before = [(text, place == 0) for text in texts] + (before if can_be_empty else [])
    for begins, found in pairs.items():
        encode.prove(found, begins)


def _prove_samples(encode: Encoder, template: Template) -> None:
    """Whole texts of random slot values; the first two are all-first and all-last values."""
    every = sorted({text for segment in template.segments for text in _texts(segment)})
    apart = dict(zip(every, encode.behind(every), strict=True))
    rng = np.random.default_rng(0)
    sizes = np.array([len(slot.values) for slot in template.slots], int)
    draws = rng.integers(0, np.maximum(sizes, 1), (SAMPLED_TEXTS, len(sizes)))
    draws[0], draws[1] = 0, sizes - 1
    for values in draws:
        pieces, i = [], iter(values)
        for segment in template.segments:
            pieces.append(segment.text if isinstance(segment, Literal) else segment.values[next(i)])
        text = "".join(pieces)
        right = [*encode.first(pieces[0]), *itertools.chain(*(apart[p] for p in pieces[1:]))]
        if encode.whole(text) != right:
            raise InvalidInput(f"this tokenizer does not split {text!r} where the template does")


def _columns(encode: Encoder, segments: Sequence[Literal | Slot], begin: int, end: int) -> Columns:
    """Columns of `segments[begin:end]`; a segment is as wide as its longest value."""
    slots = [segment for segment in segments if isinstance(segment, Slot)]
    width = max((len(slot.values) for slot in slots), default=1)
    tokens, valid, owner = [], [], []
    for place in range(begin, end):
        segment = segments[place]
        texts = _texts(segment)
        rows = encode.behind(texts) if place else [encode.first(text) for text in texts]
        before = sum(isinstance(s, Slot) for s in segments[:place])
        slot = before if isinstance(segment, Slot) else len(slots)
        for column in range(max(len(row) for row in rows)):
            cells = [row[column] if column < len(row) else None for row in rows]
            cells += [None] * (width - len(cells))
            tokens.append([cell or 0 for cell in cells])
            valid.append([cell is not None for cell in cells])
            owner.append(slot)
    shape = (len(owner), width)
    return Columns(
        np.array(tokens, np.int32).reshape(shape),
        np.array(valid, bool).reshape(shape),
        np.array(owner, np.int32),
    )
