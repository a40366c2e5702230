"""What stands under each field of a config, in `help()`, too.

Python keeps no docstring of a field, so that `help(DQNConfig)` would name the fields and say no
more. Here they are read from the source, when somebody asks.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Mapping
from typing import Any, TypeVar

Kind = TypeVar("Kind")
WIDTH = 88
"""Columns of a line."""


def described(kind: type[Kind]) -> type[Kind]:
    """A dataclass whose `__doc__` also has its fields; put it above `@dataclasses.dataclass`."""
    kind.__doc__ = _Described(kind.__doc__ or "")  # pyright: ignore[reportAttributeAccessIssue]
    return kind


class _Described:
    """A class's `__doc__` that is written when it is read: parsing every config takes a while."""

    def __init__(self, own: str):
        self._own = own

    def __get__(self, instance: Any, kind: type[Any]) -> str:
        fields = meanings(kind)
        parts = [inspect.cleandoc(self._own), *["", "Attributes:"] * bool(fields)]
        for name, meaning in fields.items():
            field = f"{name}: {meaning}"
            parts += textwrap.wrap(field, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8)
        return "\n".join(parts)


@functools.cache
def meanings(kind: type[Any]) -> Mapping[str, str]:
    """What stands under each field of a dataclass, also of those that it inherits.

    Nothing where Python has no source, as within a zip.
    """
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if dataclasses.is_dataclass(one):
            found |= _meanings(one)
    return found


def _meanings(kind: type[Any]) -> dict[str, str]:
    try:
        source = inspect.getsource(kind)
    except OSError:
        return {}
    tree = ast.parse(textwrap.dedent(source)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if is_field and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[field.target.id] = " ".join(str(below.value.value).split())  # type: ignore[union-attr]
    return found
