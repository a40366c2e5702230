"""On a GPU: how much of its matrix rate larger models use, in bf16, at several batches.

Shapes are those of Qwen3-0.6B and Llama-3.2-1B; weights are random and made on the device. The rate
is that of a large matrix product in bf16, in turns with the scorer.
"""

from __future__ import annotations

import dataclasses
import statistics

import jax
import jax.numpy as jnp
from tools import scorers
from tools.scoring_costs import flops
from tools.scoring_work import Point, random_weights
from tools.timing import REPEATS, Row, compiled, race, rows, unmeasured

from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.scoring import Trie

SHAPES = {
    "0.6B": DecoderConfig(
        vocab_size=151_936, hidden_size=1_024, intermediate_size=3_072, num_hidden_layers=28,
        num_attention_heads=16, num_key_value_heads=8, head_dim=128, rope_theta=1e6, qk_norm=True,
        tie_word_embeddings=True,
    ),
    "1B": DecoderConfig(
        vocab_size=128_256, hidden_size=2_048, intermediate_size=8_192, num_hidden_layers=16,
        num_attention_heads=32, num_key_value_heads=8, head_dim=64, rope_theta=5e5,
        tie_word_embeddings=True,
    ),
}  # fmt: skip
BATCHES = (256, 1_024, 4_096)
MATRIX = 8_192


def run(point: Point) -> list[Row]:
    """A row a model and batch; the note says the utilisation."""
    if jax.default_backend() != "gpu":
        return [
            unmeasured(name(model, batch), "states/s", "no GPU")
            for model in SHAPES
            for batch in BATCHES
        ]
    return [row for model, config in SHAPES.items() for row in measure(model, config, point)]


def name(model: str, batch: int) -> str:
    """Of a row."""
    return f"scoring/gpu/{model}_B{batch}"


def measure(model: str, config: DecoderConfig, point: Point) -> list[Row]:
    """One model at all batches."""
    params = random_weights(config, jnp.bfloat16)
    square = jax.random.normal(jax.random.key(0), (MATRIX, MATRIX), jnp.bfloat16)
    peak = f"scoring/gpu/matmul_beside_{model}"
    contenders = {
        peak: compiled(
            jnp.matmul, square, square, amount=2 * MATRIX**3 / 1e9, unit="GFLOP/s",
            note=f"bf16, {MATRIX} x {MATRIX} x {MATRIX}",
        )
    }  # fmt: skip
    works = {
        batch: dataclasses.replace(point, batch=batch).draw(config.vocab_size) for batch in BATCHES
    }
    for batch, work in works.items():
        contenders[name(model, batch)] = scorers.shared_prefix(config, params, work)
    seconds = race(contenders, REPEATS)
    trie = Trie.build(works[BATCHES[0]].answers.tolist())
    a_state = flops(config, point.prefix, point.suffix, trie) / 1e9

    def utilisation(batch: int) -> float:
        pairs = zip(seconds[name(model, batch)], seconds[peak], strict=True)
        scale = batch * a_state / contenders[peak].amount
        return statistics.median(scale * theirs / ours for ours, theirs in pairs)

    for batch in BATCHES:
        contenders[name(model, batch)] = dataclasses.replace(
            contenders[name(model, batch)],
            note=f"{a_state:,.1f} GFLOP a state; {utilisation(batch):.1%} of the product's rate",
        )
    return rows(contenders, seconds)
