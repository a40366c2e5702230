"""Weights in safetensors or GGUF files: checked as a whole, then read slice by slice.

Every leaf of ours is made by a callback that reads what one device holds of it, so that a device, a
process and the host meet no more of the weights than is theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.lm import decoder, families, partition, tensor_files
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.families import FAMILIES
from lprl_jax.lm.tensor_files import Tensors
from lprl_jax.lm.tensor_names import Tensor

HEAD = Tensor("lm_head.weight", ("head",))
ALIGNMENT = 64
"""Bytes."""

Index = tuple[slice, ...]


def load(
    files: Tensors,
    path: Path,
    kind: str,
    config: DecoderConfig,
    dtype: Any,
    mesh: jax.sharding.Mesh | None,
) -> Any:
    """Our parameters, from the tensors of a `model_type`; over a mesh, each device its part.

    Args:
        files: Open.
        path: Where they lie, for messages.
        kind: The `model_type`.
        config: Of the model.
        dtype: Of our parameters.
        mesh: Over whose axis `model` they are split; None where they lie on one device.

    Raises:
        InvalidInput: if tensors are missing, not known, or of a wrong shape or dtype, or if tied
            embeddings and head differ; only these two have been read by then.
    """
    shapes = jax.eval_shape(lambda: decoder.init(jax.random.key(0), config))
    bare = not any(key.startswith(FAMILIES[kind].prefix) for key in files.file_of)
    wanted = rows(kind, config, "" if bare else None)
    if config.tie_word_embeddings:
        wanted = _tied(path, files, wanted)
    tensor_files.refuse(path, _problems(files, kind, wanted, shapes))
    sources: dict[tuple[str, ...], list[Tensor]] = {}
    for tensor, _ in wanted:  # layers come in order
        sources.setdefault(tensor.path, []).append(tensor)

    def make(key_path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        own = tuple(key.key for key in key_path)
        stacked = own[0] == "layers"

        def part(index: Index | None) -> np.ndarray:
            assert index is not None
            if not stacked:
                return read(files, sources[own][0], index).astype(dtype, copy=False)
            layers = sources[own][index[0]]
            first = read(files, layers[0], index[1:])
            found = _aligned((len(layers), *first.shape), dtype)
            found[0] = first
            for number, layer in enumerate(layers[1:], 1):
                found[number] = read(files, layer, index[1:])
            return found

        if mesh is None:
            return jax.device_put(part((slice(None),) * leaf.ndim))
        sharding = partition.sharding(own, leaf.shape, mesh)
        return jax.make_array_from_callback(leaf.shape, sharding, part)

    return jax.tree_util.tree_map_with_path(make, shapes)


def _aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An empty array where XLA's lie on a CPU, which then takes it without a copy."""
    size = math.prod(shape) * jnp.dtype(dtype).itemsize
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def read(files: Tensors, tensor: Tensor, index: Index) -> np.ndarray:
    """The part of a tensor that our index means, `[in, out]` or `[n]`."""
    view = files.view(tensor.key)
    if tensor.third is not None:
        third = view.get_shape()[-1] // 3
        start, stop, _ = index[-1].indices(third)
        offset = tensor.third * third
        index = (*index[:-1], slice(offset + start, offset + stop))
    part = view[tuple(reversed(index)) if tensor.transpose else index]
    return part.T if tensor.transpose else part


def rows(
    kind: str, config: DecoderConfig, prefix: str | None = None
) -> list[tuple[Tensor, int | None]]:
    """Every tensor of a model, and its layer; keys begin with the family's prefix or with this."""
    prefix = FAMILIES[kind].prefix if prefix is None else prefix
    own = [(t._replace(key=prefix + t.key), layer) for t, layer in families.tensors(kind, config)]
    return own if config.tie_word_embeddings else [*own, (HEAD, None)]


def _tied(
    path: Path, files: Tensors, wanted: Sequence[tuple[Tensor, int | None]]
) -> list[tuple[Tensor, int | None]]:
    """With tied embeddings under the name that the file has them by: theirs or the head's.

    Raises:
        InvalidInput: if it has both, and they are not the same.
    """
    place = next(i for i, (tensor, _) in enumerate(wanted) if tensor.path == ("embedding",))
    own = wanted[place][0].key
    if HEAD.key not in files.file_of:
        return list(wanted)
    if own not in files.file_of:
        return [
            (tensor._replace(key=HEAD.key) if i == place else tensor, layer)
            for i, (tensor, layer) in enumerate(wanted)
        ]
    if files.differ(own, HEAD.key):
        raise InvalidInput(
            f"{path}: {own} and {HEAD.key} differ, and config.json says that they are tied "
            "(tie_word_embeddings); set that to false, or leave one of them out"
        )
    return list(wanted)


def _problems(
    files: Tensors, kind: str, wanted: Sequence[tuple[Tensor, int | None]], shapes: Any
) -> list[str]:
    """All that is wrong with the tensors, a phrase each."""
    problems = []
    for tensor, layer in wanted:
        if tensor.third:
            continue  # looked at with the first third
        leaf = shapes
        for name in tensor.path:
            leaf = leaf[name]
        shape = leaf.shape if layer is None else leaf.shape[1:]
        if tensor.third is not None:
            shape = (*shape[:-1], 3 * shape[-1])
        problems += files.misfits(tensor.key, shape[::-1] if tensor.transpose else shape)
    known = {HEAD.key, *(tensor.key for tensor, _ in wanted)}
    for key in sorted(files.file_of):
        if key not in known and not key.endswith(FAMILIES[kind].ignored):
            problems.append(f"{key} has no place in the model that is described")
    return [*problems, *files.strays]
