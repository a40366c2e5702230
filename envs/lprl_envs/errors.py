"""The one error that means: what was asked for cannot be done, and here is what can."""

from collections.abc import Collection
from typing import Any


class InvalidInput(ValueError):
    """Bad input. The message is one line: what was found, and what would be right."""


class NotNumbered(InvalidInput):
    """An environment has too many states for a table of them."""

    def __init__(self, env: str):
        super().__init__(env)

    def __str__(self) -> str:
        return (
            f"{self.args[0]} has too many states to number: a prior must be asked live, and "
            "planning needs a smaller environment"
        )


def require_one_of(what: str, found: Any, valid: Collection[Any]) -> None:
    """Raises InvalidInput unless `found` is one of the valid choices, which are text."""
    if not (isinstance(found, str) and found in valid):
        raise InvalidInput(f"unknown {what} {found!r}; valid: {', '.join(map(str, valid))}")
