"""Adapters as peft keeps them: adapter_config.json and adapter_model.safetensors in a directory.

There A is `[r, in]` and B `[out, r]`, a tensor a layer, named by the matrix as Hugging Face's
classes call it. The names are Llama's, which Mistral and Qwen share; in GPT-2 queries, keys and
values are one matrix, and adapters of it would be others than ours.

Reference: peft, https://huggingface.co/docs/peft (the format of `PeftModel.save_pretrained`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from lprl_envs import InvalidInput
from lprl_envs.errors import shown

from lprl_jax.files import paths
from lprl_jax.lm import families, lora, tensor_files
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.layers import LORA_A, LORA_B
from lprl_jax.lm.lora import LoraConfig

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""Of all keys: peft's model around the one that it adapts."""
FIXED: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "fan_in_fan_out": (False,),
    "use_rslora": (False,),
    "use_dora": (False,),
    "modules_to_save": (None, []),
    "layers_to_transform": (None, []),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
    "alora_invocation_tokens": (None, []),
}
"""Fields that change what adapters are, and the values by which they are ours; the first is what
peft takes where a field is missing."""


def require_named(config: DecoderConfig) -> None:
    """Raise InvalidInput if peft would have other adapters of such a model than we have."""
    if config.positions == "learned":
        raise InvalidInput(
            "adapters of GPT-2's family are not kept as peft has them: there queries, keys and "
            "values are one matrix; valid: the families with Llama's names"
        )


def save(
    path: str | Path, adapters: Any, config: LoraConfig, model: DecoderConfig, base: str
) -> None:
    """Write a directory that peft's `PeftModel.from_pretrained` and `load` read.

    Args:
        path: Of the directory; files in it are replaced.
        adapters: See `lora`.
        config: Of the adapters.
        model: Of the model that they stand beside.
        base: Its name or path.

    Raises:
        InvalidInput: as `require_named`.
        OSError: if it cannot be written.
    """
    require_named(model)
    path = Path(path)
    modules = _modules(model)
    targets = [name for name in lora.TARGETS if name in config.targets]
    fields = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": int(config.alpha) if config.alpha.is_integer() else config.alpha,
        "target_modules": [modules[name].rpartition(".")[2] for name in targets],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    tensors = {
        key: np.ascontiguousarray(np.asarray(adapters["layers"][name][leaf][layer], np.float32).T)
        for key, name, leaf, layer in _keys(config, model)
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / CONFIG).write_text(json.dumps(fields, indent=2) + "\n")
        safetensors.numpy.save_file(tensors, path / WEIGHTS, metadata={"format": "pt"})
    except (OSError, safetensors.SafetensorError) as error:
        raise paths.system_error(error) from error


def load(path: str | Path, model: DecoderConfig) -> tuple[LoraConfig, Any]:
    """Adapters of a directory, f32, for a model of this shape; and what they are.

    Raises:
        InvalidInput: if a file is missing or damaged, a field means other adapters than ours, or
            tensors do not fit the fields and the model (the first ones named).
    """
    require_named(model)
    path = Path(path)
    config = _read_config(path / CONFIG, model)
    wanted = list(_keys(config, model))
    with _open(path / WEIGHTS) as file:
        views = {key: file.get_slice(key) for key in list(file.keys())}
        problems = list(_problems(views, wanted, config, model))
        tensor_files.refuse(path / WEIGHTS, problems)
        layers: dict[str, dict[str, list[np.ndarray]]] = {}
        for key, name, leaf, _ in wanted:  # layers come in order
            own = layers.setdefault(name, {}).setdefault(leaf, [])
            own.append(views[key][:].T.astype(np.float32))
    found = {
        name: {leaf: jnp.asarray(np.stack(parts)) for leaf, parts in own.items()}
        for name, own in layers.items()
    }
    return config, {"layers": found}


def _modules(model: DecoderConfig) -> dict[str, str]:
    """What a model's matrices are called, `{layer}` for the layer, by our names."""
    tensors = families.FAMILIES["llama"].tensors(model)
    kernels = (t for t in tensors if t.path[0] == "layers" and t.path[-1] == "kernel")
    return {tensor.path[1]: tensor.key.removesuffix(".weight") for tensor in kernels}


def _keys(config: LoraConfig, model: DecoderConfig) -> Iterator[tuple[str, str, str, int]]:
    """Every tensor: its key, and of which matrix, leaf and layer it is."""
    modules, prefix = _modules(model), PREFIX + families.FAMILIES["llama"].prefix
    for name in lora.TARGETS:
        if name not in config.targets:
            continue
        for leaf, theirs in ((LORA_A, "lora_A"), (LORA_B, "lora_B")):
            for layer in range(model.num_hidden_layers):
                key = f"{prefix}{modules[name].format(layer=layer)}.{theirs}.weight"
                yield key, name, leaf, layer


def _read_config(path: Path, model: DecoderConfig) -> LoraConfig:
    """What adapter_config.json says."""
    try:
        fields = json.loads(path.read_text())
    except FileNotFoundError:
        raise InvalidInput(
            f"no {CONFIG} in {path.parent}; adapters are a directory with {CONFIG} and {WEIGHTS}"
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InvalidInput(f"{path} holds no JSON object")
    for name, valid in FIXED.items():
        # There is no default of what kind of adapters they are.
        found = fields.get(name, None if name == "peft_type" else valid[0])
        if found not in valid:
            raise InvalidInput(
                f"{path}: {name} = {shown(found)} is not implemented; implemented: "
                f"{', '.join(map(repr, valid))}"
            )
    missing = [name for name in ("r", "lora_alpha", "target_modules") if name not in fields]
    if missing:
        raise InvalidInput(f"{path} lacks {', '.join(missing)}")
    ours = {key.rpartition(".")[2]: name for name, key in _modules(model).items()}
    modules = fields["target_modules"]
    if not (isinstance(modules, list) and all(isinstance(x, str) and x in ours for x in modules)):
        raise InvalidInput(
            f"{path}: target_modules = {shown(modules)}; it must be a list of some of "
            f"{', '.join(ours)}"
        )
    try:
        return LoraConfig(fields["r"], tuple(ours[x] for x in modules), fields["lora_alpha"])
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None


def _problems(
    views: dict[str, Any],
    wanted: Sequence[tuple[str, str, str, int]],
    config: LoraConfig,
    model: DecoderConfig,
) -> Iterator[str]:
    """All that is wrong with the tensors, a phrase each."""
    sizes = _sizes(model)
    for key, name, leaf, _ in wanted:
        if key not in views:
            yield f"{key} is missing"
            continue
        size, out = sizes[name]
        right = [config.rank, size] if leaf == LORA_A else [out, config.rank]
        found, dtype = list(views[key].get_shape()), views[key].get_dtype()
        if found != right:
            yield f"{key} is {found}, by {CONFIG} and the model {right}"
        elif dtype not in tensor_files.FLOATS:
            yield f"{key} is {dtype}; weights are {', '.join(tensor_files.FLOATS)}"
    known = {key for key, *_ in wanted}
    yield from (f"{key} has no place by {CONFIG}" for key in sorted(set(views) - known))


def _sizes(c: DecoderConfig) -> dict[str, tuple[int, int]]:
    """`(in, out)` of a layer's matrices."""
    queries, keys = c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim
    width, inner = c.hidden_size, c.intermediate_size
    return {
        "q": (width, queries),
        "k": (width, keys),
        "v": (width, keys),
        "o": (queries, width),
        "gate": (width, inner),
        "up": (width, inner),
        "down": (inner, width),
    }


def _open(path: Path) -> Any:
    try:
        return safetensors.safe_open(str(path), framework="np")
    except (safetensors.SafetensorError, OSError) as error:
        if not path.is_file():
            raise InvalidInput(f"no {WEIGHTS} in {path.parent}") from None
        raise InvalidInput(f"{path} is damaged ({error})") from None
