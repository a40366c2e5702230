"""How families of decoders call their tensors in a Hugging Face directory, and where each belongs.

`families` says which names a `model_type` has.
"""

from __future__ import annotations

from typing import NamedTuple

from lprl_jax.lm.decoder_config import DecoderConfig


class Tensor(NamedTuple):
    """A tensor of the file and where it belongs."""

    key: str
    """In the file, behind the family's prefix; `{layer}` in those that every layer has."""
    path: tuple[str, ...]
    """In our parameters."""
    transpose: bool = False
    """Whether the file holds (out, in) where we hold (in, out)."""
    third: int | None = None
    """Which third of the columns, where queries, keys and values are one tensor."""


def llama(config: DecoderConfig) -> list[Tensor]:
    """Llama's, Mistral's and Qwen's names."""
    top = [
        Tensor("embed_tokens.weight", ("embedding",)),
        Tensor("norm.weight", ("norm", "scale")),
    ]
    layer = [
        ("input_layernorm", "attention_norm", ()),
        ("post_attention_layernorm", "mlp_norm", ()),
        *((f"self_attn.{n}_proj", n, ("bias",) * config.qkv_bias) for n in "qkv"),
        ("self_attn.o_proj", "o", ("bias",) * config.o_bias),
        *((f"mlp.{n}_proj", n, ("bias",) * config.mlp_bias) for n in ("gate", "up", "down")),
    ]
    if config.qk_norm:
        layer += [(f"self_attn.{n}_norm", f"{n}_norm", ()) for n in "qk"]
    for key, name, bias in layer:
        norm, stem = name.endswith("norm"), f"layers.{{layer}}.{key}"
        leaf = "scale" if norm else "kernel"
        top.append(Tensor(f"{stem}.weight", ("layers", name, leaf), transpose=not norm))
        top += [Tensor(f"{stem}.bias", ("layers", name, "bias")) for _ in bias]
    return top


def gpt2(config: DecoderConfig) -> list[Tensor]:
    """GPT-2's names. Its matrices are (in, out) in the file already."""
    del config
    names = [
        Tensor("wte.weight", ("embedding",)),
        Tensor("wpe.weight", ("positions",)),
        Tensor("ln_f.weight", ("norm", "scale")),
        Tensor("ln_f.bias", ("norm", "bias")),
    ]
    for key, name in (("ln_1", "attention_norm"), ("ln_2", "mlp_norm")):
        names += [
            Tensor(f"h.{{layer}}.{key}.weight", ("layers", name, "scale")),
            Tensor(f"h.{{layer}}.{key}.bias", ("layers", name, "bias")),
        ]
    for leaf, theirs in (("kernel", "weight"), ("bias", "bias")):
        names += [
            Tensor(f"h.{{layer}}.attn.c_attn.{theirs}", ("layers", name, leaf), third=third)
            for third, name in enumerate("qkv")
        ]
        for key, name in (("attn.c_proj", "o"), ("mlp.c_fc", "up"), ("mlp.c_proj", "down")):
            names.append(Tensor(f"h.{{layer}}.{key}.{theirs}", ("layers", name, leaf)))
    return names
