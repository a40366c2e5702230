"""Tokenizers from plain data encode as the programs do whose data it is; slow twins of both."""

import itertools
import json

import numpy as np
import pytest
from lm.stand_ins import corpus
from lprl_envs import InvalidInput
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from lprl_jax.lm import tokenizer_models
from lprl_jax.lm.tokenizer_models import BYTE, CONTROL, SPACE, UNKNOWN, USER_DEFINED

NORMAL = 1
OTHERS = ("", "We'll   see 12345 \t\n\n  ends  ", "çà — ünï ☃ 漢字", "aaaa aaaaaaa", "I HAVE it's")
UNREACHED = (b" qxzq", b"zzqqxx")
"""Tokens that no merges make."""


def tiktoken_twin(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    """As tiktoken encodes a piece: whole if it is a token, otherwise the best pair first."""
    if piece in ranks:
        return [ranks[piece]]
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while True:
        joint = [
            (ranks.get(a + b, np.inf), i) for i, (a, b) in enumerate(itertools.pairwise(parts))
        ]
        rank, i = min(joint, default=(np.inf, 0))
        if rank == np.inf:
            return [ranks[part] for part in parts]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def sentencepiece_twin(text: str, pieces: list[str], scores: list[float]) -> list[str]:
    """As SentencePiece encodes: of the neighbours that make a piece the best-scored, then the
    leftmost, are joined; what is no piece then is its bytes.
    """
    score = dict(zip(pieces, scores, strict=True))
    symbols = list(SPACE + text.replace(" ", SPACE)) if text else []
    while True:
        joint = [
            (-score[symbols[i] + symbols[i + 1]], i)
            for i in range(len(symbols) - 1)
            if symbols[i] + symbols[i + 1] in score
        ]
        if not joint:
            break
        _, i = min(joint)
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
    written = []
    for symbol in symbols:
        as_bytes = [f"<0x{byte:02X}>" for byte in symbol.encode()]
        written += [symbol] if symbol in score else as_bytes
    return written


# -- ranks ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranks():
    """Learnt from our worlds, and two tokens that no merges make."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = tokenizer_models.pre_tokenizer("llama-bpe")
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        min_frequency=1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(corpus(), trainer)
    to_byte = {tokenizer_models.characters_of(bytes([byte])): byte for byte in range(256)}
    merged = [left + right for left, right in json.loads(backend.to_str())["model"]["merges"]]
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [bytes(to_byte[c] for c in token) for token in merged]
    return {token: rank for rank, token in enumerate([*tokens, *UNREACHED])}


@pytest.mark.parametrize("name", list(tokenizer_models.PRE_TOKENIZERS))
def test_ranks_encode_as_their_twin(ranks, name):
    vocabulary = {tokenizer_models.characters_of(token): rank for token, rank in ranks.items()}
    merges = tokenizer_models.merges_of_ranks(ranks)
    assert len(merges) == len(ranks) - 256 - 2
    tokenizer = tokenizer_models.byte_level(vocabulary, merges, name)
    if name not in tokenizer_models.WHOLE_WORDS:  # these take a piece apart, even if it is a token
        ranks = {token: rank for token, rank in ranks.items() if token not in UNREACHED}
    for text in (*corpus()[::9], *OTHERS, " qxzq zzqqxx"):
        split = tokenizer_models.pre_tokenizer(name).pre_tokenize_str(text)
        pieces = [text[slice(*span)].encode() for _, span in split]
        right = [token for piece in pieces for token in tiktoken_twin(piece, ranks)]
        assert tokenizer.encode(text).ids == right
        assert tokenizer.decode(right) == text


def test_a_pair_may_be_of_worse_rank_than_the_token_it_makes():
    """`bc` comes behind `abc`, which `a` and `bc` make all the same."""
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"abc": 256, b"bc": 257}
    assert tokenizer_models.merges_of_ranks(ranks) == [("a", "bc"), ("b", "c")]


def test_pre_tokenizers_that_come_with_the_library():
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Digits(individual_digits=True)
    single = pre_tokenizers.Sequence([digits, byte_level])
    for text in (*corpus()[::9], *OTHERS):
        for name, right in (("gpt-2", byte_level), ("smollm", single)):
            found = tokenizer_models.pre_tokenizer(name).pre_tokenize_str(text)
            assert found == right.pre_tokenize_str(text)


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("llama-bpe", "We|'ll| goHome|/a| |123|45|.\n\n|  | x"),
        ("qwen2", "We|'ll| goHome|/a| |1|2|3|4|5|.\n\n|  | x"),
        ("tekken", "We|'ll| go|Home|/a| |1|2|3|4|5|.\n\n|  | x"),
        ("gpt-2", "We|'ll| goHome|/|a| 12345|.|\n\n  | x"),
        ("smollm", "We|'ll| goHome|/|a| |1|2|3|4|5|.|\n\n  | x"),
    ],
)
def test_pre_tokenizers_worked_by_hand(name, pieces):
    text = "We'll goHome/a 12345.\n\n   x"
    split = tokenizer_models.pre_tokenizer(name).pre_tokenize_str(text)
    assert "|".join(text[slice(*span)] for _, span in split) == pieces


def test_bytes_are_the_characters_that_byte_level_vocabularies_have():
    text = bytes(range(256)).decode("latin-1")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for character in text:
        ((right, _),) = byte_level.pre_tokenize_str(character)
        assert tokenizer_models.characters_of(character.encode()) == right


# -- scores --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pieces():
    """`(pieces, scores, types)`: learnt, and runs of spaces of one score, one length missing."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("contiguous")]
    )
    trainer = trainers.BpeTrainer(vocab_size=500, min_frequency=1, show_progress=False)
    backend.train_from_iterator([line for t in corpus() for line in t.split("\n")], trainer)
    model = json.loads(backend.to_str())["model"]
    merged = list(dict.fromkeys(left + right for left, right in model["merges"]))
    merged = [piece for piece in merged if set(piece) != {SPACE}]
    single = [piece for piece in model["vocab"] if len(piece) == 1]
    runs = [SPACE * n for n in (2, 4, 6, 3, 8)]  # none of 5, none of 7
    special = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    texts = [*special, *runs, *merged, *single, "[REF]"]
    types = [UNKNOWN, CONTROL, *[BYTE] * 256, *[NORMAL] * (len(texts) - 259), USER_DEFINED]
    scores = [0.0] * 258 + [-1e9] * len(runs)
    scores += [-float(i) for i in range(len(texts) - len(scores))]
    return texts, scores, types


def test_scores_encode_as_their_twin(pieces):
    texts, scores, types = pieces
    tokenizer = tokenizer_models.sentencepiece(
        texts, tokenizer_models.merges_of_scores(texts, scores, types), types
    )
    normal = [i for i, kind in enumerate(types) if kind == NORMAL]
    twin = [texts[i] for i in normal], [scores[i] for i in normal]
    spaced = [f"a{' ' * n}b{' ' * m}" for n in range(1, 30) for m in (0, 3, 17)]
    for text in (*corpus()[::9], *OTHERS, *spaced):
        found = tokenizer.encode(text)
        assert found.tokens == sentencepiece_twin(text, *twin)
        assert tokenizer.decode(found.ids) == text


def test_what_the_user_defined_is_taken_whole(pieces):
    texts, scores, types = pieces
    tokenizer = tokenizer_models.sentencepiece(
        texts, tokenizer_models.merges_of_scores(texts, scores, types), types, add_prefix=False
    )
    assert "[REF]" in tokenizer.encode("go[REF]").tokens
    assert tokenizer.encode("<s>go").tokens[0] == "<s>"
    assert tokenizer.encode("go").tokens[0][0] == "g"


# -- refusals ------------------------------------------------------------------------------------


def test_what_is_refused():
    with pytest.raises(InvalidInput, match="unknown pre-tokenizer 'dbrx'; valid: gpt-2, smollm"):
        tokenizer_models.pre_tokenizer("dbrx")
    with pytest.raises(InvalidInput, match="byte 255 is no token; all 256 bytes are"):
        tokenizer_models.merges_of_ranks({bytes([byte]): byte for byte in range(255)})
    with pytest.raises(InvalidInput, match="'ab' and 'bc' have one score; scores tell the order"):
        tokenizer_models.merges_of_scores(["a", "b", "c", "ab", "bc"], [0, 0, 0, -1, -1], [1] * 5)
    with pytest.raises(InvalidInput, match="'ab' is made of 'b', which is no piece"):
        tokenizer_models.merges_of_scores(["a", "ab"], [0, -1], [1] * 2)
    with pytest.raises(InvalidInput, match="0 pieces are the unknown one; exactly one is"):
        tokenizer_models.sentencepiece(["a"], [], [NORMAL])
    with pytest.raises(InvalidInput, match="the user-defined piece '▁a' has a space; none may"):
        tokenizer_models.sentencepiece(["<unk>", "▁a"], [], [UNKNOWN, USER_DEFINED])
