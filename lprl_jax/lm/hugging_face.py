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
CHAT_TEMPLATE = "chat_template.jinja"
SPECIAL_TOKENS = (
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
)  # fmt: skip


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

    path = Path(path)
    fields = _read_object(path / TOKENIZER_CONFIG)
    kind = fields.get("tokenizer_class")
    # To Llama's class add_prefix_space says that a SentencePiece file be converted anew, which
    # another package reads. tokenizer.json was converted so already.
    options: dict[str, Any] = {"add_prefix_space": None} if str(kind).startswith("Llama") else {}
    as_written = _says_all(fields, _read_object(path / CONFIG))
    try:
        with quiet():
            if as_written:
                return _as_written(path, fields)
            if isinstance(fields.get("extra_special_tokens"), list):  # transformers 4 names them
                options |= {
                    "extra_special_tokens": {},
                    "additional_special_tokens": _listed(fields),
                }
            tokenizer = AutoTokenizer.from_pretrained(
                str(path), local_files_only=True, trust_remote_code=False, **options
            )
    except Exception as error:  # whatever a tokenizer's file makes transformers raise
        reason = " ".join(str(error).split())
        raise InvalidInput(f"{path} has no tokenizer that transformers reads: {reason}") from None
    if not tokenizer.is_fast:
        raise InvalidInput(f"{path} has no fast tokenizer; a tokenizer.json is needed")
    return tokenizer


def _says_all(fields: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether tokenizer.json is to be read as it is written, whatever a class would make of it.

    So it is where transformers 5 wrote it, which names a `backend`, and where no class is named:
    the one that transformers 4 has for Llamas would add SentencePiece's special tokens. Of BERT,
    the class alone knows which tokens are special.
    """
    kind = fields.get("tokenizer_class") or config.get("tokenizer_class")
    if kind == "TokenizersBackend" or fields.get("backend") == "tokenizers":
        return True
    return kind is None and config.get("model_type") != "bert"


def _as_written(path: Path, fields: dict[str, Any]) -> PreTrainedTokenizerFast:
    """The tokenizer of tokenizer.json, with the special tokens that the other files name."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    fields = _read_object(path / "special_tokens_map.json") | fields
    single: dict[str, Any] = {n: _content(fields[n]) for n in SPECIAL_TOKENS if fields.get(n)}
    backend = Tokenizer.from_file(str(path / TOKENIZER))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        additional_special_tokens=_listed(fields),
        chat_template=_chat_template(path, fields),
        **single,
    )
    if backend.pre_tokenizer is not None:  # whose prefix space transformers 4 sets to its default
        tokenizer.backend_tokenizer.pre_tokenizer = backend.pre_tokenizer
    return tokenizer


def _chat_template(path: Path, fields: dict[str, Any]) -> Any:
    """How the model's chats are written: a file of its own, or one of these fields."""
    with contextlib.suppress(FileNotFoundError):
        return (path / CHAT_TEMPLATE).read_text()
    return fields.get("chat_template")


def _listed(fields: dict[str, Any]) -> list[str]:
    """Special tokens without a name of their own, as transformers 4 and 5 list them."""
    extra = fields.get("extra_special_tokens")
    more = extra if isinstance(extra, list) else []
    found = [_content(token) for token in [*(fields.get("additional_special_tokens") or ()), *more]]
    return list(dict.fromkeys(found))


def _content(token: Any) -> str:
    """A token's text, which may come with how it is stripped."""
    text = token.get("content") if isinstance(token, dict) else token
    if not isinstance(text, str):
        raise InvalidInput(f"{token!r} is no special token; it is a text")
    return text


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
