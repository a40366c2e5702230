"""A random language model of a few thousand weights, whose answers are far from uniform."""

import functools
import itertools

import jax
import numpy as np

from lprl_jax.lm import decoder
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.decoder import Decoder, DecoderConfig
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.tokenizer import train_tokenizer


@functools.cache
def tiny_model() -> LanguageModel:
    return tiny_of(train_tokenizer(TASKS))


def tiny_of(tokenizer) -> LanguageModel:
    config = DecoderConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    params = decoder.init(jax.random.key(3), config)
    params = {**params, "head": 2.5 * params["head"]}
    return LanguageModel(config, params, tokenizer, "tiny")


_FAST: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}
_logits = jax.jit(decoder.logits, static_argnums=0, compiler_options=_FAST)


def naive_scores(model, texts, answers) -> tuple[np.ndarray, np.ndarray]:
    """`log P(answer | text)` and the answers' lengths, `[B, A]`: each pair as its own sequence."""
    encode = model.tokenizer.encode
    starts = [len(encode(text)) for text in texts]
    whole = [[encode(text + answer) for answer in answers] for text in texts]
    width = max(len(tokens) for row in whole for tokens in row)
    tokens = np.zeros((len(texts) * len(answers), width), np.int32)
    for row, sequence in zip(tokens, itertools.chain(*whole), strict=True):
        row[: len(sequence)] = sequence
    logits = _logits(model.config, model.params, tokens)
    nats = np.asarray(jax.nn.log_softmax(logits)).reshape(len(texts), len(answers), width, -1)
    scores, lengths = np.zeros((2, len(texts), len(answers)))
    for i, start in enumerate(starts):
        for j, sequence in enumerate(whole[i]):
            assert sequence[:start] == encode(texts[i])
            places = range(start, len(sequence))
            scores[i, j] = sum(nats[i, j, place - 1, sequence[place]] for place in places)
            lengths[i, j] = len(places)
    return scores, lengths


def naive_hidden(model, texts) -> np.ndarray:
    """Hidden states `[B, D]` at the texts' last tokens: each text as one plain sequence."""
    rows = [model.tokenizer.encode(text) for text in texts]
    ends = np.array([len(row) for row in rows]) - 1
    shape = (1, len(rows), ends.max() + 1)
    tokens = np.zeros(shape, np.int32)
    for padded, row in zip(tokens[0], rows, strict=True):
        padded[: len(row)] = row
    places = np.broadcast_to(np.arange(shape[2]), shape)
    mask = np.broadcast_to(np.tri(shape[2], dtype=bool), (*shape, shape[2]))
    no_prefix = decoder.no_prefix(model.config)
    decode = jax.jit(Decoder(model.config).apply, compiler_options=_FAST)
    hidden, _ = decode({"params": model.params}, tokens, places, mask, *no_prefix)
    return np.asarray(hidden)[0, np.arange(len(rows)), ends]
