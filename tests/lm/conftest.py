"""Shared by the language model's tests: tiny Llama models, and tokenizers of several kinds."""

import functools
import json
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lprl_envs import FrozenLake
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from lprl_jax.lm import checkpoint
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.tasks import END_OF_ACTION
from lprl_jax.pretraining.tokenizer import train_tokenizer

FIXTURES = Path(__file__).parent / "fixtures"

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
REGEX = {"llama-3": rf"{_WORDS}\p{{N}}{{1,3}}{_REST}", "qwen-2": rf"{_WORDS}\p{{N}}{_REST}"}
SPECIAL = {"begins": "<|begin|> $A", "ends": "$A <|end|>", "both": "<|begin|> $A <|end|>"}


@functools.cache
def _load(name):
    logits = np.load(FIXTURES / name / "logits.npz")
    return checkpoint.load(FIXTURES / name), logits["tokens"], logits["logits"]


@functools.cache
def _corpus():
    """Whole texts, so that a tokenizer learns to merge wherever it may."""
    rng, texts = np.random.default_rng(0), []
    for env in (FrozenLake("8x8", is_slippery=False), FrozenLake("8x8")):
        sizes = [len(slot.values) for slot in env.template.slots]
        texts += [env.template.render(rng.integers(0, sizes).tolist()) for _ in range(50)]
    texts += [text + END_OF_ACTION for text in FrozenLake().action_texts]
    return [*texts, "the hands of the handyman is and", "right2 left 1234 12 345\n", "Go. Going.\n"]


@functools.cache
def _tokenizer(kind) -> PreTrainedTokenizerFast:
    if kind == "ours":
        return train_tokenizer(TASKS)
    if kind == "llama-2":
        return _sentencepiece()
    if kind == "doubles":
        return _doubles()
    backend = Tokenizer(models.BPE())
    split = [pre_tokenizers.Split(Regex(REGEX[kind]), "isolated")] if kind in REGEX else []
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind not in REGEX)
    backend.pre_tokenizer = pre_tokenizers.Sequence([*split, byte_level])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        min_frequency=1,
        special_tokens=["<|begin|>", "<|end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(_corpus(), trainer)
    if kind in SPECIAL:
        special: list[Any] = [("<|begin|>", 0), ("<|end|>", 1)]
        backend.post_processor = processors.TemplateProcessing(SPECIAL[kind], None, special)
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def _doubles() -> PreTrainedTokenizerFast:
    """Bytes, and a token for every character of punctuation doubled: all of GPT-2, Llama, Qwen2
    have one for two commas.
    """
    marks = [mark for mark in string.punctuation if mark not in "'"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, *(2 * mark for mark in marks)])}
    backend = Tokenizer(models.BPE(vocabulary, [(mark, mark) for mark in marks]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def _sentencepiece() -> PreTrainedTokenizerFast:
    """As Llama 2's, TinyLlama's and Mistral's: spaces are "▁", one stands before every text, what
    is in no merge is its bytes, and no text is split beforehand.
    """
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    learnt = Tokenizer(models.BPE())
    learnt.normalizer = normalizer
    words = [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(True)]
    learnt.pre_tokenizer = pre_tokenizers.Sequence(words)  # what its merges were learnt within
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    learnt.train_from_iterator([line for text in _corpus() for line in text.split("\n")], trainer)
    merged = json.loads(learnt.to_str())["model"]
    merges = [tuple(merge) for merge in merged["merges"]]
    backend = Tokenizer(
        models.BPE(merged["vocab"], merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    backend.normalizer = normalizer
    backend.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    strip = decoders.Strip(" ", 1, 0)
    spaces = decoders.Replace("▁", " ")
    backend.decoder = decoders.Sequence([spaces, decoders.ByteFallback(), decoders.Fuse(), strip])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")


@pytest.fixture(scope="session")
def tiny():
    """`tiny(name)`: a model, tokens `[B, T]`, and torch's logits for them."""
    return _load


@pytest.fixture(scope="session")
def folder():
    """`folder(name)`: the directory of a tiny model; see `fixtures/make_fixtures.py`."""
    return FIXTURES.joinpath


@pytest.fixture(scope="session")
def tokenizer():
    """`tokenizer(kind)`: `"ours"`, or one with a published pre-tokenizer or special tokens."""
    return _tokenizer
