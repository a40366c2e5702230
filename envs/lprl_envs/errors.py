"""The one error that means: what was asked for cannot be done, and here is what can."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any


class InvalidInput(ValueError):
    """Bad input. The message is one line: what was found, and what would be right."""


class NotNumbered(InvalidInput):
    """An environment has too many states for a table of them."""

    def __init__(self, env: str):
        super().__init__(env)

    def __str__(self) -> str:
        return (
            f"{self.args[0]} has too many states to number, or says no numbers: a prior must be "
            "asked live or with a memory, and planning needs a smaller environment"
        )


SHOWN = 160
"""Characters of a value in a message."""


def shown(value: Any) -> str:
    """A value in a message: in one line, and not a long one."""
    try:
        text = " ".join(repr(value).splitlines())  # arrays are written in several
    except ValueError:  # Python writes no whole number of more than some thousand digits
        text = f"a {type(value).__name__} of too many digits"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def require_one_of(what: str, found: Any, valid: Collection[Any]) -> None:
    """Raises InvalidInput unless `found` is one of the valid choices, which are text."""
    if not (isinstance(found, str) and found in valid):
        names = [str(name) for name in valid]
        near = hint(found, names)
        raise InvalidInput(f"unknown {what} {shown(found)}; valid: {', '.join(names)}{near}")


def hint(found: Any, names: Iterable[str]) -> str:
    """`; did you mean corridor?`, where a name is near to what was found; otherwise nothing."""
    if not isinstance(found, str):
        return ""
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(found.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""
