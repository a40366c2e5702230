"""Families of decoders as Hugging Face keeps them: what their config means.

A family is one line of `FAMILIES`; how its tensors are called is in `tensor_names`. Whatever in a
config would change the result and is not implemented is refused by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lprl_envs import InvalidInput

from lprl_jax.lm import tensor_names
from lprl_jax.lm.decoder_config import DecoderConfig, require_sizes
from lprl_jax.lm.hugging_face import quiet
from lprl_jax.lm.layers import ACTIVATIONS, RopeScaling
from lprl_jax.lm.tensor_names import Tensor

Fields = Mapping[str, Any]


class Family(NamedTuple):
    """What is known of a `model_type`."""

    required: tuple[str, ...]
    """Sizes without which there is no model."""
    implemented: Mapping[str, tuple[Any, ...]]
    """Fields that change the result, with the values that are implemented."""
    config: Callable[[Fields], DecoderConfig]
    """From the fields, completed by transformers' defaults."""
    tensors: Callable[[DecoderConfig], list[Tensor]]
    """All there are, but the head."""
    prefix: str
    """Of all keys but the head's; a file of the bare model has none."""
    ignored: tuple[str, ...]
    """Ends of keys that hold no weights: masks and frequencies that are computed."""


def _llama_config(fields: Fields, **family: Any) -> DecoderConfig:
    heads = fields["num_attention_heads"]
    theta, scaling = _rope(fields)
    return DecoderConfig(
        vocab_size=fields["vocab_size"],
        hidden_size=fields["hidden_size"],
        intermediate_size=fields["intermediate_size"],
        num_hidden_layers=fields["num_hidden_layers"],
        num_attention_heads=heads,
        num_key_value_heads=fields["num_key_value_heads"],
        head_dim=fields.get("head_dim") or fields["hidden_size"] // heads,
        max_position_embeddings=_context(fields),
        rope_theta=theta,
        rope_scaling=scaling,
        norm_eps=fields["rms_norm_eps"],
        mlp_bias=bool(fields.get("mlp_bias")),
        hidden_act=fields["hidden_act"],
        tie_word_embeddings=fields["tie_word_embeddings"],
        **family,
    )


def _llama(fields: Fields) -> DecoderConfig:
    bias, unread = bool(fields["attention_bias"]), {"sliding_window": None}
    return _llama_config({**fields, **unread}, qkv_bias=bias, o_bias=bias)


def _qwen3(fields: Fields) -> DecoderConfig:
    bias = bool(fields["attention_bias"])
    return _llama_config(fields, qkv_bias=bias, o_bias=bias, qk_norm=True)


def _context(fields: Fields) -> int:
    """The longest text; shorter than a sliding window, every token still sees all before it.

    Transformers has set Qwen's window to None unless `use_sliding_window`; Mistral's is always
    there.
    """
    limits: dict[str, Any] = {"max_position_embeddings": fields["max_position_embeddings"]}
    if fields.get("sliding_window") is not None:
        limits["sliding_window"] = fields["sliding_window"]
    require_sizes(limits)
    return min(limits.values())


def _rope(fields: Fields) -> tuple[float, RopeScaling | None]:
    """Base and scaling, from where transformers 4 and transformers 5 keep them.

    Transformers 5 writes all of it into `rope_parameters`, and reads an older `rope_scaling` in its
    place.
    """
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(fields.get(name), Mapping | None):
            raise InvalidInput(f"{name} is {fields[name]!r}; it is an object with rope_type")
    newer, older = fields.get("rope_parameters") or {}, fields.get("rope_scaling") or {}
    if newer and older and _scaling(newer) != _scaling(older):
        raise InvalidInput(f"rope_scaling is {older} and rope_parameters {newer}; which is right?")
    for name, value in {**older, **newer}.items():
        if isinstance(value, Mapping):
            raise InvalidInput(
                f"rope_parameters has {name} = {dict(value)}; one for each kind of layer is not "
                "implemented"
            )
    factor = newer.get("partial_rotary_factor", older.get("partial_rotary_factor"))
    if factor not in (None, 1):
        raise InvalidInput(
            f"partial_rotary_factor = {factor!r} is not implemented; implemented: None, 1"
        )
    theta = fields.get("rope_theta", 10_000.0)
    theta = newer.get("rope_theta", older.get("rope_theta", theta))
    scaling = _scaling(newer or older)
    kind = scaling.get("rope_type", "default")
    if kind == "default":
        return theta, None
    if kind not in ("linear", "llama3"):
        raise InvalidInput(
            f"rope_scaling of type {kind!r} is not implemented; implemented: default, linear, "
            "llama3"
        )
    every = [field.name for field in dataclasses.fields(RopeScaling)]
    names = every if kind == "llama3" else ["factor"]
    missing = [name for name in names if name not in scaling]
    if missing:
        raise InvalidInput(f"rope_scaling of type {kind!r} lacks {', '.join(missing)}")
    return theta, RopeScaling(**{name: scaling[name] for name in names})


def _scaling(rope: Fields) -> dict[str, Any]:
    """What of it scales the frequencies; `type` is how `rope_type` was called at first."""
    kind = rope.get("rope_type", rope.get("type", "default"))
    without = ("type", "rope_theta", "partial_rotary_factor")
    return {**{k: v for k, v in rope.items() if k not in without}, "rope_type": kind}


def _gpt2(fields: Fields) -> DecoderConfig:
    width, heads = fields["n_embd"], fields["n_head"]
    return DecoderConfig(
        vocab_size=fields["vocab_size"],
        hidden_size=width,
        intermediate_size=fields["n_inner"] or 4 * width,
        num_hidden_layers=fields["n_layer"],
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=width // heads,
        max_position_embeddings=fields["n_positions"],
        positions="learned",
        norm="layer",
        norm_eps=fields["layer_norm_epsilon"],
        qkv_bias=True,
        o_bias=True,
        mlp="plain",
        mlp_bias=True,
        hidden_act=fields["activation_function"],
        tie_word_embeddings=fields["tie_word_embeddings"],
    )


_LLAMA_REQUIRED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)
_COMMON: dict[str, tuple[Any, ...]] = {"quantization_config": (None,)}
_LLAMA_COMMON = {
    **_COMMON,
    "hidden_act": tuple(ACTIVATIONS),
    "partial_rotary_factor": (None, 1, 1.0),
}


def _llama_like(config: Callable[[Fields], DecoderConfig]) -> Family:
    return Family(
        _LLAMA_REQUIRED,
        _LLAMA_COMMON,
        config,
        tensor_names.llama,
        "model.",
        ("rotary_emb.inv_freq",),
    )


FAMILIES = {
    "gpt2": Family(
        required=("vocab_size", "n_embd", "n_layer", "n_head"),
        implemented={
            **_COMMON,
            "activation_function": tuple(ACTIVATIONS),
            "scale_attn_weights": (True,),
            "scale_attn_by_inverse_layer_idx": (False,),
            "add_cross_attention": (False,),
        },
        config=_gpt2,
        tensors=tensor_names.gpt2,
        prefix="transformer.",
        ignored=(".attn.bias", ".attn.masked_bias"),
    ),
    "llama": _llama_like(_llama),  # Llama 2 and 3, TinyLlama, SmolLM2
    "mistral": _llama_like(_llama_config),
    "qwen2": _llama_like(lambda fields: _llama_config(fields, qkv_bias=True)),  # Qwen1.5 to 2.5
    "qwen3": _llama_like(_qwen3),
}
"""By `model_type`."""


def parse(fields: Fields) -> DecoderConfig:
    """The model that a config.json describes; what it leaves out is as transformers has it.

    Raises:
        InvalidInput: if its family is unknown, a field that changes the result is missing or not
            implemented, or a value makes no model.
    """
    kind = _family(fields)
    return of_fields(kind, _complete(kind, fields))


def _family(fields: Fields) -> str:
    """The `model_type`, of whose family there is what must be there."""
    kind = fields.get("model_type")
    if kind not in FAMILIES:
        raise InvalidInput(
            f"model_type is {kind!r}; this decoder reads {', '.join(FAMILIES)}, and "
            "FlaxLanguagePrior what transformers has as a Flax model"
        )
    family = FAMILIES[kind]
    missing = [name for name in family.required if name not in fields]
    if missing:
        raise InvalidInput(f"it lacks {', '.join(missing)}")
    require_sizes({name: fields[name] for name in family.required})
    return kind


def of_fields(kind: str, known: Fields) -> DecoderConfig:
    """The model of a family, all of whose fields are known.

    Raises:
        InvalidInput: if a field that changes the result is not implemented, or a value makes no
            model.
    """
    family = FAMILIES[kind]
    for name, implemented in family.implemented.items():
        if known.get(name, implemented[0]) not in implemented:
            raise InvalidInput(
                f"{name} = {known[name]!r} is not implemented; "
                f"implemented: {', '.join(map(repr, implemented))}"
            )
    return family.config(known)


def tensors(kind: str, config: DecoderConfig) -> list[tuple[Tensor, int | None]]:
    """Every tensor of a family but the head, and its layer, with its key in full."""
    rows: list[tuple[Tensor, int | None]] = []
    for tensor in FAMILIES[kind].tensors(config):
        if tensor.path[0] != "layers":
            rows.append((tensor, None))
            continue
        rows += [
            (tensor._replace(key=tensor.key.format(layer=layer)), layer)
            for layer in range(config.num_hidden_layers)
        ]
    return rows


def _complete(kind: str, fields: Fields) -> dict[str, Any]:
    """The fields with what transformers takes for those that are not there."""
    from transformers import AutoConfig

    given = {name: value for name, value in fields.items() if name != "model_type"}
    if given.get("quantization_config") is None:  # transformers trips over null
        given.pop("quantization_config", None)
    try:
        with quiet():
            return AutoConfig.for_model(kind, **given).to_dict()
    except Exception as error:  # whatever a field's value makes transformers raise
        raise InvalidInput(f"transformers refuses it: {' '.join(str(error).split())}") from None
