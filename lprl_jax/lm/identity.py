"""Who a model is, by content: two directories of one name are two models, two copies are one."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import weakref
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

PIECE = 1 << 24
"""Numbers that are hashed at a time: of large weights no copy stays on the host, nor one in f32."""

_known: dict[tuple[Any, ...], tuple[list[weakref.ref[Any]], str]] = {}
"""Digests of arrays that are still there: arrays do not change, so each is read once."""


def of_model(model: Any) -> str:
    """SHA-256 of a model's weights, its tokenizer and its settings, in hex.

    Weights count as numbers, not by their dtype: a bf16 file is one model, read as bf16 or as f32.

    Args:
        model: A `LanguageModel` or a `FlaxModel`. Of a `FlaxModel`, the settings do not count.
    """
    parts = of_arrays(model.params), *_pieces(model.tokenizer), repr(_settings(model))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.lru_cache(maxsize=8)
def _pieces(tokenizer: Any) -> tuple[str, str]:
    """A tokenizer's vocabulary, and in which order it merges what stands side by side."""
    vocabulary = sorted(tokenizer.get_vocab().items())
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"].get("merges", ())
    each = [pair if isinstance(pair, str) else " ".join(pair) for pair in merges]
    return repr(vocabulary), repr(each)


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
        sha.update(f"{jax.tree_util.keystr(path)} {np.shape(leaf)}\n".encode())
        for part in _parts(leaf):
            wide = np.float32 if jnp.issubdtype(part.dtype, np.floating) else part.dtype
            sha.update(np.ascontiguousarray(part.astype(wide, copy=False)).data)
    return sha.hexdigest()


def _parts(leaf: Any) -> Iterator[np.ndarray]:
    """The rows of an array in their order, so many at a time, wherever they lie."""
    if not isinstance(leaf, jax.Array) or leaf.size <= PIECE:
        yield fetched(leaf)
        return
    rows = max(1, PIECE * len(leaf) // leaf.size)
    starts = range(0, len(leaf), rows)
    if _is_on_host(leaf):
        there = np.asarray(leaf)  # not copied
        yield from (there[start : start + rows] for start in starts)
        return
    for start in starts:
        count = min(rows, len(leaf) - start)
        yield fetched(jax.lax.dynamic_slice_in_dim(leaf, start, count))


def _is_on_host(leaf: jax.Array) -> bool:
    """Whether its numbers lie in the host's own memory, in one piece."""
    return {device.platform for device in leaf.devices()} == {"cpu"} and len(leaf.devices()) == 1


def fetched(leaf: Any) -> np.ndarray:
    """An array on the host, also where other processes hold parts of it."""
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable or leaf.is_fully_replicated:
        return np.asarray(leaf)
    return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))


def _settings(model: Any) -> list[tuple[str, Any]]:
    """What a decoder's config sets otherwise than by default, which a later field leaves alone."""
    config = getattr(model, "config", None)
    if config is None:
        return []
    fields = ((field, getattr(config, field.name)) for field in dataclasses.fields(config))
    return [(field.name, value) for field, value in fields if value != field.default]
