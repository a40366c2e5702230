"""The safetensors of a Hugging Face directory, one file or several, as they are before any is read.

Pickled weights are never read.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
from lprl_envs import InvalidInput

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
FLOATS = ("F64", "F32", "F16", "BF16")


class TensorFiles(contextlib.ExitStack):
    """The tensors of a directory, by their keys, while its context lasts.

    Raises:
        InvalidInput: if there are no safetensors, a shard is missing, or a file is damaged.
    """

    def __init__(self, path: Path):
        super().__init__()
        files = [self.enter_context(_open(path / name)) for name in _names(path)]
        self.file_of = {key: file for file in files for key in list(file.keys())}

    def view(self, key: str) -> Any:
        """A tensor of which slices can be read."""
        return self.file_of[key].get_slice(key)

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


def _names(path: Path) -> list[str]:
    """The files that hold the tensors."""
    if (path / SINGLE).is_file():
        return [SINGLE]
    if (path / INDEX).is_file():
        try:
            names = sorted(set(json.loads((path / INDEX).read_text())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError):
            raise InvalidInput(f"{path / INDEX} is not an index of shards") from None
        missing = [name for name in names if not (path / name).is_file()]
        if missing:
            raise InvalidInput(
                f"{path} lacks {', '.join(missing)}, {len(missing)} of the {len(names)} shards "
                f"that {INDEX} names; download them"
            )
        return names
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
