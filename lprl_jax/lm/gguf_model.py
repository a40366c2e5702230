"""A model in a GGUF file: what its metadata mean, and which tensor is which.

The metadata become the fields of a config.json, which `families` knows; the tensors get Hugging
Face's keys. Three things stand otherwise in the file than there:

* of the architecture `llama` the rows of queries and keys are interleaved, head by head: pairs that
  are rotated together stand side by side, and not half a head apart;
* GPT-2's matrices are (out, in), and (in, out) there;
* Llama 3's stretched positions are a tensor of factors, `rope_freqs.weight`.

Whatever in the metadata would change the result and is not implemented is refused by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import jax
import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.lm import families, gguf_tokenizer, weights
from lprl_jax.lm.decoder_config import DecoderConfig, require_sizes
from lprl_jax.lm.gguf_files import GgufFile, GgufTensors, View, is_readable, opened
from lprl_jax.lm.layers import RopeFactors

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gpt2": gguf.MODEL_ARCH.GPT2,
}
"""By `general.architecture`; Mistral's files say `llama`."""
ROPE_FACTORS = "rope_freqs.weight"
TRANSPOSED = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
"""Ends of GPT-2's keys."""

READ = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.layer_norm_epsilon",
    "attention.sliding_window",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scale_linear",
)
"""Of the metadata of an architecture."""
UNREAD = ("vocab_size", "tensor_data_layout", "rope.scaling.finetuned", "use_parallel_residual")
"""Those that say what is known otherwise, or how the file was made."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "expert_count": (0,),
    "expert_used_count": (0,),
    "attention.causal": (True,),
    "rope.scaling.attn_factor": (0, 1),
    "rope.scaling.original_context_length": (0,),
}
"""Those that change nothing with these values."""


def load(path: Path, dtype: Any, mesh: jax.sharding.Mesh | None) -> tuple[DecoderConfig, Any, Any]:
    """Config, weights and tokenizer of a file.

    Raises:
        InvalidInput: if it is no GGUF file, is damaged or a part, or its architecture, a field, a
            quantisation or the tokenizer is not implemented; before any weight is read.
    """
    file = opened(path)
    kind, config = read_config(file)
    tokenizer = gguf_tokenizer.read(file)
    params = weights.load(tensors(file, kind, config), path, kind, config, dtype, mesh)
    return config, params, tokenizer


def read_config(file: GgufFile) -> tuple[str, DecoderConfig]:
    """The family, and the model that the metadata describe.

    Raises:
        InvalidInput: as `load`.
    """
    arch = _architecture(file)
    _refuse_unknown(file, arch)
    fields = _gpt2(file) if arch == "gpt2" else _llama_like(file, arch)
    try:
        config = families.of_fields(fields["model_type"], fields)
    except InvalidInput as error:
        raise InvalidInput(f"{file.path}: {error}") from None
    if ROPE_FACTORS in file.tensors:
        config = dataclasses.replace(config, rope_scaling=_factors(file, config))
    return fields["model_type"], config


def family(path: Path) -> str:
    """The family of a file's model, one of `families.FAMILIES`.

    Raises:
        InvalidInput: as `read_config`.
    """
    return read_config(opened(path))[0]


def tensors(file: GgufFile, kind: str, config: DecoderConfig) -> GgufTensors:
    """The file's tensors by Hugging Face's keys."""
    arch = _architecture(file)
    names = gguf.get_tensor_name_map(ARCHITECTURES[arch], config.num_hidden_layers)
    keys = [weights.HEAD.key, *(tensor.key for tensor, _ in weights.rows(kind, config))]
    key_of: dict[str, str | None] = {ROPE_FACTORS: None}
    for key in keys:
        name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if name is not None:
            key_of[name] = key
    ordered: Callable[[str, View], View]
    if arch == "llama":
        ordered = _rows_of_llama(config)
    elif arch == "gpt2":
        ordered = _columns_of_gpt2
    else:
        ordered = _as_it_is
    return GgufTensors(file, lambda name: key_of.get(name, name), ordered)


def _architecture(file: GgufFile) -> str:
    arch = file.text("general.architecture")
    if arch not in ARCHITECTURES:
        raise InvalidInput(
            f"{file.path} is a model of the architecture {arch!r}; this decoder reads "
            f"{', '.join(ARCHITECTURES)} (Mistral's are llama)"
        )
    return arch


def _refuse_unknown(file: GgufFile, arch: str) -> None:
    for key in file.keys:
        name = key.removeprefix(f"{arch}.")
        if name == key or name in READ or name in UNREAD:
            continue
        if file.get(key) not in NEUTRAL.get(name, ()):
            raise InvalidInput(f"{file.path}: {key} = {file.get(key)!r} is not implemented")


def _llama_like(file: GgufFile, arch: str) -> dict[str, Any]:
    """The fields of a config.json."""

    def get(name: str, default: Any = None) -> Any:
        return file.get(f"{arch}.{name}", default)

    def size(name: str) -> Any:
        return _size(file, f"{arch}.{name}")

    width, heads = size("embedding_length"), size("attention.head_count")
    head_dim = get("attention.key_length", width // heads)
    for name in ("attention.value_length", "rope.dimension_count"):
        if get(name, head_dim) != head_dim:
            raise InvalidInput(
                f"{file.path}: {arch}.{name} = {get(name)!r} is not implemented with heads of "
                f"{head_dim}; implemented: the same"
            )
    window = get("attention.sliding_window")
    fields = {
        "model_type": "mistral" if arch == "llama" and window else arch,
        "vocab_size": _vocabulary(file),
        "hidden_size": width,
        "intermediate_size": size("feed_forward_length"),
        "num_hidden_layers": size("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": get("attention.head_count_kv", heads),
        "head_dim": head_dim,
        "max_position_embeddings": size("context_length"),
        "rms_norm_eps": file.require(f"{arch}.attention.layer_norm_rms_epsilon"),
        "rope_theta": get("rope.freq_base", 10_000.0),
        "rope_scaling": _scaling(file, arch),
        "hidden_act": "silu",
        "attention_bias": arch == "llama" and "blk.0.attn_q.bias" in file.tensors,
        "mlp_bias": "blk.0.ffn_up.bias" in file.tensors,
        "tie_word_embeddings": "output.weight" not in file.tensors,
    }
    if window:
        fields |= {"sliding_window": window, "use_sliding_window": True}
    return fields


def _scaling(file: GgufFile, arch: str) -> dict[str, Any] | None:
    kind = file.get(f"{arch}.rope.scaling.type", "linear")
    factor = file.get(f"{arch}.rope.scaling.factor", file.get(f"{arch}.rope.scale_linear", 1.0))
    if kind not in ("none", "linear"):
        raise InvalidInput(
            f"{file.path}: {arch}.rope.scaling.type = {kind!r} is not implemented; implemented: "
            f"none, linear, and Llama 3's {ROPE_FACTORS}"
        )
    return None if kind == "none" or factor in (0, 1) else {"rope_type": "linear", "factor": factor}


def _factors(file: GgufFile, config: DecoderConfig) -> RopeFactors:
    """Llama 3's stretched positions."""
    tensor = file.tensors[ROPE_FACTORS]
    if not is_readable(tensor.tensor_type) or tensor.n_elements != config.head_dim // 2:
        raise InvalidInput(
            f"{file.path}: {ROPE_FACTORS} is {tensor.n_elements} numbers as "
            f"{tensor.tensor_type.name}; right: {config.head_dim // 2}, half a head's"
        )
    numbers = View(tensor.data, tensor.tensor_type, (int(tensor.n_elements),))[:]
    return RopeFactors(tuple(map(float, numbers)))


def _gpt2(file: GgufFile) -> dict[str, Any]:
    """The fields of a config.json."""
    return {
        "model_type": "gpt2",
        "vocab_size": _vocabulary(file),
        "n_embd": _size(file, "gpt2.embedding_length"),
        "n_inner": _size(file, "gpt2.feed_forward_length"),
        "n_layer": _size(file, "gpt2.block_count"),
        "n_head": _size(file, "gpt2.attention.head_count"),
        "n_positions": _size(file, "gpt2.context_length"),
        "layer_norm_epsilon": file.require("gpt2.attention.layer_norm_epsilon"),
        "activation_function": "gelu_new",
        "tie_word_embeddings": "output.weight" not in file.tensors,
    }


def _size(file: GgufFile, key: str) -> int:
    """A whole number above 0; some files have one a layer, which is not implemented."""
    value = file.require(key)
    try:
        require_sizes({key: value})
    except InvalidInput as error:
        raise InvalidInput(f"{file.path}: {error}") from None
    return value


def _vocabulary(file: GgufFile) -> int:
    """Rows of the embedding."""
    if "token_embd.weight" not in file.tensors:
        raise InvalidInput(f"{file.path} lacks the tensor token_embd.weight")
    return int(file.tensors["token_embd.weight"].shape[-1])


def _rows_of_llama(config: DecoderConfig) -> Callable[[str, View], View]:
    """Queries' and keys' rows where Hugging Face has them; see the top."""

    def ordered(key: str, view: View) -> View:
        of_queries, of_keys = ".q_proj." in key, ".k_proj." in key
        if not (of_queries or of_keys) or view.shape[0] % config.head_dim:
            return view
        heads = view.shape[0] // config.head_dim
        # Theirs is [head, half, pair], the file's [head, pair, half].
        stored = np.arange(view.shape[0]).reshape(heads, config.head_dim // 2, 2)
        return dataclasses.replace(view, rows=stored.swapaxes(1, 2).ravel())

    return ordered


def _columns_of_gpt2(key: str, view: View) -> View:
    return view.T if key.endswith(TRANSPOSED) else view


def _as_it_is(key: str, view: View) -> View:
    del key
    return view
