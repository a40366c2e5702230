"""transformers' Flax models: the one module that loads and calls them.

For the families that our own decoder does not run, and as an independent path for GPT-2, Llama and
Mistral, which it does. Weights are read from safetensors without
torch, and every one of them must find its place: transformers itself would fill a gap with
random numbers and a warning. What its Flax code is known to compute otherwise than torch is
refused, with the reason and what works instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput
from lprl_envs.short_repr import short_repr

from lprl_jax.lm import flax_weights, hugging_face
from lprl_jax.lm.checkpoint import require_fits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class _Family(NamedTuple):
    """A model type: what its Flax code computes right, and what may lie unused in a file."""

    right: Mapping[str, tuple[Any, ...]]
    """Fields of the config that it ignores or gets wrong, with the values that do no harm."""
    instead: str
    """What runs the others."""
    spare: str = (
        r"(attn\.|attention\.)(masked_)?bias|lm_head\.weight|rotary_emb\.inv_freq"
        r"|embed_positions\.weights"
    )
    """Keys that a file may hold without use: constants, and a copy of tied embeddings."""


_NOTHING = "no other code here runs it"
_OWN = "LanguagePrior runs llama and mistral with its own decoder"
_ROPE = {"rope_theta": (10_000,), "rope_scaling": (None,), "rope_parameters": (None,)}
_PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10_000}
"""As transformers 5 writes what transformers 4 does by itself."""
_TANH = "gelu_pytorch_tanh"
_DECODERS = {
    "gpt2": _Family(
        {
            "scale_attn_weights": (True,),
            "scale_attn_by_inverse_layer_idx": (False,),
            "add_cross_attention": (False,),
        },
        _NOTHING,
    ),
    "gpt_neo": _Family({}, _NOTHING),
    "gptj": _Family({"add_cross_attention": (False,)}, _NOTHING),
    "opt": _Family({"enable_bias": (True,), "layer_norm_elementwise_affine": (True,)}, _NOTHING),
    "xglm": _Family({"add_cross_attention": (False,)}, _NOTHING),
    "llama": _Family({**_ROPE, "mlp_bias": (False,), "tie_word_embeddings": (False,)}, _OWN),
    "mistral": _Family({**_ROPE, "tie_word_embeddings": (False,)}, _OWN),
    "gemma": _Family(
        {**_ROPE, "hidden_act": (_TANH,), "hidden_activation": (None, _TANH)}, _NOTHING
    ),
}
_BERT = _Family(
    {
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "add_cross_attention": (False,),
        "type_vocab_size": (2,),
    },
    _NOTHING,
    spare=r"cls\..*|(bert\.)?pooler\..*|(bert\.)?embeddings\.position_ids",
)


@dataclasses.dataclass(frozen=True, eq=False)
class FlaxModel:
    """A model of transformers as it is used here."""

    __repr__ = short_repr

    module: nn.Module
    """Its Flax module."""
    params: Any
    """Weights, f32."""
    tokenizer: PreTrainedTokenizerFast
    """Writes its tokens."""
    name: str
    """For reports."""
    width: int
    """Of its hidden states."""
    vocab_size: int
    """Tokens are below it."""
    context: int
    """Columns of the longest text that it reads."""

    def require_fits(self, columns: int, *tokens: np.ndarray) -> None:
        """Check texts of so many columns, made of these tokens.

        Raises:
            InvalidInput: if they are longer than the model's context, or not in its vocabulary.
        """
        require_fits(self.name, self.vocab_size, self.context, columns, *tokens)


def load_decoder(path: str | Path) -> FlaxModel:
    """Load a Hugging Face directory of a causal language model.

    Raises:
        InvalidInput: if a file is missing, the model's type or a field of its config is not one
            that transformers' Flax code computes right, or weights are missing, of the wrong shape
            or without use.
    """
    fields = hugging_face.read_config(Path(path))
    kind = fields.get("model_type")
    if kind in ("t5", "mt5", "longt5"):
        raise InvalidInput(
            f"{path}: the Flax code of {kind} does not run: it calls jnp.clip(a_max=), which JAX "
            f"no longer has; valid: {', '.join(_DECODERS)}"
        )
    if kind not in _DECODERS:
        raise InvalidInput(
            f"{path}: transformers has no Flax decoder of model_type {kind!r} that is known to be "
            f"right; valid: {', '.join(_DECODERS)}, and what LanguagePrior's own decoder runs"
        )
    import transformers

    _require_flax()
    config = _config(Path(path), fields, _DECODERS[kind])
    flax_class: Any = transformers.FLAX_MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    module = flax_class.module_class(config=config, dtype=jnp.float32)
    return _load(Path(path), config, module, 3, flax_class.base_model_prefix, _DECODERS[kind])


def load_bert(path: str | Path) -> FlaxModel:
    """Load a Hugging Face directory of a BERT, without its pooler and heads.

    Raises:
        InvalidInput: as `load_decoder`.
    """
    fields = hugging_face.read_config(Path(path))
    if fields.get("model_type") != "bert":
        raise InvalidInput(f"{path}: model_type is {fields.get('model_type')!r}; valid: bert")
    import transformers

    _require_flax()
    config = _config(Path(path), fields, _BERT)
    flax_class: Any = transformers.FLAX_MODEL_MAPPING[type(config)]
    module = flax_class.module_class(config=config, dtype=jnp.float32, add_pooling_layer=False)
    return _load(Path(path), config, module, 4, flax_class.base_model_prefix, _BERT)


def logits(
    module: nn.Module, params: Any, tokens: jax.Array, valid: jax.Array, columns: int
) -> jax.Array:
    """Of the next token at the last `columns`, `f32[B, columns, vocab]`.

    GPT-Neo and Mistral measure distances in columns: for them, valid columns must be contiguous.

    Args:
        module: Of a decoder.
        params: Its weights.
        tokens: `i32[B, T]`.
        valid: `bool[B, T]`: the others are not attended to, take no position, and their logits mean
            nothing.
        columns: How many. Logits of all would be most of the memory, and much of the time.
    """

    def cut(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        if context.module.name == "lm_head":
            args = (args[0][:, -columns:],)
        return call(*args, **kwargs)

    mask = valid.astype(jnp.int32)
    with jax.numpy_rank_promotion("allow"), nn.intercept_methods(cut):
        out = module.apply({"params": params}, tokens, mask, _positions(valid))
    return out.logits  # pyright: ignore


def hidden(
    module: nn.Module, params: Any, tokens: jax.Array, valid: jax.Array, types: jax.Array
) -> jax.Array:
    """Last hidden states of a BERT, `f32[B, T, width]`, of tokens of `types [B, T]`."""
    with jax.numpy_rank_promotion("allow"):
        mask = valid.astype(jnp.int32)
        out = module.apply({"params": params}, tokens, mask, types, _positions(valid))
    return out.last_hidden_state  # pyright: ignore


def _positions(valid: jax.Array) -> jax.Array:
    """`i32[B, T]`: how many valid tokens are before. A lookup below 0 would be NaN."""
    return jnp.maximum(jnp.cumsum(valid, axis=-1, dtype=jnp.int32) - 1, 0)


def _require_flax() -> None:
    import transformers

    if not transformers.is_flax_available():
        raise InvalidInput("transformers was told to leave out Flax; unset USE_FLAX")


def _config(path: Path, fields: dict[str, Any], family: _Family) -> Any:
    """The config as transformers reads it, of which all fields have their effect."""
    import transformers

    kind, right = fields["model_type"], {**family.right, "quantization_config": (None,)}
    if fields.get("rope_parameters") == _PLAIN_ROPE:
        fields = {name: value for name, value in fields.items() if name != "rope_parameters"}
    try:
        with hugging_face.quiet():
            config = transformers.CONFIG_MAPPING[kind].from_dict(fields)
        if kind in ("llama", "mistral"):
            right["head_dim"] = (None, config.hidden_size // config.num_attention_heads)
    except Exception as error:  # whatever a field's value makes transformers raise
        raise InvalidInput(f"{path / 'config.json'} is no {kind}: {_line(error)}") from None
    for name, values in right.items():
        found = getattr(config, name, None)
        if found not in values:
            raise InvalidInput(
                f"{path}: {name} = {found!r}, which transformers' Flax {kind} gets wrong (right: "
                f"{', '.join(map(repr, values))}); {family.instead}"
            )
    if kind == "mistral" and config.sliding_window is None:
        raise InvalidInput(
            f"{path}: sliding_window = None, for which transformers' Flax mistral lets a token see "
            f"itself only; {family.instead}"
        )
    return config


def _load(
    path: Path, config: Any, module: nn.Module, num_inputs: int, prefix: str, family: _Family
) -> FlaxModel:
    """The model: its weights in the places that its module has for them."""
    inputs = [jnp.ones((1, 1), jnp.int32)] * num_inputs
    try:
        with jax.numpy_rank_promotion("allow"):
            shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    except Exception as error:  # whatever a field's value makes transformers raise
        raise InvalidInput(f"{path}: transformers cannot build it: {_line(error)}") from None
    window = getattr(config, "sliding_window", None)
    context = config.max_position_embeddings
    return FlaxModel(
        module=module,
        params=flax_weights.read(path, shapes, prefix, family.spare),
        tokenizer=hugging_face.read_tokenizer(path),
        name=path.absolute().name,
        width=config.hidden_size,
        vocab_size=config.vocab_size,
        # Beyond its window, the Flax code of Mistral sees one token too many.
        context=context if window is None else min(context, window),
    )


def _line(error: Exception) -> str:
    """What an error says, on one line."""
    return f"{type(error).__name__} {' '.join(str(error).split())[:200]}"
