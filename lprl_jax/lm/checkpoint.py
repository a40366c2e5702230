"""Hugging Face directories of Llama models: config.json, tokenizer.json, model.safetensors.

Weights are read without torch. `transformers` reads the tokenizer.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from lprl_envs import InvalidInput

from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import DecoderConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# (path in our parameters, key in the file, whether to transpose (out, in) to (in, out))
_Row = tuple[tuple[str, ...], str, bool]
_LAYER_KEYS: tuple[_Row, ...] = (
    (("attention_norm", "scale"), "input_layernorm.weight", False),
    (("q", "kernel"), "self_attn.q_proj.weight", True),
    (("k", "kernel"), "self_attn.k_proj.weight", True),
    (("v", "kernel"), "self_attn.v_proj.weight", True),
    (("o", "kernel"), "self_attn.o_proj.weight", True),
    (("mlp_norm", "scale"), "post_attention_layernorm.weight", False),
    (("gate", "kernel"), "mlp.gate_proj.weight", True),
    (("up", "kernel"), "mlp.up_proj.weight", True),
    (("down", "kernel"), "mlp.down_proj.weight", True),
)
_TOP_KEYS: tuple[_Row, ...] = (
    (("embedding",), "model.embed_tokens.weight", False),
    (("norm", "scale"), "model.norm.weight", False),
    (("head",), "lm_head.weight", False),
)
# Fields that change what the model computes, with the values that are implemented.
_IMPLEMENTED = {
    "model_type": ("llama",),
    "hidden_act": ("silu",),
    "rope_scaling": (None,),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
}


_REQUIRED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)


class LanguageModel(NamedTuple):
    """A model as it is used: its shape, its weights, its tokenizer, and a name for reports."""

    config: DecoderConfig
    params: Any
    tokenizer: PreTrainedTokenizerFast
    name: str


def load(path: str | Path) -> LanguageModel:
    """Load a Hugging Face directory.

    Raises:
        InvalidInput: if a file is missing, a config field is not implemented, or weights are
            missing or of the wrong shape (all of them named at once).
    """
    path = Path(path)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (path / name).is_file():
            raise InvalidInput(
                f"no {name} in {path}; a model is a Hugging Face directory with config.json, "
                "tokenizer.json and model.safetensors"
            )
    config = _read_config(path / "config.json")
    return LanguageModel(config, _read_params(path, config), read_tokenizer(path), path.name)


def read_tokenizer(path: str | Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a Hugging Face directory."""
    # "None of PyTorch, TensorFlow or Flax have been found" is news to nobody here.
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    if not tokenizer.is_fast:
        raise InvalidInput(f"{path} has no fast tokenizer; a tokenizer.json is needed")
    return tokenizer


def save(path: str | Path, model: LanguageModel, dtype: Any = jnp.float32) -> None:
    """Write a directory that `load`, and `transformers`' `LlamaForCausalLM`, read."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    c = model.config
    fields = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": c.vocab_size,
        "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size,
        "num_hidden_layers": c.num_hidden_layers,
        "num_attention_heads": c.num_attention_heads,
        "num_key_value_heads": c.num_key_value_heads,
        "head_dim": c.head_dim,
        "rope_theta": c.rope_theta,
        "rms_norm_eps": c.rms_norm_eps,
        "tie_word_embeddings": c.tie_word_embeddings,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "max_position_embeddings": 2048,
        "torch_dtype": jnp.dtype(dtype).name,
    }
    (path / "config.json").write_text(json.dumps(fields, indent=2) + "\n")
    tensors = {}
    for key, leaf_path, layer, transpose in _table(c):
        leaf = np.asarray(_get(model.params, leaf_path).astype(dtype))
        leaf = leaf if layer is None else leaf[layer]
        tensors[key] = np.ascontiguousarray(leaf.T if transpose else leaf)
    safetensors.numpy.save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    model.tokenizer.save_pretrained(str(path))


def _table(config: DecoderConfig) -> list[tuple[str, tuple[str, ...], int | None, bool]]:
    """Every tensor of the file: its key, our path, its layer in the stack, transposed or not."""
    top: list[tuple[str, tuple[str, ...], int | None, bool]] = [
        (key, path, None, transpose)
        for path, key, transpose in _TOP_KEYS
        if not (config.tie_word_embeddings and path == ("head",))
    ]
    return top + [
        (f"model.layers.{layer}.{key}", ("layers", *path), layer, transpose)
        for layer in range(config.num_hidden_layers)
        for path, key, transpose in _LAYER_KEYS
    ]


def _read_config(path: Path) -> DecoderConfig:
    try:
        fields = json.loads(path.read_text())
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from None
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise InvalidInput(f"{path} lacks {', '.join(missing)}")
    for name, implemented in _IMPLEMENTED.items():
        if fields.get(name, implemented[0]) not in implemented:
            raise InvalidInput(
                f"{path}: {name} = {fields[name]!r} is not implemented; "
                f"implemented: {', '.join(map(repr, implemented))}"
            )
    heads = fields["num_attention_heads"]
    rope = fields.get("rope_parameters") or {}  # where transformers 5 keeps what was rope_theta
    if rope.get("rope_type", "default") != "default":
        raise InvalidInput(f"{path}: rope_type = {rope['rope_type']!r} is not implemented")
    return DecoderConfig(
        vocab_size=fields["vocab_size"],
        hidden_size=fields["hidden_size"],
        intermediate_size=fields["intermediate_size"],
        num_hidden_layers=fields["num_hidden_layers"],
        num_attention_heads=heads,
        num_key_value_heads=fields.get("num_key_value_heads") or heads,
        head_dim=fields.get("head_dim") or fields["hidden_size"] // heads,
        rope_theta=rope.get("rope_theta", fields.get("rope_theta", 10_000.0)),
        rms_norm_eps=fields.get("rms_norm_eps", 1e-6),
        tie_word_embeddings=fields.get("tie_word_embeddings", False),
    )


def _read_params(path: Path, config: DecoderConfig) -> Any:
    shapes = jax.eval_shape(lambda: decoder.init(jax.random.key(0), config))
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes)
    problems = []
    try:
        opened = safetensors.safe_open(str(path / "model.safetensors"), framework="np")
    except safetensors.SafetensorError as error:
        raise InvalidInput(f"{path / 'model.safetensors'} is damaged: {error}") from None
    with opened as file:
        keys = set(file.keys())
        for key, leaf_path, layer, transpose in _table(config):
            target = _get(params, leaf_path)
            target = target if layer is None else target[layer]
            if key not in keys:
                problems.append(f"{key} is missing")
                continue
            tensor = file.get_tensor(key).astype(np.float32)
            tensor = tensor.T if transpose else tensor
            if tensor.shape != target.shape:
                problems.append(f"{key} gives {tensor.shape}, the config {target.shape}")
                continue
            target[...] = tensor
    if problems:
        raise InvalidInput(f"{path / 'model.safetensors'}: {'; '.join(problems)}")
    return jax.tree.map(jnp.asarray, params)


def _get(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree[name]
    return tree
