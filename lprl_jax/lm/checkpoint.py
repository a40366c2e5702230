"""Models as files: Hugging Face directories (config.json, tokenizer.json, and safetensors in one
file or several), and GGUF files.

Weights are read without torch.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from lprl_envs import InvalidInput
from lprl_envs.errors import require_one_of

from lprl_jax.files import paths
from lprl_jax.lm import families, hugging_face, partition, taught, weights
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.tensor_files import TensorFiles

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


DTYPES = ("float32", "bfloat16")
"""Of weights."""


class LanguageModel(NamedTuple):
    """A model as it is used: its shape, its weights, its tokenizer, and a name for reports."""

    config: DecoderConfig
    params: Any
    tokenizer: PreTrainedTokenizerFast
    name: str
    taught: np.ndarray | None = None
    """u16[N, 2]: tokens that stood side by side in lessons; None where these are not known."""


def load(
    path: str | Path, dtype: Any = jnp.float32, mesh: jax.sharding.Mesh | None = None
) -> LanguageModel:
    """Load a model of one of `families.FAMILIES`.

    Args:
        path: A Hugging Face directory, or a GGUF file.
        dtype: Of the weights, and so of the matrix products, one of DTYPES; f32 is faster on a
            CPU, bf16 on accelerators.
        mesh: With an axis `model`, over which the weights are split (`partition`); each device
            reads its own part. Without a mesh they lie on one device.

    Raises:
        InvalidInput: if a file is missing or damaged, the family or a config field is not
            implemented, tensors do not fit (the first ones named), or the dtype or the mesh
            is not one for weights.
    """
    path, dtype = Path(path), _float_of(dtype)
    if mesh is not None and partition.MODEL not in mesh.shape:
        raise InvalidInput(
            f"the mesh has the axes {', '.join(mesh.axis_names)}; weights are split over one that "
            f"is called {partition.MODEL}"
        )
    if path.is_file():
        from lprl_jax.lm import gguf_model  # what only such files need is imported with them

        return LanguageModel(*gguf_model.load(path, dtype, mesh), path.stem)
    fields = hugging_face.read_config(path)
    try:
        config = families.parse(fields)
    except InvalidInput as error:
        raise InvalidInput(f"{path / 'config.json'}: {error}") from None
    tokenizer = hugging_face.read_tokenizer(path)
    with TensorFiles(path) as files:
        params = weights.load(files, path, fields["model_type"], config, dtype, mesh)
    return LanguageModel(config, params, tokenizer, path.absolute().name, taught.read(path))


def _float_of(dtype: Any) -> Any:
    """A dtype that weights may have."""
    with contextlib.suppress(TypeError):  # a name that no dtype has
        dtype = jnp.dtype(dtype).name
    require_one_of("dtype", dtype, DTYPES)
    return jnp.dtype(dtype)


def require_fits(
    name: str,
    vocab_size: int,
    context: int,
    columns: int,
    *tokens: np.ndarray,
    what: str = "a text with an action",
) -> None:
    """Check texts of so many columns, made of these tokens, against a model.

    Args:
        name: The model's, for the message.
        vocab_size: Of the model.
        context: Tokens that it reads.
        columns: Of the longest text.
        *tokens: All that occur.
        what: The texts are, for the message.

    Raises:
        InvalidInput: if they may be longer than the model's context, or are not in its vocabulary.
    """
    if columns > context:
        raise InvalidInput(
            f"{what}, every part at its longest, takes {columns} tokens, and {name} "
            f"reads {context}; a smaller environment, or a model with a longer context, fits"
        )
    highest = max(int(part.max(initial=0)) for part in tokens)
    if highest >= vocab_size:
        raise InvalidInput(
            f"the tokenizer of {name} writes token {highest}, and the model has {vocab_size}; "
            "they do not belong together"
        )


def save(path: str | Path, model: LanguageModel, dtype: Any = jnp.float32) -> None:
    """Write a directory that `load`, and `transformers`' `LlamaForCausalLM`, read.

    Raises:
        InvalidInput: as `require_writable`.
        OSError: if it cannot be written.
    """
    require_writable(model.config)
    try:
        _write(Path(path), model, dtype)
    except (OSError, safetensors.SafetensorError) as error:
        raise paths.system_error(error) from error


def _write(path: Path, model: LanguageModel, dtype: Any) -> None:
    path.mkdir(parents=True, exist_ok=True)
    c = model.config
    fields = _fields(c, dtype)
    (path / "config.json").write_text(json.dumps(fields, indent=2) + "\n")
    tensors = {}
    for tensor, layer in weights.rows("llama", c):
        leaf = model.params
        for name in tensor.path:
            leaf = leaf[name]
        leaf = np.asarray((leaf if layer is None else leaf[layer]).astype(dtype))
        tensors[tensor.key] = np.ascontiguousarray(leaf.T if tensor.transpose else leaf)
    safetensors.numpy.save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    try:
        model.tokenizer.save_pretrained(str(path))
    except Exception as error:  # what the tokenizers library raises has no type of its own
        raise paths.system_error(error) from error


def require_writable(config: DecoderConfig) -> None:
    """Raises InvalidInput if `save` does not write such a model: of another family, or scaled."""
    if families.parse(_fields(config, jnp.float32)) != config:
        raise InvalidInput("only plain Llama models are saved; this one is of another family")


def _fields(c: DecoderConfig, dtype: Any) -> dict[str, Any]:
    """Of config.json."""
    return {
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
        "rms_norm_eps": c.norm_eps,
        "tie_word_embeddings": c.tie_word_embeddings,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "max_position_embeddings": c.max_position_embeddings,
        "torch_dtype": jnp.dtype(dtype).name,
    }
