"""SmolLM2 as `lprl fetch` brings it: its logits are torch's, its tokens those of its own tokenizer.

`make_smollm2.py` has written what is right. The model is fetched, where it is not there yet.
"""

import functools
import hashlib
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from lprl_jax.lm import checkpoint, decoder, fetched, named

pytestmark = pytest.mark.vocabularies

RIGHT = Path(__file__).with_name("smollm2.npz")
EVERY = 128


@functools.cache
def right():
    with np.load(RIGHT) as file:
        return dict(file)


@functools.cache
def model_file():
    path, _ = fetched.fetch("smollm2")
    return path


@pytest.mark.parametrize(("group", "count"), [("worlds", 10_000), ("others", 1_000)])
def test_tokens_of_our_texts_and_of_other_prose(group, count):
    assert model_file() == named.path_of("smollm2")
    tokenizer = named.tokenizer_of("smollm2")
    texts = json.loads(str(right()[f"{group}_texts"]))
    assert len(texts) == count
    for text, digest in zip(texts, right()[f"{group}_digests"], strict=True):
        tokens = np.array(tokenizer.encode(text), np.int32).tobytes()
        found = np.frombuffer(hashlib.sha256(tokens).digest()[:8], np.uint64)[0]
        assert found == digest, text


def test_logits_are_torchs():
    """To 2e-4, of every 128th token; and the log-sum-exp of all."""
    model = checkpoint.load(model_file())
    logits_of = jax.jit(decoder.logits, static_argnums=0)
    for i in range(4):
        tokens = right()[f"tokens_{i}"]
        logits = np.asarray(logits_of(model.config, model.params, tokens[None]))[0]
        np.testing.assert_allclose(logits[:, ::EVERY], right()[f"logits_{i}"], atol=2e-4)
        total = jax.nn.logsumexp(logits, axis=-1)
        np.testing.assert_allclose(total, right()[f"lse_{i}"], atol=2e-4)
