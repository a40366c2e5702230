"""The one error that means: what was asked for cannot be done, and here is what can."""

from collections.abc import Collection
from typing import Any


class InvalidInput(ValueError):
    """Bad input. The message is one line: what was found, and what would be right."""


def require_one_of(what: str, found: Any, valid: Collection[Any]) -> None:
    """Raises InvalidInput unless `found` is one of the valid choices."""
    if found not in valid:
        raise InvalidInput(f"unknown {what} {found!r}; valid: {', '.join(map(str, valid))}")
