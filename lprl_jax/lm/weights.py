"""Weights in safetensors files, one or several: checked as a whole, then read slice by slice.

Every leaf of ours is made by a callback that reads what one device holds of it, so that a device, a
process and the host meet no more of the weights than is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
from lprl_envs import InvalidInput

from lprl_jax.lm import decoder, families, partition
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.families import FAMILIES, Tensor

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
FLOATS = ("F64", "F32", "F16", "BF16")
HEAD = Tensor("lm_head.weight", ("head",))

Index = tuple[slice, ...]


class TensorFiles:
    """The tensors of a directory, by their keys; nothing is read before it is asked for.

    Raises:
        InvalidInput: if there are no safetensors, a shard is missing, or a file is damaged.
    """

    def __init__(self, path: Path):
        self.path = path
        self.files = {name: _open(path / name) for name in _names(path)}
        self.file_of = {key: file for file in self.files.values() for key in list(file.keys())}

    def shape(self, key: str) -> tuple[int, ...]:
        """Of a tensor."""
        return tuple(self.file_of[key].get_slice(key).get_shape())

    def dtype(self, key: str) -> str:
        """Of a tensor, as safetensors names it."""
        return self.file_of[key].get_slice(key).get_dtype()

    def read(self, tensor: Tensor, index: Index) -> np.ndarray:
        """The part of a tensor that our index means, `[in, out]` or `[n]`."""
        view = self.file_of[tensor.key].get_slice(tensor.key)
        if tensor.third is not None:
            third = view.get_shape()[-1] // 3
            start, stop, _ = index[-1].indices(third)
            offset = tensor.third * third
            index = (*index[:-1], slice(offset + start, offset + stop))
        part = view[tuple(reversed(index)) if tensor.transpose else index]
        return part.T if tensor.transpose else part


def load(
    path: Path, kind: str, config: DecoderConfig, dtype: Any, mesh: jax.sharding.Mesh | None
) -> Any:
    """Our parameters, from a directory of a `model_type`; over a mesh, each device its part.

    Raises:
        InvalidInput: naming every tensor that is missing, not known, or of a wrong shape or dtype;
            nothing has been read by then.
    """
    files = TensorFiles(path)
    shapes = jax.eval_shape(lambda: decoder.init(jax.random.key(0), config))
    bare = not any(key.startswith(FAMILIES[kind].prefix) for key in files.file_of)
    wanted = rows(kind, config, "" if bare else None)
    problems = _problems(files, kind, wanted, shapes)
    if problems:
        raise InvalidInput(f"{path}: {'; '.join(problems)}")
    sources: dict[tuple[str, ...], list[Tensor]] = {}
    for tensor, _ in wanted:  # layers come in order
        sources.setdefault(tensor.path, []).append(tensor)

    def make(key_path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        own = tuple(key.key for key in key_path)
        stacked = own[0] == "layers"

        def part(index: Index | None) -> np.ndarray:
            assert index is not None
            if not stacked:
                return files.read(sources[own][0], index).astype(dtype)
            layers = sources[own][index[0]]
            return np.stack([files.read(tensor, index[1:]).astype(dtype) for tensor in layers])

        if mesh is None:
            return jnp.asarray(part((slice(None),) * leaf.ndim))
        sharding = partition.sharding(own, leaf.shape, mesh)
        return jax.make_array_from_callback(leaf.shape, sharding, part)

    return jax.tree_util.tree_map_with_path(make, shapes)


def rows(
    kind: str, config: DecoderConfig, prefix: str | None = None
) -> list[tuple[Tensor, int | None]]:
    """Every tensor of a model, and its layer; keys begin with the family's prefix or with this."""
    prefix = FAMILIES[kind].prefix if prefix is None else prefix
    own = [(t._replace(key=prefix + t.key), layer) for t, layer in families.tensors(kind, config)]
    return own if config.tie_word_embeddings else [*own, (HEAD, None)]


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


def _problems(
    files: TensorFiles, kind: str, wanted: Sequence[tuple[Tensor, int | None]], shapes: Any
) -> list[str]:
    """All that is wrong with the tensors, a phrase each."""
    problems = []
    for tensor, layer in wanted:
        if tensor.third:
            continue  # looked at with the first third
        if tensor.key not in files.file_of:
            problems.append(f"{tensor.key} is missing")
            continue
        leaf = shapes
        for name in tensor.path:
            leaf = leaf[name]
        shape = leaf.shape if layer is None else leaf.shape[1:]
        if tensor.third is not None:
            shape = (*shape[:-1], 3 * shape[-1])
        shape = shape[::-1] if tensor.transpose else shape
        found, dtype = files.shape(tensor.key), files.dtype(tensor.key)
        if found != shape:
            problems.append(f"{tensor.key} is {list(found)}, by config.json {list(shape)}")
        elif dtype not in FLOATS:
            problems.append(f"{tensor.key} is {dtype}; weights are {', '.join(FLOATS)}")
    known = {HEAD.key, *(tensor.key for tensor, _ in wanted)}
    for key in sorted(files.file_of):
        if key not in known and not key.endswith(FAMILIES[kind].ignored):
            problems.append(f"{key} has no place in the model of config.json")
    return problems
