"""What shape a decoder-only transformer has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from lprl_envs import InvalidInput

from lprl_jax.field_help import described
from lprl_jax.lm.layers import RopeFactors, RopeScaling, require_positive


@described
@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """Shape of a model; names as in `transformers.LlamaConfig`, defaults those of Llama."""

    vocab_size: int
    """Rows of the embedding."""
    hidden_size: int
    """D."""
    intermediate_size: int
    """F."""
    num_hidden_layers: int
    """L."""
    num_attention_heads: int
    """Query heads, K * R."""
    num_key_value_heads: int
    """K; fewer than the query heads in grouped-query attention."""
    head_dim: int
    """H; need not be D over the number of heads."""
    max_position_embeddings: int = 2048
    """The longest text, in tokens."""
    positions: Literal["rotary", "learned"] = "rotary"
    """Rotated keys and queries, or an embedding that is added (GPT-2)."""
    rope_theta: float = 10_000.0
    """Base of the rotary position embedding."""
    rope_scaling: RopeScaling | RopeFactors | None = None
    """How it is stretched."""
    norm: Literal["rms", "layer"] = "rms"
    """By the root mean square, or by mean and variance with a bias (GPT-2)."""
    norm_eps: float = 1e-6
    """Added to the mean square or the variance."""
    qk_norm: bool = False
    """Whether the heads of queries and keys are normalised before they are rotated (Qwen3)."""
    qkv_bias: bool = False
    """Whether queries, keys and values have biases (GPT-2, Qwen2)."""
    o_bias: bool = False
    """Whether attention's output has one (GPT-2)."""
    mlp: Literal["gated", "plain"] = "gated"
    """down(act(gate x) * up x), or down(act(up x)) (GPT-2)."""
    mlp_bias: bool = False
    """Whether its matrices have biases (GPT-2)."""
    hidden_act: str = "silu"
    """One of `layers.ACTIVATIONS`."""
    tie_word_embeddings: bool = False
    """Whether the output head is the embedding."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if a value makes no model."""
        require_sizes(
            {
                field.name: getattr(self, field.name)
                for field in dataclasses.fields(self)
                if field.type == "int"
            }
        )
        require_positive({"rope_theta": self.rope_theta, "norm_eps": self.norm_eps})
        if self.num_attention_heads % self.num_key_value_heads:
            raise InvalidInput(
                f"num_attention_heads is {self.num_attention_heads}; it must be a multiple of "
                f"num_key_value_heads, {self.num_key_value_heads}"
            )
        if self.positions == "rotary" and self.head_dim % 2:
            raise InvalidInput(
                f"head_dim is {self.head_dim}; it must be even, for pairs are rotated"
            )


def require_sizes(values: Mapping[str, Any]) -> None:
    """Raises InvalidInput if one is no whole number above 0."""
    for name, value in values.items():
        if type(value) is not int or value < 1:
            raise InvalidInput(f"{name} is {value!r}; it must be a whole number above 0")
