"""The bytes that every token of a tokenizer stands for, so that a program can read what it wrote.

Byte-level byte-pair encodings (GPT-2, Llama 3, Qwen) write a byte as a printable character;
SentencePiece's (Llama 2, Mistral) a space as "▁", and what is in no merge as `<0x0A>`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from lprl_envs import InvalidInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclasses.dataclass(frozen=True)
class ByteTable:
    """The bytes of all tokens, one after the other; a special token has none."""

    data: np.ndarray
    """u8[N]"""
    start: np.ndarray
    """i32[vocab]: where a token's bytes begin."""
    length: np.ndarray
    """i32[vocab]"""
    special: np.ndarray
    """bool[vocab]: whether a token is no text, and ends one."""

    @staticmethod
    def of(tokenizer: PreTrainedTokenizerFast, vocab_size: int) -> ByteTable:
        """Of a model's tokenizer; rows of the model that have no token are special.

        Raises:
            InvalidInput: if it is of another kind than those two.
        """
        pieces = [b""] * vocab_size
        special = np.ones(vocab_size, bool)
        to_bytes = _reader(tokenizer)
        for piece, token in tokenizer.get_vocab().items():
            if token < vocab_size and token not in tokenizer.added_tokens_decoder:
                pieces[token], special[token] = to_bytes(piece), False
        for token, added in tokenizer.added_tokens_decoder.items():
            if token < vocab_size:
                pieces[token], special[token] = added.content.encode(), added.special
        for token in {*tokenizer.all_special_ids, *np.flatnonzero(special).tolist()}:
            if token < vocab_size:
                pieces[token], special[token] = b"", True
        length = np.array([len(piece) for piece in pieces], np.int32)
        start = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int32)
        return ByteTable(np.frombuffer(b"".join(pieces), np.uint8), start, length, special)

    def text(self, tokens: Sequence[int]) -> bytes:
        """Of tokens, on the host."""
        ends = self.start + self.length
        return b"".join(self.data[self.start[token] : ends[token]].tobytes() for token in tokens)

    def prove(self, texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> None:
        """Check that these tokens stand for these texts.

        Raises:
            InvalidInput: naming a text that they do not stand for.
        """
        for text, row in zip(texts, tokens, strict=True):
            found = self.text(row)
            if found != text.encode():
                raise InvalidInput(
                    f"the tokens of {text!r} are read back as {found.decode(errors='replace')!r}; "
                    "free-form answers of this tokenizer cannot be read"
                )


def _reader(tokenizer: PreTrainedTokenizerFast) -> Any:
    """A token's text to its bytes, by how the tokenizer decodes."""
    decoder = tokenizer.backend_tokenizer.decoder
    steps = list(_steps(json.loads(decoder.__getstate__()))) if decoder is not None else []
    kinds = {step["type"] for step in steps}
    if "ByteLevel" in kinds:
        of_character = _characters()
        return lambda piece: bytes(map(of_character.__getitem__, piece))
    spaces = [step for step in steps if step.get("pattern") == {"String": "▁"}]
    if spaces or "Metaspace" in kinds:

        def to_bytes(piece: str) -> bytes:
            byte = _BYTE.fullmatch(piece) if "ByteFallback" in kinds else None
            return bytes([int(byte[1], 16)]) if byte else piece.replace("▁", " ").encode()

        return to_bytes
    raise InvalidInput(
        f"this tokenizer decodes by {', '.join(sorted(kinds)) or 'no rule'}; free-form answers are "
        "read with byte-level and SentencePiece's tokenizers"
    )


def _steps(decoder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A decoder's steps, whatever sequences they stand in."""
    if decoder["type"] != "Sequence":
        yield decoder
    for step in decoder.get("decoders", ()):
        yield from _steps(step)


def _characters() -> dict[str, int]:
    """The byte that each character of GPT-2's byte-level alphabet stands for.

    Printable Latin-1 characters stand for themselves, further ones in their order for the rest.
    """
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    own = {character: ord(character) for character in alphabet if ord(character) < 256}
    rest = [byte for byte in range(256) if byte not in own.values()]
    others = [character for character in alphabet if character not in own]
    return own | dict(zip(others, rest, strict=True))
