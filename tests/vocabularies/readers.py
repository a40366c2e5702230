"""Published vocabularies as plain data: tiktoken's ranks, Tekken's JSON, SentencePiece's models."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

BPE = 2
"""`TrainerSpec.model_type` of byte-pair encoding."""


class Pieces(NamedTuple):
    """Of a SentencePiece model: a text, a score and a type each."""

    texts: list[str]
    scores: list[float]
    types: list[int]


def tiktoken_ranks(path: Path) -> dict[bytes, int]:
    """Token to rank: a line each, the token in base 64 and its rank."""
    lines = [line.split() for line in path.read_bytes().splitlines() if line.strip()]
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def tekken_ranks(path: Path) -> tuple[dict[bytes, int], int, str]:
    """Token to rank, how many special tokens come before the first, and the pattern that splits.

    The file lists more tokens than the models have: `default_vocab_size`, with the special ones.
    """
    fields = json.loads(path.read_text())
    config = fields["config"]
    special = config["default_num_special_tokens"]
    num = config["default_vocab_size"] - special
    ranks = {base64.b64decode(one["token_bytes"]): one["rank"] for one in fields["vocab"][:num]}
    return ranks, special, config["pattern"]


def sentencepiece_model(path: Path) -> Pieces:
    """The pieces of a SentencePiece model that merges pairs, and leaves a text's spaces alone.

    Of `ModelProto` the fields 1 (pieces), 2 (`TrainerSpec`) and 3 (`NormalizerSpec`) are read, and
    what would encode otherwise than `tokenizer_models.sentencepiece` is refused.

    Raises:
        ValueError: if the file is another kind of model, or damaged.
    """
    found = Pieces([], [], [])
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in _fields(path.read_bytes()):
        if number == 1:
            piece = dict(_fields(value))
            found.texts.append(piece[1].decode())
            found.scores.append(struct.unpack("<f", piece.get(2, b"\0\0\0\0"))[0])
            found.types.append(piece.get(3, 1))
        elif number == 2:
            trainer = dict(_fields(value))
        elif number == 3:
            normalizer = dict(_fields(value))
    if trainer.get(3, 1) != BPE:
        raise ValueError(f"{path}: a model of type {trainer.get(3, 1)}; {BPE}, byte-pair encoding")
    if normalizer.get(2):
        raise ValueError(f"{path}: characters are replaced by {normalizer.get(1)}; none may be")
    as_needed = {"add_dummy_prefix": (3, 1), "remove_extra_whitespaces": (4, 0)}
    for name, (number, needed) in as_needed.items():
        if normalizer.get(number, 1) != needed:
            raise ValueError(f"{path}: {name} is {1 - needed}; right: {needed}")
    return found


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of a protocol buffer's fields, in their order: integers, or bytes."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        size = {1: 8, 2: -1, 5: 4}.get(kind)
        if size is None:
            raise ValueError(f"field {number} is of the unknown wire type {kind}")
        size = varint() if size < 0 else size
        if at + size > len(message):
            raise ValueError(f"field {number} ends behind the message's end")
        yield number, message[at : at + size]
        at += size
