"""The tokenizer in a GGUF file's metadata, without torch and without the model it came from.

Two kinds are read: byte-level BPE (`gpt2`), whose pre-tokenizer the file names, and SentencePiece's
BPE (`llama`), of which the file keeps pieces and scores. What the file does not say, llama.cpp
knows by the kind: whether a text begins with BOS.

References: llama.cpp's documentation of GGUF's keys; Kudo and Richardson 2018, SentencePiece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lprl_envs import InvalidInput

from lprl_jax.lm import tokenizer_models
from lprl_jax.lm.gguf_files import GgufFile
from lprl_jax.lm.tokenizer_models import CONTROL, USER_DEFINED

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

NORMAL = 1
"""Type of a token that is neither of those that `tokenizer_models` names."""
BEGINS_WITH_BOS = ("llama-bpe", "tekken")
"""Pre-tokenizers of models that read BOS first, where a file does not say."""
KINDS = ("gpt2", "llama")
ALIASES = {
    "gpt-2": ("gpt2", "gpt-2"),
    "llama-bpe": ("llama3", "llama-v3", "llama-bpe"),
    "qwen2": ("qwen2", "deepseek-r1-qwen"),
    "smollm": ("smollm",),
    "tekken": ("tekken",),
}
"""Our pre-tokenizers, by the names that files give them."""


def read(file: GgufFile) -> PreTrainedTokenizerFast:
    """The tokenizer, with its special tokens and its chat template.

    Raises:
        InvalidInput: if it is missing, damaged, or of a kind that is not implemented.
    """
    from transformers import PreTrainedTokenizerFast

    tokens = file.require("tokenizer.ggml.tokens")
    kind = file.text("tokenizer.ggml.model")
    if kind not in KINDS:
        raise InvalidInput(
            f"{file.path} has a tokenizer of the kind {kind!r}; implemented: {', '.join(KINDS)}"
        )
    types = file.get("tokenizer.ggml.token_type") or [NORMAL] * len(tokens)
    if len(types) != len(tokens) or len(set(tokens)) != len(tokens):
        raise InvalidInput(f"{file.path} is damaged: its tokens repeat, or lack their types")
    backend, has_bos = (
        _byte_level(file, tokens) if kind == "gpt2" else _sentencepiece(file, tokens, types)
    )
    if kind == "gpt2":
        _add_special(backend, tokens, types)
    special = {
        f"{name}_token": _token(file, tokens, f"tokenizer.ggml.{key}_token_id")
        for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
    }
    special = {name: token for name, token in special.items() if token is not None}
    _put_around(file, backend, special, has_bos)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **special)
    template = file.get("tokenizer.chat_template")
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer


def _byte_level(file: GgufFile, tokens: list[str]) -> tuple[Tokenizer, bool]:
    """Byte-level BPE, and whether such models read BOS first."""
    pre = file.get("tokenizer.ggml.pre")
    found = [name for name, aliases in ALIASES.items() if pre in aliases]
    if not found:
        raise InvalidInput(
            f"{file.path} has the pre-tokenizer {pre!r}; implemented: {', '.join(ALIASES)}"
        )
    merges = [tuple(pair.split(" ")) for pair in file.require("tokenizer.ggml.merges")]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    known = vocabulary.keys()
    wrong = [pair for pair in merges if len(pair) != 2 or not {*pair, "".join(pair)} <= known]
    if wrong:
        raise InvalidInput(f"{file.path} is damaged: {' '.join(wrong[0])!r} merges to no token")
    return tokenizer_models.byte_level(vocabulary, merges, found[0]), found[0] in BEGINS_WITH_BOS


def _sentencepiece(file: GgufFile, tokens: list[str], types: list[int]) -> tuple[Tokenizer, bool]:
    """SentencePiece's BPE; its models read BOS first."""
    scores = file.require("tokenizer.ggml.scores")
    if len(scores) != len(tokens):
        raise InvalidInput(f"{file.path} is damaged: {len(scores)} scores for {len(tokens)} tokens")
    prefix = file.get("tokenizer.ggml.add_space_prefix", True)
    try:
        merges = tokenizer_models.merges_of_scores(tokens, scores, types)
        return tokenizer_models.sentencepiece(tokens, merges, types, prefix), True
    except InvalidInput as error:
        raise InvalidInput(f"{file.path}: {error}") from None


def _add_special(backend: Tokenizer, tokens: list[str], types: list[int]) -> None:
    """Control tokens and those that a user defined are found in a text before anything else."""
    from tokenizers import AddedToken

    def of(wanted: int, special: bool) -> list[Any]:
        own = (token for token, kind in zip(tokens, types, strict=True) if kind == wanted)
        return [AddedToken(token, special=special, normalized=False) for token in own]

    backend.add_special_tokens(of(CONTROL, special=True))
    backend.add_tokens(of(USER_DEFINED, special=False))


def _token(file: GgufFile, tokens: list[str], key: str) -> str | None:
    """The token whose number the metadata name, if they do."""
    number = file.get(key)
    if number is None:
        return None
    if not isinstance(number, int) or not 0 <= number < len(tokens):
        raise InvalidInput(f"{file.path}: {key} is {number!r}; there are {len(tokens)} tokens")
    return tokens[number]


def _put_around(file: GgufFile, backend: Tokenizer, special: dict[str, str], has_bos: bool) -> None:
    """What stands before and behind every text."""
    from tokenizers.processors import TemplateProcessing

    before = ["bos_token"] * file.get("tokenizer.ggml.add_bos_token", has_bos)
    behind = ["eos_token"] * file.get("tokenizer.ggml.add_eos_token", False)
    missing = [name for name in (*before, *behind) if name not in special]
    if missing:
        raise InvalidInput(f"{file.path} puts {missing[0]} around texts, and does not name it")
    around = [special[name] for name in (*before, *behind)]
    if around:
        pieces = [*(special[n] for n in before), "$A", *(special[n] for n in behind)]
        numbers = [(token, backend.token_to_id(token)) for token in dict.fromkeys(around)]
        backend.post_processor = TemplateProcessing(
            single=pieces, pair=[*pieces, "$B:1"], special_tokens=numbers
        )
