"""Operations and bytes, against counts worked by hand."""

import dataclasses
import importlib
from typing import Any

import pytest

from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.scoring import Trie

costs: Any = importlib.import_module("tools.scoring_costs")

# Two query heads and one key-value head, of width 2.
CONFIG = DecoderConfig(
    vocab_size=10, hidden_size=4, intermediate_size=6, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=1, head_dim=2, tie_word_embeddings=True,
)  # fmt: skip
# Matrices of a token and layer: q 4 x 4, k and v 4 x 2, o 4 x 4, three of 4 x 6: 120 products,
# of which keys and values are 16.


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # Nodes (1) and (2). 4 tokens see 3 each of the prefix, 1 + 2 and 2 + 2 of the suffix, and
        # themselves: 21. 2 · 4 · 120 + 4 · 4 · 21. Of the last layer 3 tokens are read, which see
        # 9 + 2 + 4 + 2: 2 (4 · 16 + 3 · 104) + 4 · 4 · 17. 3 rows · 2 · 10 · 4.
        (((1, 9), (2, 9)), 960 + 336 + 752 + 272 + 240),
        # Nodes (1), (1, 2), (1, 4). 5 tokens: 15 + 3 + 6 and 1 + 2 + 2 of their own: 29.
        # Last layer: 2 (5 · 16 + 4 · 104) + 4 · 4 · 25.
        (((1, 2, 3), (1, 4, 3)), 1_200 + 464 + 992 + 400 + 320),
        # No nodes: the answers are predicted at the suffix's end. 2 tokens see 6 + 3; the last 5.
        (((1,), (2,)), 480 + 144 + 272 + 80 + 80),
    ],
)
def test_operations_by_hand(answers: tuple[tuple[int, ...], ...], expected: int) -> None:
    assert costs.flops(CONFIG, prefix=3, suffix=2, trie=Trie.build(answers)) == expected


def test_a_plain_feed_forward_layer_has_two_matrices() -> None:
    config = dataclasses.replace(CONFIG, mlp="plain")
    trie = Trie.build(((1, 9), (2, 9)))
    assert costs.flops(config, prefix=3, suffix=2, trie=trie) == 768 + 336 + 608 + 272 + 240


def test_memory_by_hand() -> None:
    plan = costs.memory_plan(CONFIG, prefix=3, suffix=2, nodes=2, batch=5)
    # Embedding 40, two layers of 120 and two norms of 4, a last norm.
    assert plan.weights == 4 * (40 + 2 * (120 + 8) + 4)
    # Keys and values, 2 layers, 3 tokens, one head of 2.
    assert plan.prefix == 4 * 2 * 2 * 3 * 2
    # 20 rows: 4 wide; q 4, k 2, v 2, out 4; two heads' scores against 3 + 4, twice.
    assert plan.activations == 4 * 20 * (4 + 12 + 2 * 2 * 7)
    assert plan.total == 1_200 + 96 + 3_520
    assert str(plan).startswith("0.0 MB planned (weights 0.0, prefix 0.0, activations 0.0)")


def test_memory_of_more_prefixes_and_smaller_weights() -> None:
    plan = costs.memory_plan(CONFIG, 3, 2, 2, batch=5, prefixes=50, itemsize=2)
    assert plan.weights == 600
    assert plan.prefix == 50 * 48
    assert plan.activations == 20 * (2 * (4 + 12) + 4 * 2 * 2 * 7)  # scores stay f32


def test_memory_of_the_widest_part() -> None:
    wide = dataclasses.replace(CONFIG, intermediate_size=100)
    assert costs.memory_plan(wide, 3, 2, 2, batch=5).activations == 4 * 20 * (4 + 200)
    many = dataclasses.replace(CONFIG, vocab_size=1 << 20)
    assert costs.memory_plan(many, 3, 2, 2, batch=5).activations == 4 * 20 * 4 + 4 * 15 * 2**20
    # 3,000 rows of logits are run in chunks.
    plan = costs.memory_plan(many, 3, 2, 2, batch=1_000)
    assert plan.activations == 4 * 4_000 * 4 + 4 * costs.scoring.HEAD_ROWS * 2**20
