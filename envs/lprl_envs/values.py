"""What a value must be: one check, for configs in YAML and for arguments in Python.

A number is never a truth value and never text; a whole number passes for a number, and NumPy's and
JAX's scalars pass for Python's. All of them become i32 or f32 on a device, so what these cannot
hold is refused: it would turn into another number, silently.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax
import numpy as np
from jax.core import Tracer

from lprl_envs.errors import InvalidInput, shown

LARGEST_WHOLE = 2**31 - 1
LARGEST = float(np.finfo(np.float32).max)
SMALLEST = float(np.finfo(np.float32).tiny)
"""Of float32, above 0: CPUs and accelerators take what is smaller for 0."""


def refuse(name: str, value: Any, right: str) -> NoReturn:
    """Raise InvalidInput: `name is value; right`."""
    raise InvalidInput(f"{name} is {shown(value)}; {right}")


def whole(name: str, value: Any) -> int:
    """A whole number of 32 bits; `1e4` is one, as is every number without a fraction."""
    value = _scalar(value)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        refuse(name, value, "it must be a whole number")
    if abs(value) > LARGEST_WHOLE:
        refuse(name, value, f"it must be a whole number of 32 bits, {LARGEST_WHOLE} at most")
    return value


def number(name: str, value: Any) -> float:
    """A number that float32 can hold, infinite ones and nan among them."""
    value = _scalar(value)
    if type(value) not in (int, float):
        refuse(name, value, "it must be a number")
    if LARGEST < abs(value) < math.inf:
        refuse(name, value, f"it must be a number that float32 holds, {LARGEST:.2g} at most")
    return float(value)


def finite(name: str, value: Any) -> float:
    """A finite number that float32 can hold."""
    value = number(name, value)
    if not math.isfinite(value):
        refuse(name, value, "it must be a finite number")
    return value


def truth(name: str, value: Any) -> bool:
    """True or false."""
    value = _scalar(value)
    if type(value) is not bool:
        refuse(name, value, "it must be true or false")
    return value


def text(name: str, value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        refuse(name, value, "it must be text")
    return str(value)


def sequence(name: str, value: Any, check: Callable[[str, Any], Any]) -> tuple[Any, ...]:
    """A list, each of whose elements passes a check; as a tuple."""
    if isinstance(value, np.ndarray | jax.Array) and value.ndim:
        value = value.tolist()
    if not isinstance(value, list | tuple):
        refuse(name, value, "it must be a list")
    return tuple(check(f"{name}[{i}]", element) for i, element in enumerate(value))


def instances(found: Any) -> list[Any]:
    """Instances by hand: a list, of which each world says what may be in it."""
    if not isinstance(found, list | tuple | np.ndarray):
        refuse("instances", found, "it must be a list")
    return list(found)


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """A mapping."""
    if not isinstance(value, Mapping):
        refuse(name, value, "it must be a mapping")
    return value


def anything(name: str, value: Any) -> Any:
    """Whatever it is, its lists as tuples."""
    return tuple(anything(name, x) for x in value) if isinstance(value, list | tuple) else value


def whole_or_text(name: str, value: Any) -> Any:
    """A whole number or a string, of which whoever uses it says which are valid."""
    value = _scalar(value)
    return whole(name, value) if type(value) in (int, float) else value


_CHECKS: dict[Any, Callable[[str, Any], Any]] = {
    int: whole,
    float: number,
    bool: truth,
    str: text,
    Any: anything,
    int | str: whole_or_text,
}


def check_of(kind: Any) -> Callable[[str, Any], Any]:
    """The check `(name, value) -> value` of a type as one annotates it."""
    if typing.get_origin(kind) in (tuple, list):
        return functools.partial(sequence, check=check_of(typing.get_args(kind)[0]))
    if typing.get_origin(kind) is Mapping:
        return mapping
    return _CHECKS[kind]


def check_like(default: Any) -> Callable[[str, Any], Any]:
    """The check of whatever a default value is of; None may be anything."""
    if isinstance(default, tuple):
        return functools.partial(sequence, check=check_like(default[0]) if default else anything)
    return _CHECKS.get(type(default), anything)


@functools.cache
def checks_of(config: type[Any]) -> Mapping[str, Callable[[str, Any], Any]]:
    """The check of each field of a dataclass, by the types that it declares."""
    kinds = typing.get_type_hints(config)
    fields = {field.name: check_of(kinds[field.name]) for field in dataclasses.fields(config)}
    return types.MappingProxyType(fields)


def check_fields(config: Any) -> None:
    """In `__post_init__` of a frozen dataclass: every field of the type that it declares.

    Raises:
        InvalidInput: if one is not, naming it.
    """
    for name, check in checks_of(type(config)).items():
        object.__setattr__(config, name, check(name, getattr(config, name)))


def require_above_0(name: str, value: Any) -> None:
    """Raise InvalidInput unless a checked number, or each in a tuple, is above 0 in float32 too."""
    if isinstance(value, tuple):
        for i, element in enumerate(value):
            require_above_0(f"{name}[{i}]", element)
    elif not value > 0:
        refuse(name, value, "it must be above 0")
    elif value < SMALLEST:
        refuse(name, value, f"it must be above 0 in float32 too, {SMALLEST:.2g} or more")


def _scalar(value: Any) -> Any:
    """NumPy's and JAX's numbers as Python's; others as they are."""
    is_array = isinstance(value, np.generic | np.ndarray | jax.Array)
    if not is_array or value.ndim or isinstance(value, Tracer):
        return value
    is_number = value.dtype.kind in "biuf" or value.dtype.name == "bfloat16"
    return value.item() if is_number else value
