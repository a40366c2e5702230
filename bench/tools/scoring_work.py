"""What is scored, and by which models: random tokens, random weights.

Speed depends on neither, but a mistake would show in the scores, so weights are drawn large enough
that every token tells.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import DecoderConfig

LLAMA = DecoderConfig(
    vocab_size=1_000, hidden_size=192, intermediate_size=512, num_hidden_layers=6,
    num_attention_heads=6, num_key_value_heads=6, head_dim=32, tie_word_embeddings=True,
)  # fmt: skip
"""2.9 million weights."""


class Work(NamedTuple):
    """Tokens; what is scored are all answers behind all states, and a state is prompt + suffix."""

    prompt: np.ndarray
    """i32[P]: what all states begin with."""
    suffixes: np.ndarray
    """i32[B, T]"""
    answers: np.ndarray
    """i32[A, W]"""

    def sequences(self) -> np.ndarray:
        """Every state x answer in full, `i32[B * A, P + T + W]`."""
        batch, count = len(self.suffixes), len(self.answers)
        prompt = np.broadcast_to(self.prompt, (batch * count, len(self.prompt)))
        suffixes = np.repeat(self.suffixes, count, axis=0)
        return np.concatenate([prompt, suffixes, np.tile(self.answers, (batch, 1))], axis=1)

    def save(self, path: Path) -> None:
        """For another process, in the form that either side wants."""
        np.savez(path, **self._asdict(), sequences=self.sequences())

    @staticmethod
    def load(path: Path) -> Work:
        """What `save` wrote."""
        with np.load(path) as arrays:
            return Work(*(arrays[name] for name in Work._fields))


@dataclasses.dataclass(frozen=True)
class Point:
    """Sizes of a work."""

    prefix: int
    """Tokens that all states begin with."""
    suffix: int
    """Tokens of a state's own."""
    candidates: int
    """Answers that are scored behind every state."""
    length: int
    """Tokens of an answer; the last one is common to all, as the end of an action is."""
    batch: int
    """States."""

    def draw(self, vocab_size: int) -> Work:
        """Random tokens; answers share their last one only, so no word is run for two of them."""
        rng = np.random.default_rng(0)

        def tokens(*shape: int) -> np.ndarray:
            return rng.integers(0, vocab_size, shape).astype(np.int32)

        answers = tokens(self.candidates, self.length)
        answers[:, 0] = rng.choice(vocab_size, self.candidates, replace=False)
        answers[:, -1] = answers[0, -1]
        return Work(tokens(self.prefix), tokens(self.batch, self.suffix), answers)


FIRST = Point(prefix=96, suffix=16, candidates=4, length=2, batch=256)
LONG = Point(prefix=256, suffix=32, candidates=8, length=3, batch=64)


def write_gpt2(
    folder: Path, vocab_size: int = 1_000, width: int = 192, layers: int = 6, heads: int = 6
) -> None:
    """A GPT-2 as a Hugging Face directory without a tokenizer; 2.96 million weights."""
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int, gain: float = 1.0) -> np.ndarray:
        return rng.normal(0, gain * rows**-0.5, (rows, columns)).astype(np.float32)

    def vector(size: int, mean: float = 0.0) -> np.ndarray:
        return rng.normal(mean, 0.1, size).astype(np.float32)

    longest = 512
    tensors = {
        "wte.weight": matrix(width, vocab_size, gain=3.0).T,
        "wpe.weight": matrix(width, longest, gain=3.0).T,
        "ln_f.weight": vector(width, 1.0),
        "ln_f.bias": vector(width),
    }
    products = {
        "attn.c_attn": (width, 3 * width, 2.0), "attn.c_proj": (width, width, 1.0),
        "mlp.c_fc": (width, 4 * width, 1.0), "mlp.c_proj": (4 * width, width, 1.0),
    }  # fmt: skip
    for layer in range(layers):
        for name in ("ln_1", "ln_2"):
            tensors[f"h.{layer}.{name}.weight"] = vector(width, 1.0)
            tensors[f"h.{layer}.{name}.bias"] = vector(width)
        for name, (rows, columns, gain) in products.items():
            tensors[f"h.{layer}.{name}.weight"] = matrix(rows, columns, gain)
            tensors[f"h.{layer}.{name}.bias"] = vector(columns)
    fields = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": vocab_size,
        "n_embd": width, "n_layer": layers, "n_head": heads, "n_positions": longest,
        "bos_token_id": 0, "eos_token_id": 0,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(fields, indent=2) + "\n")
    safetensors.numpy.save_file(
        {f"transformer.{name}": np.ascontiguousarray(x) for name, x in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )


def random_weights(config: DecoderConfig, dtype: Any = jnp.float32) -> Any:
    """Weights on the device, in their dtype from the start, one leaf at a time.

    A large model then never needs more than its own bytes and a leaf's random bits.
    """
    shapes = jax.eval_shape(lambda: decoder.init(jax.random.key(0), config))
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes)
    keys = jax.random.split(jax.random.key(0), len(leaves))

    def one(key: jax.Array, path: Any, shape: tuple[int, ...]) -> jax.Array:
        name = path[-1].key
        if name == "scale":
            return jnp.ones(shape, dtype)
        fan_in = shape[-2] if name == "kernel" else config.hidden_size
        draw = jax.jit(lambda key: jax.random.normal(key, shape, dtype) * fan_in**-0.5)
        return draw(key)

    made = [one(key, path, leaf.shape) for key, (path, leaf) in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, made)
