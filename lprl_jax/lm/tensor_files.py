"""The safetensors of a Hugging Face directory, one file or several, as they are before any is read.

Where both a single file and an index of shards lie there, the single file counts and the shards are
left over from before, as for transformers. Pickled weights are never read.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import safetensors
from lprl_envs import InvalidInput

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
FLOATS = ("F64", "F32", "F16", "BF16")


class Tensors(Protocol):
    """What `weights` reads a model from: tensors by Hugging Face's keys."""

    @property
    def file_of(self) -> Mapping[str, Any]:
        """Of each key."""
        ...

    @property
    def strays(self) -> Sequence[str]:
        """Tensors of which nobody knows what they are, a phrase each."""
        ...

    def view(self, key: str) -> Any:
        """A tensor of which slices can be read: `get_shape`, `get_dtype`, `[...]`."""
        ...

    def differ(self, key: str, other: str) -> bool:
        """Whether two tensors hold different numbers."""
        ...

    def misfits(self, key: str, shape: Sequence[int]) -> list[str]:
        """What is wrong, if anything, with a tensor that should be of this shape."""
        ...


class TensorFiles(contextlib.ExitStack):
    """The tensors of a directory, by their keys, while its context lasts.

    Raises:
        InvalidInput: if there are no safetensors, a shard is missing, or a file is damaged.
    """

    def __init__(self, path: Path):
        super().__init__()
        index = _index(path)
        names = [SINGLE] if index is None else sorted(set(index.values()))
        files = {name: self.enter_context(_open(path / name)) for name in names}
        held = [(key, name) for name, file in files.items() for key in list(file.keys())]
        own = [(key, name) for key, name in held if index is None or index.get(key) == name]
        self.file_of = {key: files[name] for key, name in own}
        # Tensors in a shard that its index knows nothing of, a phrase each: which one is meant?
        self.strays = [
            f"{name} holds {key}, which {INDEX} does not place there"
            for key, name in sorted(set(held) - set(own))
        ]

    def view(self, key: str) -> Any:
        """A tensor of which slices can be read."""
        return self.file_of[key].get_slice(key)

    def differ(self, key: str, other: str, rows: int = 1 << 12) -> bool:
        """Whether two tensors hold different numbers; some rows are read at a time."""
        one, two = self.view(key), self.view(other)
        if one.get_shape() != two.get_shape():
            return True
        size = one.get_shape()[0]
        parts = [slice(at, min(at + rows, size)) for at in range(0, size, rows)]
        return any((one[part] != two[part]).any() for part in parts)

    def misfits(self, key: str, shape: Sequence[int]) -> list[str]:
        """What is wrong, if anything, with a tensor that should be of this shape."""
        if key not in self.file_of:
            return [f"{key} is missing"]
        found, dtype = list(self.view(key).get_shape()), self.view(key).get_dtype()
        if found != list(shape):
            return [f"{key} is {found}, by config.json {list(shape)}"]
        return [] if dtype in FLOATS else [f"{key} is {dtype}; weights are {', '.join(FLOATS)}"]


def refuse(path: Path, problems: Sequence[str], named: int = 5) -> None:
    """Raises InvalidInput if there are problems: the first ones named, the others counted."""
    if problems:
        more = [f"and {len(problems) - named} more"] if len(problems) > named else []
        raise InvalidInput(f"{path}: {'; '.join([*problems[:named], *more])}")


def _index(path: Path) -> dict[str, str] | None:
    """The shard of each tensor; None where one file holds all."""
    if (path / SINGLE).is_file():
        return None
    if (path / INDEX).is_file():
        try:
            index = dict(json.loads((path / INDEX).read_text())["weight_map"])
            names = sorted(set(index.values()))
            missing = [name for name in names if not (path / name).is_file()]
        except (ValueError, KeyError, AttributeError, TypeError):
            raise InvalidInput(f"{path / INDEX} is not an index of shards") from None
        if missing:
            raise InvalidInput(
                f"{path} lacks {', '.join(missing)}, {len(missing)} of the {len(names)} shards "
                f"that {INDEX} names; download them"
            )
        return index
    if any((path / name).is_file() for name in PICKLES):
        raise InvalidInput(
            f"{path} has pickled weights only ({PICKLES[0]}), which may run code when they are "
            f"read; {SINGLE} is needed: save_pretrained(..., safe_serialization=True) writes it"
        )
    raise InvalidInput(f"no {SINGLE} in {path}, nor {INDEX}; they hold the weights")


def _open(path: Path) -> Any:
    try:
        return safetensors.safe_open(str(path), framework="np")
    except (safetensors.SafetensorError, OSError) as error:
        raise InvalidInput(f"{path} is damaged ({error}); download it again") from None
