"""Weights that torch saved, as the parameters of a Flax module of transformers, without torch.

Every weight must find its place and every place its weight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import safetensors
from flax.traverse_util import flatten_dict, unflatten_dict
from lprl_envs import InvalidInput

# The last word of a key, and what Flax may call it.
_LEAVES = {
    "weight": ("scale", "embedding", "kernel", "weight"),
    "gamma": ("scale",),
    "beta": ("bias",),
}


def read(path: Path, shapes: Any, prefix: str, spare: str) -> Any:
    """All weights of a file, f32, nested as Flax nests them.

    Args:
        path: Of the file.
        shapes: What the module's parameters are: pytree with `shape`.
        prefix: Name space of the model without its head, which a file has or leaves out.
        spare: Regular expression of the ends of keys that need no place.

    Raises:
        InvalidInput: if the file is damaged, or weights are missing, of the wrong shape or type, or
            without a place (all of them counted, the first ones named).
    """
    shapes = flatten_dict(shapes)
    found: dict[tuple[str, ...], jax.Array] = {}
    problems = []
    try:
        opened = safetensors.safe_open(str(path), framework="np")
    except safetensors.SafetensorError as error:
        raise InvalidInput(f"{path} is damaged: {error}") from None
    with opened as file:
        for key in sorted(file.keys()):
            place = _place(key, shapes, prefix)
            if place is None:
                if not re.search(rf"(^|\.)({spare})$", key):
                    problems.append(f"{key} has no use")
                continue
            tensor = file.get_tensor(key)
            if not jnp.issubdtype(tensor.dtype, jnp.floating):
                problems.append(f"{key} is {tensor.dtype}")
            tensor = tensor.T if place[-1] == "kernel" else tensor
            if tensor.shape != shapes[place].shape:
                problems.append(f"{key} gives {tensor.shape}, the config {shapes[place].shape}")
            found[place] = jnp.asarray(tensor, jnp.float32)
    problems += [f"{'.'.join(place)} is missing" for place in sorted(shapes.keys() - found.keys())]
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise InvalidInput(f"{path}: {'; '.join(problems[:5])}{more}")
    return unflatten_dict(found)


def _place(key: str, shapes: Mapping[tuple[str, ...], Any], prefix: str) -> tuple[str, ...] | None:
    """Where Flax keeps a weight of the file; a file may hold a model with its head or without."""
    *parents, leaf = key.split(".")
    without = parents[1:] if parents[:1] == [prefix] else parents
    places = [
        (*start, name)
        for start in (parents, [prefix, *parents], without)
        for name in _LEAVES.get(leaf, (leaf,))
    ]
    return next((place for place in places if place in shapes), None)
