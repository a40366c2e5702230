"""What callers hand to an algorithm's functions: keys, hyper-parameters, counts, instances.

Shapes and types are known inside a trace as well; values are looked at where they are concrete.
"""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from lprl_envs import InvalidInput, TextEnvParams

SHOWN = 60
"""Letters of a value in a message."""


def is_concrete(tree: Any) -> bool:
    """Whether its arrays have values yet."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def described(found: Any) -> str:
    """A value on one line, with its type."""
    if found is None:
        return "None"
    if isinstance(found, type):
        return f"the class {found.__name__}"
    if hasattr(found, "dtype") and hasattr(found, "shape"):
        return f"{found.dtype}[{', '.join(map(str, found.shape))}]"
    if isinstance(found, TextEnvParams):
        return "the parameters of an environment"
    kind = type(found).__name__
    if dataclasses.is_dataclass(found):
        return _a(kind)
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        return f"{kind}({', '.join(found._fields)})"  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(found, tuple | list | dict) and found:
        inside = found.values() if isinstance(found, dict) else found
        return f"{_a(kind)} of {', '.join(type(one).__name__ for one in inside)}"
    text = " ".join(repr(found).split())
    text = text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
    return text if isinstance(found, tuple | list | dict) else f"{text}, {_a(kind)}"


def require_count(name: str, found: Any) -> int:
    """A number of updates or episodes, 1 or more.

    Raises:
        InvalidInput: if it is none.
    """
    whole = isinstance(found, numbers.Integral) and not isinstance(found, bool)
    if not whole or found < 1:
        shown = found if whole else described(found)
        raise InvalidInput(f"{name} is {shown}; it must be a whole number, 1 or more")
    return int(found)


def require_key(key: Any) -> None:
    """Raise InvalidInput unless this is one typed key."""
    if not _is_key(key) or key.shape:
        raise InvalidInput(f"key is {described(key)}; right: one key, jax.random.key(seed)")


def require_keys(keys: Any) -> int:
    """R, of typed keys `[R]`.

    Raises:
        InvalidInput: if they are not.
    """
    right = "right: a key a run, jax.random.split(jax.random.key(seed), R)"
    if not _is_key(keys):
        raise InvalidInput(f"keys are {described(keys)}; {right}")
    if keys.shape == ():
        raise InvalidInput(f"keys are one key; {right}")
    if keys.ndim != 1 or not keys.size:
        raise InvalidInput(f"keys are {described(keys)}; {right}")
    return keys.shape[0]


def keys_of_runs(key: Any, num_runs: int) -> jax.Array:
    """A key a run, `[R]`: those given, or of one key.

    Raises:
        InvalidInput: if it is neither.
    """
    if _is_key(key) and not key.shape:
        return jax.random.split(key, num_runs)
    if require_keys(key) != num_runs:
        raise InvalidInput(f"keys are {described(key)}; right: one key, or {num_runs}, a run each")
    return key


def require_hparams(hparams: Any, kind: type[Any], count: int, what: str = "runs") -> None:
    """Check hyper-parameters of so many runs, or rows of a search.

    Raises:
        InvalidInput: if they are of another algorithm, or of another number of runs.
    """
    fields = ", ".join(getattr(kind, "_fields", ())) or "none"
    if not isinstance(hparams, kind):
        raise InvalidInput(
            f"hparams are {described(hparams)}; right: config.hparams({count}), whose fields are: "
            f"{fields}"
        )
    for name, values in hparams._asdict().items():
        if getattr(values, "shape", None) != (count,):
            raise InvalidInput(
                f"hparams.{name} is {described(values)}, and there are {count} {what}; right: "
                f"config.hparams({count}), a number each"
            )
        kinds = jnp.floating, jnp.integer
        if not any(jnp.issubdtype(values.dtype, kind) for kind in kinds):
            raise InvalidInput(f"hparams.{name} is {described(values)}; right: float32[{count}]")


def require_instances(name: str, found: Any, shape: tuple[int | str, ...], size: int) -> None:
    """Check numbers of instances.

    Args:
        name: Of the argument.
        found: Integers.
        shape: What it must be; a letter stands for any number from 1.
        size: M, of the bank.

    Raises:
        InvalidInput: if shape, type or range is another one.
    """
    right = f"right: int32[{', '.join(map(str, shape))}], each in 0 to {size - 1}"
    if not hasattr(found, "shape") or not hasattr(found, "dtype"):
        raise InvalidInput(f"{name} are {described(found)}; {right}")
    fits = len(found.shape) == len(shape) and all(
        size == own if isinstance(own, int) else size >= 1
        for size, own in zip(found.shape, shape, strict=True)
    )
    if not fits or not jnp.issubdtype(found.dtype, jnp.integer):
        raise InvalidInput(f"{name} are {described(found)}; {right}")
    if not is_concrete(found):
        return
    low, high = _range(found)
    if low < 0 or high >= size:
        bad = low if low < 0 else high
        raise InvalidInput(f"{name} name the instance {bad} of a bank of {size}; {right}")


def _range(values: Any) -> tuple[int, int]:
    """The least and the greatest, wherever they lie."""
    if isinstance(values, jax.Array) and not values.is_fully_addressable:
        parts = [np.asarray(shard.data) for shard in values.addressable_shards]
        return min(int(p.min()) for p in parts), max(int(p.max()) for p in parts)
    there = np.asarray(values)
    return int(there.min()), int(there.max())


def _is_key(found: Any) -> bool:
    dtype = getattr(found, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0].lower() in "aeiou" else f"a {kind}"
