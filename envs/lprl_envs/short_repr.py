"""What an object with arrays looks like at a prompt: its fields in a line, arrays by shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

PLAIN = bool, int, float, str, bytes, type(None)
LONGEST = 60
"""Letters of a field's value."""


def short_repr(self: Any) -> str:
    """For a dataclass: `__repr__ = short_repr`. What is a function or unset is left out."""
    fields = [(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)]
    shown = ((name, in_short(value)) for name, value in fields)
    return f"{type(self).__name__}({', '.join(f'{name}={x}' for name, x in shown if x)})"


def in_short(value: Any) -> str:
    """A value in at most LONGEST letters; empty for a function."""
    if isinstance(value, PLAIN) or (
        isinstance(value, tuple | list) and all(isinstance(x, PLAIN) for x in value)
    ):
        text = repr(value)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    shape, dtype = (getattr(value, name, None) for name in ("shape", "dtype"))
    if shape is not None and dtype is not None:
        return f"{dtype}[{', '.join(map(str, shape))}]"
    if isinstance(value, Callable):
        return ""
    kind = type(value).__name__
    numbers = sum(getattr(leaf, "size", 0) for leaf in jax.tree.leaves(value))
    is_tree = not jax.tree_util.all_leaves([value])
    return f"{kind} of {numbers:,} numbers" if is_tree else kind
