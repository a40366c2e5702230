"""Who a model is, by content: two directories of one name are two models, two copies are one."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

PIECE = 1 << 24
"""Numbers that are hashed at a time: a large leaf has no second copy in f32."""

_known: dict[tuple[Any, ...], tuple[list[weakref.ref[Any]], str]] = {}
"""Digests of arrays that are still there: arrays do not change, so each is read once."""


def of_model(model: Any) -> str:
    """SHA-256 of a model's weights, its tokenizer's vocabulary and its settings, in hex.

    Weights count as numbers, not by their dtype: a bf16 file is one model, read as bf16 or as f32.

    Args:
        model: A `LanguageModel` or a `FlaxModel`. Of a `FlaxModel`, the settings do not count.
    """
    vocabulary = sorted(model.tokenizer.get_vocab().items())
    parts = of_arrays(model.params), repr(vocabulary), repr(_settings(model))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def of_arrays(tree: Any) -> str:
    """SHA-256 of the names, shapes and numbers of a pytree of arrays, in hex.

    Floats count as f32. Each JAX array is read once: what was found is remembered as long as the
    arrays are.
    """
    leaves, structure = jax.tree.flatten(tree)
    key = structure, *map(id, leaves)
    if key in _known:
        refs, digest = _known[key]
        if all(ref() is leaf for ref, leaf in zip(refs, leaves, strict=True)):
            return digest
    digest = _read(tree)
    if leaves and all(isinstance(leaf, jax.Array) for leaf in leaves):
        forget = functools.partial(_forget, _known, key)
        refs = [weakref.ref(leaf, forget) for leaf in leaves]
        _known[key] = refs, digest
    return digest


def _forget(known: dict[tuple[Any, ...], Any], key: tuple[Any, ...], _: Any) -> None:
    """One of the arrays is gone; `known` is at hand also when the interpreter shuts down."""
    known.pop(key, None)


def _read(tree: Any) -> str:
    """See `of_arrays`."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        values = np.asarray(leaf)
        sha.update(f"{jax.tree_util.keystr(path)} {values.shape}\n".encode())
        flat = values.reshape(-1)
        wide = np.float32 if jnp.issubdtype(values.dtype, np.floating) else values.dtype
        for start in range(0, flat.size, PIECE):
            piece = flat[start : start + PIECE].astype(wide, copy=False)
            sha.update(np.ascontiguousarray(piece).data)
    return sha.hexdigest()


def _settings(model: Any) -> list[tuple[str, Any]]:
    """What a decoder's config sets otherwise than by default, which a later field leaves alone."""
    config = getattr(model, "config", None)
    if config is None:
        return []
    fields = ((field, getattr(config, field.name)) for field in dataclasses.fields(config))
    return [(field.name, value) for field, value in fields if value != field.default]
