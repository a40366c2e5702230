"""Writing token by token: equal to running the whole text again for every token."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.lm import decoder, generation

NAME = "grouped-tied"
NUM = 5

plain_logits = jax.jit(decoder.logits, static_argnums=0)


@pytest.fixture(scope="module")
def texts():
    """Three texts, as `(tokens, valid)` with holes, the last column valid."""
    rng = np.random.default_rng(0)
    valid = rng.random((3, 7)) < 0.6
    valid[:, -1] = True
    return rng.integers(0, 61, valid.shape).astype(np.int32), valid


def write(tiny, texts, choose, seed=0):
    model = tiny(NAME)[0]
    keys = jax.random.split(jax.random.key(seed), 3)
    run = jax.jit(generation.generate, static_argnums=(0, 5, 6))
    return np.asarray(run(model.config, model.params, *texts, keys, NUM, choose)), keys


def logits_of(model, text):
    """After the last token of a plain text."""
    padded = np.zeros((1, 16), np.int32)
    padded[0, : len(text)] = text
    return plain_logits(model.config, model.params, padded)[0, len(text) - 1]


def test_greedy_is_the_most_likely_token_of_the_text_so_far(tiny, texts):
    written, _ = write(tiny, texts, generation.greedy)
    assert written.shape == (3, NUM)
    assert written.dtype == np.int32
    for tokens, valid, tail in zip(*texts, written, strict=True):
        text = tokens[valid].tolist()
        for token in tail.tolist():
            assert token == int(jnp.argmax(logits_of(tiny(NAME)[0], text)))
            text.append(token)


def test_draws_are_those_of_softmax_with_a_temperature(tiny, texts):
    written, keys = write(tiny, texts, generation.sampled(2.0))
    for tokens, valid, tail, key in zip(*texts, written, keys, strict=True):
        text = tokens[valid].tolist()
        for token, step_key in zip(tail.tolist(), jax.random.split(key, NUM), strict=True):
            logits = logits_of(tiny(NAME)[0], text) / 2.0
            assert token == int(jax.random.categorical(step_key, logits))
            text.append(token)
    assert (write(tiny, texts, generation.sampled(2.0), seed=1)[0] != written).any()
