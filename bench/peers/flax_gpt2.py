"""Scoring answers the way one does it with transformers' Flax GPT-2.

Every state x answer is a sequence of its own, run from its first token to its last; the answer's
log-probabilities are gathered from the log-softmax over the vocabulary, and summed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from transformers import FlaxGPT2LMHeadModel


def load(folder: Path) -> tuple[Any, Any]:
    """The model and its weights."""
    model: Any = FlaxGPT2LMHeadModel.from_pretrained(folder)
    return model, model.params


def scorer(model: Any, width: int) -> Callable[[Any, jax.Array], jax.Array]:
    """`(weights, sequences i32[N, L]) -> f32[N]`: log P of each sequence's last `width` tokens."""

    def score(params: Any, sequences: jax.Array) -> jax.Array:
        logits = model(sequences, params=params).logits
        log_probs = jax.nn.log_softmax(logits[:, -width - 1 : -1], axis=-1)
        answers = sequences[:, -width:, None]
        return jnp.sum(jnp.take_along_axis(log_probs, answers, axis=-1), axis=(1, 2))

    return score
