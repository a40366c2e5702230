"""What every Hugging Face directory has, whoever runs its model: a config and a fast tokenizer.

`transformers` reads the tokenizer. Code that comes with a model is never run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lprl_envs import InvalidInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"


def read_config(path: Path) -> dict[str, Any]:
    """The config.json of a directory that has a tokenizer, and asks for no code of its own.

    Raises:
        InvalidInput: if a file is missing or damaged, or the directory asks for such code.
    """
    for name in (CONFIG, TOKENIZER):
        if not (path / name).is_file():
            raise InvalidInput(
                f"no {name} in {path}; a model is a Hugging Face directory with {CONFIG}, "
                f"{TOKENIZER} (a fast tokenizer's) and safetensors"
            )
    for name in (CONFIG, TOKENIZER_CONFIG):
        if _read_object(path / name).get("auto_map"):
            raise InvalidInput(
                f"{path / name} asks for code of its own (auto_map), which is never run; a model "
                "that transformers has a class for works"
            )
    fields = _read_object(path / CONFIG)
    if not isinstance(fields.get("model_type"), str | None):
        raise InvalidInput(f"{path / CONFIG}: model_type is {fields['model_type']!r}; it is a name")
    return fields


def model_type(path: str | Path) -> str:
    """The family that a directory's config.json names.

    Raises:
        InvalidInput: as `read_config`.
    """
    return str(read_config(Path(path)).get("model_type"))


def read_tokenizer(path: str | Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a Hugging Face directory.

    Raises:
        InvalidInput: if there is none, or it needs code of its own.
    """
    from transformers import AutoTokenizer

    # To Llama's class add_prefix_space says that a SentencePiece file be converted anew, which
    # another package reads. tokenizer.json was converted so already.
    kind = str(_read_object(Path(path) / TOKENIZER_CONFIG).get("tokenizer_class"))
    options = {"add_prefix_space": None} if kind.startswith("Llama") else {}
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                str(path), local_files_only=True, trust_remote_code=False, **options
            )
    except Exception as error:  # whatever a tokenizer's file makes transformers raise
        reason = " ".join(str(error).split())
        raise InvalidInput(f"{path} has no tokenizer that transformers reads: {reason}") from None
    if not tokenizer.is_fast:
        raise InvalidInput(f"{path} has no fast tokenizer; a tokenizer.json is needed")
    return tokenizer


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of transformers: what is wrong is refused, in words of our own."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _read_object(path: Path) -> dict[str, Any]:
    """A file's JSON object; an empty one where there is no file."""
    try:
        fields = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InvalidInput(f"{path} holds no JSON object")
    return fields
