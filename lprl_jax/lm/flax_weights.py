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
from flax.traverse_util import flatten_dict, unflatten_dict

from lprl_jax.lm import tensor_files
from lprl_jax.lm.tensor_files import TensorFiles

HEAD, EMBEDDINGS = "lm_head.weight", ("wte.weight", "embed_tokens.weight")

# The last word of a key, and what Flax may call it.
_LEAVES = {
    "weight": ("scale", "embedding", "kernel", "weight"),
    "gamma": ("scale",),
    "beta": ("bias",),
}


def read(path: Path, shapes: Any, prefix: str, spare: str) -> Any:
    """All weights of a directory, f32, nested as Flax nests them.

    Args:
        path: Of the directory.
        shapes: What the module's parameters are: pytree with `shape`.
        prefix: Name space of the model without its head, which a file has or leaves out.
        spare: Regular expression of the ends of keys that need no place.

    Raises:
        InvalidInput: if a file is damaged, or weights are missing, of the wrong shape or type, or
            without a place (all of them counted, the first ones named); nothing has been read by
            then.
    """
    shapes = flatten_dict(shapes)
    with TensorFiles(path) as files:
        key_of, problems = {}, []
        for key in sorted(files.file_of):
            place = _place(key, shapes, prefix)
            if place is not None:
                key_of[place] = key
                shape = shapes[place].shape
                problems += files.misfits(key, shape[::-1] if _transposed(place) else shape)
            elif not re.search(rf"(^|\.)({spare})$", key):
                problems.append(f"{key} has no place in the model of config.json")
        problems += [f"{'.'.join(place)} is missing" for place in sorted(shapes.keys() - key_of)]
        problems += files.strays + _untied(files, set(key_of.values()))
        tensor_files.refuse(path, problems)

        def load(place: tuple[str, ...]) -> jax.Array:
            tensor = files.file_of[key_of[place]].get_tensor(key_of[place])
            return jnp.asarray(tensor.T if _transposed(place) else tensor, jnp.float32)

        return unflatten_dict({place: load(place) for place in shapes})


def _untied(files: TensorFiles, placed: set[str]) -> list[str]:
    """What is wrong with a head that the module, which ties it, has no place for: another one."""
    embeddings = [key for key in placed if key.endswith(EMBEDDINGS)]
    if HEAD not in files.file_of or HEAD in placed or not embeddings:
        return []
    differing = [key for key in embeddings if files.differ(HEAD, key)]
    return [f"{HEAD} is not {key}, to which config.json ties it" for key in differing]


def _transposed(place: tuple[str, ...]) -> bool:
    """Whether a file holds (out, in) where Flax holds (in, out)."""
    return place[-1] == "kernel"


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
