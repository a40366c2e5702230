"""Parameters and arguments of gymnax's environments: checked, and as arrays of one type."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs import values


def strong(tree: Any) -> Any:
    """Leaves as arrays of one type, where gymnax also has Python's numbers."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, jnp.result_type(x)), tree)


def bits(leaf: jax.Array) -> jax.Array:
    """`i32[...]`, flat: what tells an array from another."""
    flat = jnp.ravel(leaf)
    if jnp.issubdtype(flat.dtype, jnp.floating):
        return jax.lax.bitcast_convert_type(flat.astype(jnp.float32), jnp.int32)
    return flat.astype(jnp.int32)


def like(name: str, value: Any, default: Any) -> np.ndarray:
    """The value as an array of the default's type and shape.

    Raises:
        InvalidInput: if it is of another, naming both.
    """
    right = np.asarray(default)
    try:
        found = np.asarray(value)
    except (ValueError, OverflowError):  # rows of different lengths
        found = np.asarray(None)
    fits = found.dtype.kind in {"b": "b", "i": "i", "f": "if"}[right.dtype.kind]
    if found.shape != right.shape or not fits:
        kind = {"b": "true or false", "i": "a whole number", "f": "a number"}[right.dtype.kind]
        many = f", {list(right.shape)} of them" if right.shape else ""
        values.refuse(name, value, f"it must be {kind}{many}")
    check = values.check_like(right.dtype.type(0).item())
    for one in found.ravel().tolist():
        check(name, one)
        if one != one:
            values.refuse(name, value, "it must be a number")
    return found.astype(right.dtype)


def arguments_of(kind: type[Any]) -> dict[str, Any]:
    """What a class's constructor takes, with the defaults."""
    if kind.__init__ is object.__init__:  # takes none
        return {}
    return {p.name: p.default for p in inspect.signature(kind).parameters.values()}
