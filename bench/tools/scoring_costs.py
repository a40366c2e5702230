"""What scoring must cost: floating-point operations of a state, and bytes of a program."""

from __future__ import annotations

import dataclasses
import math

import jax

from lprl_jax.lm import decoder, scoring
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.scoring import Trie

F32 = 4
"""Bytes of what is computed in f32 whatever the weights are."""


def flops(
    config: DecoderConfig, prefix: int, suffix: int, trie: Trie, normalised: int | None = None
) -> int:
    """Of one state behind a prefix that is there already; a product and a sum count as two.

    The tokens are the n = T + N of the suffix and of the trie's inner nodes; answers are predicted
    at r = 1 + N of them, the suffix's last one and the nodes. With Q and K the widths of all query
    and of all key-value heads, D the model's, F the feed-forward layer's, V the vocabulary, and
    m = 3 if the feed-forward layer is gated, else 2:

    * matrices of a layer: 2 n (2 D K + 2 D Q + m D F); of the last one, of which only r tokens are
      read, 2 n 2 D K + 2 r (2 D Q + m D F);
    * attention of a layer: 2 Q s for the scores and as much for the values, where s is the sum over
      the tokens of how many they see: the prefix P, and a suffix token those up to itself, a node
      the suffix, its ancestors and itself. s = n P + T (T + 1) / 2 + N T + (the nodes' own); in the
      last layer r P + T + N T + (the nodes' own);
    * head: 2 V D in each row whose log-sum-exp is needed, `normalised` of them, by default all r.
      The first token's is the same for all answers and cancels in probabilities: N are left.

    Norms, softmax and rotations are not counted.
    """
    c, nodes, own = config, len(trie.tokens), int(trie.sees.sum())
    tokens, read = suffix + nodes, 1 + nodes
    queries, keys = (count * c.head_dim for count in (c.num_attention_heads, c.num_key_value_heads))
    inside = (3 if c.mlp == "gated" else 2) * c.intermediate_size

    def layer(rows: int, suffix_sees: int) -> int:
        matrices = 2 * c.hidden_size * (tokens * 2 * keys + rows * (2 * queries + inside))
        seen = rows * prefix + suffix_sees + nodes * suffix + own
        return matrices + 4 * queries * seen

    whole, last = layer(tokens, suffix * (suffix + 1) // 2), layer(read, suffix)
    head = 2 * (read if normalised is None else normalised) * c.vocab_size * c.hidden_size
    return (c.num_hidden_layers - 1) * whole + last + head


@dataclasses.dataclass(frozen=True)
class MemoryPlan:
    """Bytes that a scorer is expected to hold at once."""

    weights: int
    """Of the model."""
    prefix: int
    """Keys and values of the prefixes."""
    activations: int
    """Of one layer or of the head, whichever holds more."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.prefix + self.activations

    def __str__(self) -> str:
        parts = dataclasses.asdict(self).items()
        listed = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in parts)
        return f"{self.total / 1e6:.1f} MB planned ({listed})"


def memory_plan(
    config: DecoderConfig,
    prefix: int,
    suffix: int,
    nodes: int,
    batch: int,
    prefixes: int = 1,
    itemsize: int = F32,
) -> MemoryPlan:
    """Of `batch` states that are run at once.

    Beside the residual stream, a layer holds queries, keys, values and attention's output, with the
    f32 scores of every head against prefix and suffix, before and behind their exponential; or the
    inside of its feed-forward layer. The head holds a chunk of f32 logits.

    Args:
        config: Of the model.
        prefix: Tokens.
        suffix: Tokens.
        nodes: Inner nodes of the trie.
        batch: States that are run at once; the chunk, where there are chunks.
        prefixes: How many there are.
        itemsize: Bytes of a weight.
    """
    c = config
    shapes = jax.eval_shape(lambda: decoder.init(jax.random.key(0), c))
    rows = batch * (suffix + nodes)
    heads = c.num_attention_heads + c.num_key_value_heads
    scores = rows * c.num_attention_heads * (prefix + suffix + nodes)
    attention = rows * 2 * heads * c.head_dim * itemsize + 2 * scores * F32
    inside = rows * c.intermediate_size * (2 if c.mlp == "gated" else 1) * itemsize
    logits = min(scoring.HEAD_ROWS, batch * (1 + nodes)) * c.vocab_size * F32
    key_values = 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim
    return MemoryPlan(
        weights=sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) * itemsize,
        prefix=prefixes * prefix * key_values * itemsize,
        activations=rows * c.hidden_size * itemsize + max(attention, inside, logits),
    )
