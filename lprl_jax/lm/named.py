"""Models by name: those that come with the package, those that `lprl fetch` brings, and paths.

A path is a Hugging Face directory or a GGUF file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lprl_envs import InvalidInput

from lprl_jax.lm import embedded, fetched, hugging_face

if TYPE_CHECKING:
    from jax.sharding import Mesh
    from transformers import PreTrainedTokenizerFast

    from lprl_jax.lm.checkpoint import LanguageModel

NAMES = (*embedded.MODELS, *fetched.MODELS)
"""Names of our own; a directory that is called so is not meant."""
ENDING = ".gguf"
VALID = f"{', '.join(NAMES)}, a Hugging Face directory, a .gguf file"
"""For messages."""


def is_model(name: str) -> bool:
    """Whether a text names a model, fetched or not."""
    return name in NAMES or os.path.isdir(name) or _is_gguf(name)


def path_of(name: str) -> Path:
    """The directory or file of a model.

    Raises:
        InvalidInput: if it names none, or one that was not fetched.
    """
    if name in embedded.MODELS:
        return embedded.path_of(name)
    if name in fetched.MODELS:
        return fetched.require(name)
    if os.path.isdir(name) or _is_gguf(name):
        return Path(name)
    raise InvalidInput(f"no model {name!r}; valid: {VALID}")


def load(name: str, dtype: Any = "float32", mesh: Mesh | None = None) -> LanguageModel:
    """A model's weights by its name, which it goes by in reports, or by a path.

    Raises:
        InvalidInput: as `path_of` and `checkpoint.load`, which says what `dtype` and `mesh` are.
    """
    from lprl_jax.lm import checkpoint

    model = checkpoint.load(path_of(name), dtype, mesh)
    return model._replace(name=name) if name in NAMES else model


def family_of(name: str) -> str:
    """The family of a model: a `model_type` of Hugging Face's.

    Raises:
        InvalidInput: as `path_of`, or if what says it is missing or damaged.
    """
    path = path_of(name)
    if not path.is_file():
        return hugging_face.model_type(path)
    from lprl_jax.lm import gguf_model

    return gguf_model.family(path)


def tokenizer_of(name: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a model, whose weights are not read.

    Raises:
        InvalidInput: as `path_of`, or if there is none that can be read.
    """
    path = path_of(name)
    if not path.is_file():
        return hugging_face.read_tokenizer(path)
    from lprl_jax.lm import gguf_files, gguf_tokenizer

    return gguf_tokenizer.read(gguf_files.opened(path))


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(ENDING) and os.path.isfile(name)
