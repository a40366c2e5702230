"""`tokenizers.Tokenizer`s from plain data: tokens with ranks, SentencePiece's pieces with scores.

Files of other formats (tiktoken's ranks, a SentencePiece model, a GGUF file's metadata) say which
tokens there are and how a text is split beforehand, and often not which pairs are merged. What is
built here encodes as their own programs do:

* Byte-pair encoding merges the neighbours whose joint token has the best rank, the leftmost first.
  Whatever a token stands in, the merges inside of it are those of the token alone, as long as none
  crosses its ends. So one pair makes each token: the last one merged where the token itself is the
  whole text. A token that is not reached so is only ever taken whole.
* SentencePiece does the same with characters and scores, over the whole text at once. Its runs of
  spaces have one score, which `merges_of_scores` allows for.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from lprl_envs import InvalidInput
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)

Text = TypeVar("Text", str, bytes)

_GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"

PRE_TOKENIZERS: dict[str, tuple[str, ...]] = {
    "gpt-2": (_GPT_2,),
    "smollm": (r"\p{N}", _GPT_2),
    "llama-bpe": (rf"{_WORD}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{_SPACES}",),
    "qwen2": (rf"{_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{_SPACES}",),
    "tekken": (rf"{_CASED}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{_SPACES}",),
}
"""Regular expressions that split a text, one after the other, before anything is merged. They are
published with the models; the names are those of a GGUF file's `tokenizer.ggml.pre`."""
WHOLE_WORDS = frozenset({"llama-bpe", "tekken"})
"""Those whose models take a piece that is a token whole, merges or not."""
COMPOSED = frozenset({"qwen2"})
"""Those whose models bring a text into Unicode's composed form (NFC) first."""

UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 2, 3, 4, 5, 6
"""Types of SentencePiece's pieces other than normal ones, which are 1."""
SPACE = "▁"
"""What SentencePiece writes for a space."""


def byte_level(
    vocabulary: Mapping[str, int], merges: Iterable[tuple[str, str]], name: str
) -> Tokenizer:
    """Byte-pair encoding over bytes; special tokens and what stands before a text come on top.

    Args:
        vocabulary: Token to its number; a byte is a character, as `characters_of` writes it.
        merges: Pairs of tokens, the first to be merged first.
        name: One of `PRE_TOKENIZERS`.
    """
    whole = name in WHOLE_WORDS
    tokenizer = Tokenizer(models.BPE(dict(vocabulary), list(merges), ignore_merges=whole))
    tokenizer.pre_tokenizer = pre_tokenizer(name)
    if name in COMPOSED:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    """One of `PRE_TOKENIZERS`; its pieces are written byte by byte, as `characters_of` does.

    Raises:
        InvalidInput: if there is none of this name.
    """
    if name not in PRE_TOKENIZERS:
        raise InvalidInput(f"unknown pre-tokenizer {name!r}; valid: {', '.join(PRE_TOKENIZERS)}")
    splits = [pre_tokenizers.Split(Regex(e), "isolated") for e in PRE_TOKENIZERS[name]]
    to_characters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([*splits, to_characters])


def sentencepiece(
    pieces: Sequence[str],
    merges: Iterable[tuple[str, str]],
    types: Sequence[int],
    add_prefix: bool = True,
) -> Tokenizer:
    """SentencePiece's byte-pair encoding, with bytes for what no piece writes.

    Args:
        pieces: By their numbers; a space is `SPACE`.
        merges: As `merges_of_scores` finds them.
        types: Of each piece; exactly one is `UNKNOWN`. That and `CONTROL` become special tokens;
            what is `USER_DEFINED` is taken whole wherever it stands.
        add_prefix: Whether a space is put before whatever is given (`add_dummy_prefix`).

    Raises:
        InvalidInput: if no piece, or more than one, is the unknown one, or a user-defined one has
            a space.
    """
    of_type = {
        kind: [piece for piece, its in zip(pieces, types, strict=True) if its == kind]
        for kind in (UNKNOWN, CONTROL, USER_DEFINED)
    }
    unknown, user_defined = of_type[UNKNOWN], of_type[USER_DEFINED]
    if len(unknown) != 1:
        raise InvalidInput(f"{len(unknown)} pieces are the unknown one; exactly one is")
    if spaced := [piece for piece in user_defined if SPACE in piece]:
        raise InvalidInput(f"the user-defined piece {spaced[0]!r} has a space; none may")
    tokenizer = Tokenizer(
        models.BPE(
            {piece: number for number, piece in enumerate(pieces)},
            list(merges),
            unk_token=unknown[0],
            fuse_unk=True,
            byte_fallback=BYTE in types,
        )
    )
    spaces = normalizers.Replace(" ", SPACE)
    before = [normalizers.Prepend(SPACE)] if add_prefix else []
    tokenizer.normalizer = normalizers.Sequence([*before, spaces])
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    strip = [decoders.Strip(" ", 1, 0)] if add_prefix else []
    tokenizer.decoder = decoders.Sequence([*steps, *strip])
    tokenizer.add_special_tokens([*unknown, *of_type[CONTROL]])
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in user_defined])
    return tokenizer


def merges_of_ranks(ranks: Mapping[bytes, int]) -> list[tuple[str, str]]:
    """The merges of tiktoken's ranks, as `byte_level` takes them.

    Args:
        ranks: Token to its rank, which is its number; all 256 bytes are among them.

    Raises:
        InvalidInput: if a byte is missing.
    """
    if missing := [byte for byte in range(256) if bytes([byte]) not in ranks]:
        raise InvalidInput(f"byte {missing[0]} is no token; all 256 bytes are")
    found = []
    for token, _ in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        if pair := _last_pair(parts, ranks):
            found.append((characters_of(pair[0]), characters_of(pair[1])))
    return found


def merges_of_scores(
    pieces: Sequence[str], scores: Sequence[float], types: Sequence[int]
) -> list[tuple[str, str]]:
    """The merges of a SentencePiece model of type BPE, as `sentencepiece` takes them.

    Args:
        pieces: By their numbers.
        scores: Of each piece; the highest is merged first.
        types: Of each piece; only normal ones are made of others.

    Raises:
        InvalidInput: if pieces that are made of others have one score, other than runs of one
            character, or one is made of a character that is no piece: no merges encode likewise.
    """
    normal = [
        (-score, piece)
        for piece, score, kind in zip(pieces, scores, types, strict=True)
        if kind not in (UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE)
    ]
    made = sorted((score, -len(piece), piece) for score, piece in normal if len(piece) > 1)
    for _, tied in itertools.groupby(made, lambda one: one[0]):
        _require_run([piece for *_, piece in tied])
    ranks = {piece: rank for rank, (*_, piece) in enumerate(made)}
    single = {piece for _, piece in normal if len(piece) == 1}
    found = []
    for piece in ranks:
        pair = _last_pair(list(piece), ranks)
        if pair is None:
            continue
        if lacking := [part for part in pair if len(part) == 1 and part not in single]:
            raise InvalidInput(f"{piece!r} is made of {lacking[0]!r}, which is no piece")
        found.append(pair)
    return found


def _require_run(tied: list[str]) -> None:
    """Pieces of one score are runs of one character.

    Among these the leftmost pair is merged first, so that a run grows at its left end; and so it
    does where the longest is merged first, since no pair further right makes a longer one. Of other
    pieces that is not so.
    """
    if len(tied) > 1 and len(set("".join(tied))) > 1:
        raise InvalidInput(f"{tied[0]!r} and {tied[1]!r} have one score; scores tell the order")


def _last_pair(parts: list[Text], ranks: Mapping[Text, int]) -> tuple[Text, Text] | None:
    """The last two parts of a text that are merged, if they make the whole text."""
    pair = None
    while len(parts) > 1:
        best, place = None, 0
        for i in range(len(parts) - 1):
            rank = ranks.get(parts[i] + parts[i + 1])
            if rank is not None and (best is None or rank < best):
                best, place = rank, i
        if best is None:
            return None
        pair = parts[place], parts[place + 1]
        parts[place : place + 2] = [pair[0] + pair[1]]
    return pair


def characters_of(token: bytes) -> str:
    """A token's bytes as printable characters, one each: how byte-level vocabularies are written.

    The printable ones of Latin-1 are themselves, the others the characters from U+0100 on (GPT-2).
    """
    return "".join(_characters()[byte] for byte in token)


@functools.cache
def _characters() -> tuple[str, ...]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(256))
