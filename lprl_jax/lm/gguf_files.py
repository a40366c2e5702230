"""GGUF files, llama.cpp's: their metadata and tensors, as they are before any is read.

The file is mapped, not read: of a tensor only the rows that are asked for are dequantised. Names,
shapes and the order of rows are Hugging Face's, so that `weights` reads a GGUF file as it reads
safetensors.

The format is the `gguf` package's to read; see its `GGUFReader`.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType, constants, quants
from lprl_envs import InvalidInput

MAGIC = b"GGUF"


@dataclasses.dataclass(frozen=True)
class View:
    """A tensor of which slices can be read, in Hugging Face's order of rows."""

    stored: np.ndarray
    """`[rows, ...]` as in the file: numbers, or the bytes of a row's blocks."""
    kind: Any
    """How they are stored, a `GGMLQuantizationType`."""
    shape: tuple[int, ...]
    """As it stands in the file."""
    rows: np.ndarray | None = None
    """i64[rows]: where in the file a row stands; None where in its own place."""
    transposed: bool = False
    """Whether Hugging Face's tensor is the transpose."""

    def get_shape(self) -> list[int]:
        """As safetensors' slices say it."""
        return list(self.shape[::-1] if self.transposed else self.shape)

    def get_dtype(self) -> str:
        """The name of how it is stored."""
        return self.kind.name

    def __getitem__(self, index: Any) -> np.ndarray:
        """The numbers of a slice, f32; whole rows are dequantised."""
        index = index if isinstance(index, tuple) else (index,)
        if self.transposed:
            return self.T[(*index, *[slice(None)] * (len(self.shape) - len(index)))[::-1]].T
        where = index[0] if self.rows is None else self.rows[index[0]]
        rows = quants.dequantize(np.ascontiguousarray(self.stored[where]), self.kind)
        return rows[(slice(None), *index[1:])]

    @property
    def T(self) -> View:
        """The transpose of what Hugging Face has; what the file has, where this is transposed."""
        return dataclasses.replace(self, transposed=not self.transposed)


class _Reader(GGUFReader):
    """The package's, but for its seconds: it slices a `np.memmap` for every token."""

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        kind = np.dtype(dtype).newbyteorder(override_order or self.byte_order)
        return np.frombuffer(self.data, kind, int(count), int(offset))

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
        """Size, parts, which of them are the value, and types; of arrays a part an element."""
        if raw_type != GGUFValueType.ARRAY or self.byte_order == "S":
            return super()._get_field_parts(orig_offs, raw_type)
        head = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
        element, count = GGUFValueType(int(head[0][0])), int(head[1][0])
        offset = orig_offs + 12
        parts: list[np.ndarray] = []
        if element in self.gguf_scalar_to_np:
            values = self._get(offset, self.gguf_scalar_to_np[element], count)
            parts, offset = list(values[:, None]), offset + values.nbytes
        elif element == GGUFValueType.STRING:
            for _ in range(count):
                length = int(self._get(offset, np.uint64)[0])
                parts.append(self._get(offset + 8, np.uint8, length))
                offset += 8 + length
        else:
            return super()._get_field_parts(orig_offs, raw_type)
        types = [GGUFValueType.ARRAY, *[element] * (count > 0)]
        own = list(range(len(head), len(head) + count))
        return offset - orig_offs, [*head, *parts], own, types


class GgufFile:
    """A GGUF file, open; `opened` makes one."""

    def __init__(self, path: Path):
        self.path = path
        reader = _read(path)
        if reader.byte_order == "S":
            raise InvalidInput(
                f"{path} is written in the other byte order than this machine's; one in its own "
                "is read"
            )
        self._fields = reader.fields
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        parts = self.get("split.count", 0)
        if parts > 1:
            number = self.get("split.no", 0) + 1
            raise InvalidInput(
                f"{path} is part {number} of {parts}; one file is read: "
                "`llama-gguf-split --merge` makes one of them"
            )

    @property
    def keys(self) -> list[str]:
        """Of the metadata."""
        return [key for key in self._fields if not key.startswith("GGUF.")]

    def get(self, key: str, default: Any = None) -> Any:
        """A value of the metadata.

        Raises:
            InvalidInput: if it is damaged.
        """
        if key not in self._fields:
            return default
        try:
            value = self._fields[key].contents()
        except UnicodeDecodeError:
            raise InvalidInput(f"{self.path} is damaged: {key} is no text") from None
        # Stored as f32; the shortest number that reads so is the one that was meant.
        return float(str(np.float32(value))) if isinstance(value, float) else value

    def require(self, key: str) -> Any:
        """A value without which there is no model.

        Raises:
            InvalidInput: if it is missing.
        """
        if key not in self._fields:
            raise InvalidInput(f"{self.path} lacks {key}; a file with a whole model has it")
        return self.get(key)

    def text(self, key: str) -> str:
        """The same, of a name."""
        value = self.require(key)
        if not isinstance(value, str):
            raise InvalidInput(f"{self.path}: {key} is {value!r}; it is a name")
        return value


def opened(path: Path) -> GgufFile:
    """A GGUF file; the metadata are read once, as long as the file stays as it is.

    Raises:
        InvalidInput: if there is no such file, it is no GGUF file, is damaged, or is one part of
            several.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    return _opened(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=1)
def _opened(path: Path, changed: int, size: int) -> GgufFile:
    del changed, size
    return GgufFile(path)


def _read(path: Path) -> GGUFReader:
    """The reader of a file, whatever lies there."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    if magic != MAGIC:
        raise InvalidInput(f"{path} is not a GGUF file; one begins with {MAGIC.decode()}")
    log = logging.getLogger("gguf.gguf_reader")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        return _Reader(path)
    except MemoryError:
        raise
    except Exception as error:  # what a damaged file makes the reader stumble over has no one type
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InvalidInput(f"{path} is damaged or cut short ({reason}); fetch it again") from None
    finally:
        log.setLevel(level)


class GgufTensors:
    """The tensors of a file by Hugging Face's keys, as `tensor_files.TensorFiles` has them.

    Args:
        file: The file.
        key_of: From a name in the file to Hugging Face's key; None of one that is not a weight, and
            what is not known keeps its name.
        ordered: Makes the view of a key from that of the file: where rows stand otherwise.
    """

    strays: Sequence[str] = ()
    """Tensors that an index does not know; here is none."""

    def __init__(
        self,
        file: GgufFile,
        key_of: Callable[[str], str | None],
        ordered: Callable[[str, View], View],
    ):
        self._ordered = ordered
        named = ((key_of(name), tensor) for name, tensor in file.tensors.items())
        self.file_of: Mapping[str, Any] = {key: tensor for key, tensor in named if key}

    def view(self, key: str) -> View:
        """A tensor of which slices can be read."""
        tensor = self.file_of[key]
        shape = tuple(int(size) for size in reversed(tensor.shape))
        return self._ordered(key, View(tensor.data, tensor.tensor_type, shape))

    def misfits(self, key: str, shape: Sequence[int]) -> list[str]:
        """What is wrong, if anything, with a tensor that should be of this shape."""
        if key not in self.file_of:
            return [f"{key} is missing"]
        view = self.view(key)
        if view.get_shape() != list(shape):
            return [f"{key} is {view.get_shape()}, by the metadata {list(shape)}"]
        if not is_readable(view.kind):
            return [f"{key} is quantised as {view.get_dtype()}, which is not implemented"]
        return []

    def differ(self, key: str, other: str) -> bool:
        """Whether two tensors hold different numbers."""
        one, two = self.view(key), self.view(other)
        return one.get_shape() != two.get_shape() or not np.array_equal(one[:], two[:])


def is_readable(kind: Any) -> bool:
    """Whether the `gguf` package dequantises what is stored so."""
    _, size = constants.GGML_QUANT_SIZES[kind]
    try:
        quants.dequantize(np.zeros(size, np.uint8), kind)
    except NotImplementedError:
        return False
    return True
