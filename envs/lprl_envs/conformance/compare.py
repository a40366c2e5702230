"""How the checks of `check_env` compare: avals, values, frequencies."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

SIGNIFICANCE = 1e-6
"""Chance that the frequencies of an environment that is right are called wrong."""


def take(tree: Any, rows: Any) -> Any:
    """These rows of leaves `[N, ...]`."""
    return jax.tree.map(lambda leaf: leaf[rows], tree)


def num_rows(tree: Any) -> int:
    """N of leaves `[N, ...]`."""
    return jax.tree.leaves(tree)[0].shape[0]


def first(wrong: Any) -> tuple[int, ...] | None:
    """Where an array first holds true."""
    places = np.argwhere(np.asarray(wrong))
    return tuple(places[0].tolist()) if len(places) else None


def aval(leaf: Any) -> str:
    """Dtype, shape and weak type in words: `weak float32[16]`."""
    return f"{'weak ' if leaf.weak_type else ''}{leaf.dtype}{list(leaf.shape)}"


def leaves(name: str, tree: Any) -> dict[str, Any]:
    """Leaves by their names, such as `state.position`."""
    named = jax.tree_util.tree_leaves_with_path(tree)
    return {
        ".".join(filter(None, (name, jax.tree_util.keystr(path, simple=True, separator=".")))): leaf
        for path, leaf in named
    }


def differing_avals(name: str, found: Any, right: Any) -> str | None:
    """The first leaf whose dtype, shape or weak type is another."""
    if jax.tree.structure(found) != jax.tree.structure(right):
        return (
            f"{name} has the leaves {list(leaves(name, found))}; right: {list(leaves('', right))}"
        )
    for (leaf, x), y in zip(leaves(name, found).items(), jax.tree.leaves(right), strict=True):
        if aval(x) != aval(y):
            return f"{leaf} is {aval(x)}; right: {aval(y)}"
    return None


class Difference(NamedTuple):
    """Where two trees differ first."""

    row: int
    """First index of the place; 0 of a scalar."""
    text: str


def difference(name: str, found: Any, right: Any) -> Difference | None:
    """The first number that is another: floats to rounding, everything else exactly."""
    if jax.tree.structure(found) != jax.tree.structure(right):
        return Difference(0, f"{name} has the leaves {list(leaves(name, found))}")
    for (leaf, x), y in zip(leaves(name, found).items(), jax.tree.leaves(right), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        if x.shape != y.shape:
            return Difference(0, f"{leaf} has the shape {x.shape}; right: {y.shape}")
        tolerance = 1e-6 if np.issubdtype(y.dtype, np.floating) else 0.0
        where = first(~np.isclose(x, y, tolerance, tolerance, equal_nan=True))
        if where is not None:
            row = where[0] if where else 0
            return Difference(row, f"{leaf} is {x[where]}; right: {y[where]}")
    return None


def unlikely(counts: np.ndarray, probs: np.ndarray) -> tuple[int, ...] | None:
    """The first class whose count is not what chance gives: counts and probabilities `[..., K]`.

    Exact binomial tests with Bonferroni's correction. Pearson's statistic would need classes that
    are not rare.
    """
    from scipy import special  # slow to import, and only this needs it

    draws, probs = counts.sum(-1, keepdims=True), np.clip(probs, 0.0, 1.0)
    below = special.bdtr(counts, draws, probs)
    above = special.bdtrc(counts - 1, draws, probs)
    return first(2 * np.minimum(below, above) * counts.size < SIGNIFICANCE)
