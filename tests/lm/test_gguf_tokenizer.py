"""Tokenizers in GGUF files: what is read encodes as the tokenizer that was written."""

import functools

import numpy as np
import pytest
from lm.gguf_writing import FIXTURES, TOKENIZER, write
from lprl_envs import InvalidInput

from lprl_jax.lm import gguf_files, gguf_tokenizer, tokenizer_models

TEXTS = ("ab", "a b\nab", "abab<|end|>ab", "ba  b", "", "zab\n\n b")


def read(path, *metadata, **options):
    write(path / "model.gguf", FIXTURES / "plain", metadata=metadata, **options)
    return gguf_tokenizer.read(gguf_files.opened(path / "model.gguf"))


@functools.cache
def by_hand():
    """The tokenizer of `TOKENIZER`, from the tokenizers library itself."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = TOKENIZER["tokenizer.ggml.tokens"]
    backend = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [("a", "b")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken("<|end|>", normalized=False)])
    return backend


def test_byte_level_with_its_special_tokens(tmp_path):
    found = read(tmp_path)
    for text in TEXTS:
        assert found.encode(text) == by_hand().encode(text).ids
        assert found.decode(found.encode(text)) == text
    assert (found.eos_token, found.bos_token) == ("<|end|>", None)
    assert found.convert_tokens_to_ids("<|end|>") == 0


@pytest.mark.parametrize(
    ("pre", "said", "begins"),
    [
        ("gpt-2", None, False),
        ("llama-bpe", None, True),
        ("tekken", None, True),
        ("qwen2", None, False),
        ("smollm", None, False),
        ("gpt-2", True, True),
        ("llama-bpe", False, False),
    ],
)
def test_whether_a_text_begins_with_bos(tmp_path, pre, said, begins):
    """What the file says counts; where it is silent, what such models are known to read."""
    said = [] if said is None else [("tokenizer.ggml.add_bos_token", said)]
    own = ("tokenizer.ggml.pre", pre), ("tokenizer.ggml.bos_token_id", np.uint32(0))
    assert read(tmp_path, *own, *said).encode("ab") == [0] * begins + [27]


def test_a_chat_template_comes_with_it(tmp_path):
    template = "{% for m in messages %}<|end|>{{ m['content'] }}{% endfor %}"
    found = read(tmp_path, ("tokenizer.chat_template", template))
    turns = [{"role": "user", "content": "ab"}]
    assert found.apply_chat_template(turns, tokenize=False) == "<|end|>ab"
    assert read(tmp_path).chat_template is None


def test_a_token_of_the_user_is_taken_whole(tmp_path):
    kinds = [3, *[1] * 29]
    tokens = list(TOKENIZER["tokenizer.ggml.tokens"])
    tokens[3], kinds[3] = "bab", 4
    found = read(tmp_path, ("tokenizer.ggml.tokens", tokens), ("tokenizer.ggml.token_type", kinds))
    assert found.encode("abab") == [1, 3]  # before anything is merged
    assert found.decode([1, 3], skip_special_tokens=True) == "abab"


PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), "▁", "a", "b", "ab", "▁ab"]
SCORES = [0.0] * 259 + [-4.0, -5.0, -6.0, -1.0, -2.0]
TYPES = [2, 3, 3, *[6] * 256, 1, 1, 1, 1, 1]
SENTENCEPIECE = {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": PIECES,
    "tokenizer.ggml.scores": SCORES,
    "tokenizer.ggml.token_type": TYPES,
    "tokenizer.ggml.bos_token_id": np.uint32(1),
    "tokenizer.ggml.eos_token_id": np.uint32(2),
    "tokenizer.ggml.unknown_token_id": np.uint32(0),
}
LEFT_OUT = ("tokenizer.ggml.merges", "tokenizer.ggml.pre")


def test_sentencepiece_by_hand(tmp_path):
    found = read(tmp_path, *SENTENCEPIECE.items(), without=LEFT_OUT)
    assert found.encode("ab ab") == [1, 263, 263]
    assert found.encode("ba") == [1, 259, 261, 260]
    assert found.encode("c\n") == [1, 259, 3 + ord("c"), 3 + ord("\n")]  # bytes, where no piece is
    assert found.decode(found.encode("ab ab")[1:]) == "ab ab"


def test_sentencepiece_without_a_space_before(tmp_path):
    own = {**SENTENCEPIECE, "tokenizer.ggml.add_space_prefix": False}
    assert read(tmp_path, *own.items(), without=LEFT_OUT).encode("ab ab") == [1, 262, 263]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer.ggml.scores": SCORES[:-1]}, "263 scores for 264 tokens"),
        ({"tokenizer.ggml.scores": [*SCORES[:-1], -1.0]}, "'▁ab' and 'ab' have one score"),
        ({"tokenizer.ggml.token_type": [1, *TYPES[1:]]}, "0 pieces are the unknown one"),
        ({"tokenizer.ggml.tokens": [*PIECES[:-1], "a"]}, "its tokens repeat"),
    ],
    ids=["scores", "a tie", "no unknown", "twice"],
)
def test_a_sentencepiece_vocabulary_that_does_not_say_how_it_encodes(tmp_path, change, message):
    own = SENTENCEPIECE | change
    with pytest.raises(InvalidInput, match=message):
        read(tmp_path, *own.items(), without=LEFT_OUT)


def test_every_pre_tokenizer_has_a_name_in_files():
    assert set(gguf_tokenizer.ALIASES) == set(tokenizer_models.PRE_TOKENIZERS)
