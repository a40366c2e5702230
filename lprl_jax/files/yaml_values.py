"""YAML as people mean it.

PyYAML reads YAML 1.1, in which `010` is 8, `1:30` is 90, a date is an object and `1e-3` is text;
and of a name that stands twice it forgets the first. Here, as in YAML 1.2, `1e-3` is a number, and
the others are the text that was written, which whoever needs a number refuses by name.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from lprl_envs import InvalidInput
from yaml.composer import ComposerError

_TAG = "tag:yaml.org,2002:"
MOST_PARTS = 1_000_000
"""Of a value: aliases of aliases make more of a few lines than any memory holds."""
_WHOLE = r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)"
_NUMBER = (
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BROKEN = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What PyYAML raises, also of a value that is not what its tag says, as `!!int ""`."""


class _Loader(yaml.SafeLoader):
    """PyYAML's, with other numbers, and no name twice."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Raises ComposerError if a name stands twice."""
        node: Any = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"{key.value!r} stands twice"
                    raise ComposerError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [x for x in known if x[0] not in {_TAG + kind for kind in ("int", "float", "timestamp")}]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern in (("int", _WHOLE), ("float", _NUMBER)):
    _Loader.add_implicit_resolver(
        _TAG + _kind, re.compile(f"(?:{_pattern})$"), list("-+.0123456789")
    )


def load(text: str | bytes, what: str) -> Any:
    """The value that a text in YAML is.

    Args:
        text: In YAML; of bytes, UTF-8.
        what: What it is, for the message.

    Raises:
        InvalidInput: if it is none.
    """
    try:
        value = yaml.load(text, _Loader)
        _walk(value)
    except _BROKEN as error:
        raise InvalidInput(f"{what} is not readable as YAML: {_reason(error)}") from None
    return value


def _walk(value: Any) -> None:
    """Raises RecursionError if a value has no end, or as good as none: aliases allow both."""
    waiting, seen = [value], 0
    while waiting:
        part, seen = waiting.pop(), seen + 1
        if seen > MOST_PARTS:
            raise RecursionError
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list | tuple | set):
            waiting += part


def _reason(error: Exception) -> str:
    """In one line."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply, or lies in itself"
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, yaml.MarkedYAMLError) and mark is not None:
        return f"line {mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())
