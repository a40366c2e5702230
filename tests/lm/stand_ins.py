"""Small tokenizers of the layouts that are published, which have learnt what our worlds say.

Real vocabularies have tokens that our texts never show, ",," among them; so do these.
"""

import functools
import json
from typing import Any

import numpy as np
from lprl_envs import (
    BlocksWorld,
    BlocksWorldSubgoals,
    CartPole,
    CubeStacking,
    FrozenLake,
    ImageCompletion,
    KeyRooms,
    ObjectArrangement,
    Pendulum,
)
from lprl_envs.completion import Completable
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from lprl_jax.lm import tokenizer_models
from lprl_jax.pretraining.tasks import END_OF_ACTION

WORLDS = (
    FrozenLake("4x4"),
    FrozenLake("8x8", is_slippery=False),
    CubeStacking(5),
    BlocksWorld(4),
    BlocksWorldSubgoals(4),
    ImageCompletion("3x3"),
    ObjectArrangement("3x3"),
    KeyRooms(3),
    CartPole(),
    Pendulum(),
)
NEVER_SAID = (
    "sums,, or quotes,, that end.\nHere,, and there.\nright2 1234 12 345\n\nIt.\n\nIs  so   on\n"
)
"""Merges of what no state's text holds: commas, stops and line breaks, numbers, runs of spaces."""

BYTE_LEVEL = ("gpt-2", "smollm", "llama-bpe", "qwen2", "tekken")
METASPACE = ("always", "first", "never", "prepend")
"""How a space comes before a text: by `Metaspace`, or before every text by a normalizer."""
KINDS = (*BYTE_LEVEL, *(f"metaspace-{scheme}" for scheme in METASPACE))


@functools.cache
def corpus() -> tuple[str, ...]:
    """Whole texts of all worlds, so that a tokenizer learns to merge wherever it may."""
    rng, texts = np.random.default_rng(0), []
    for env in WORLDS:
        templates = [env.template]
        if isinstance(env, Completable):
            templates += [env.completion_prompt, env.completion]
        for template in templates:
            sizes = [len(slot.values) for slot in template.slots]
            texts += [template.render(rng.integers(0, sizes).tolist()) for _ in range(20)]
        texts += [text + END_OF_ACTION for text in env.action_texts]
    return (*texts, *[NEVER_SAID] * 40)


@functools.cache
def stand_in(kind: str) -> PreTrainedTokenizerFast:
    """One of `KINDS`; those with `Metaspace` have a token before every text."""
    layout, _, scheme = kind.rpartition("metaspace-")
    return _metaspace(scheme) if scheme in METASPACE else _byte_level(layout or kind)


def _byte_level(name: str) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = tokenizer_models.pre_tokenizer(name)
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(corpus(), trainer)
    learnt = json.loads(backend.to_str())["model"]
    merges = [tuple(merge) for merge in learnt["merges"]]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_models.byte_level(learnt["vocab"], merges, name)
    )


@functools.cache
def _pieces() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """SentencePiece's vocabulary and merges: no line break in any but one of them alone."""
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = [
        pre_tokenizers.Metaspace(),
        pre_tokenizers.Punctuation("contiguous"),
        pre_tokenizers.Digits(individual_digits=True),
    ]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(words)
    trainer = trainers.BpeTrainer(
        vocab_size=800, min_frequency=1, special_tokens=special, show_progress=False
    )
    backend.train_from_iterator([line for t in corpus() for line in t.split("\n")], trainer)
    learnt = json.loads(backend.to_str())["model"]
    return learnt["vocab"], [tuple(merge) for merge in learnt["merges"]]


def _metaspace(scheme: Any) -> PreTrainedTokenizerFast:
    vocabulary, merges = _pieces()
    backend = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    if scheme == "prepend":
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    spaces = decoders.Replace("▁", " ")
    backend.decoder = decoders.Sequence([spaces, decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")
