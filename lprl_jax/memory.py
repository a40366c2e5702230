"""How much memory there is, and a refusal in words before more than that is asked for.

Asked for more than there is, a host without swap does not always refuse: it may stand still.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
from lprl_envs import InvalidInput
from lprl_envs.errors import shown

SHARE = 0.1
"""A part is named in a message if it is at least this share of all that is asked for."""
_MEMINFO = Path("/proc/meminfo")
_GROUPS_OF_THIS = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


class Part(NamedTuple):
    """Something that takes memory."""

    names: tuple[str, ...]
    """The settings by which it becomes smaller."""
    num_bytes: int
    """What it takes, at the least."""


def require(what: str, parts: list[Part], found: Mapping[str, Any]) -> None:
    """Raise InvalidInput, naming settings and bytes, if parts take more memory than there is.

    Args:
        what: What they are, in the plural.
        parts: All of which are needed at the same time.
        found: The settings' values by name; those that are not here are not named.
    """
    total, free = sum(part.num_bytes for part in parts), free_bytes()
    if free is None or total <= free:
        return
    large = [part for part in parts if part.num_bytes >= SHARE * total]
    names = dict.fromkeys(name for part in large for name in part.names if name in found)
    named = ", ".join(f"{name} is {shown(found[name])}" for name in names)
    raise InvalidInput(
        f"{named}: {what} take {in_words(total)} of memory or more, and {in_words(free)} are free; "
        "make one of these smaller"
    )


def in_words(num_bytes: int) -> str:
    """Such as `40.2 GB`."""
    exponent = min(4, max(1, int(math.log10(max(num_bytes, 1))) // 3))
    return f"{num_bytes / 10 ** (3 * exponent):,.1f} {('kB', 'MB', 'GB', 'TB')[exponent - 1]}"


def num_bytes(tree: Any) -> int:
    """Of the arrays of a tree, or of their shapes."""
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(tree))


def copies(num_devices: int) -> int:
    """How often the host holds what lies on so many devices: accelerators have their own memory."""
    return num_devices // jax.process_count() if jax.default_backend() == "cpu" else 1


def free_bytes() -> int | None:
    """What a device can still hold; None where nobody knows.

    Of the host as the system says, within what control groups allow this process; of accelerators
    the one with the least.
    """
    if jax.default_backend() == "cpu":
        return min([*_of_host(), *_of_groups()], default=None)
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    known = [x for x in stats if "bytes_limit" in x]
    return min((x["bytes_limit"] - x.get("bytes_in_use", 0) for x in known), default=None)


def _of_host() -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
                return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_groups() -> Iterator[int]:
    """What each control group around this process leaves; cached files count as free."""
    try:
        lines = _GROUPS_OF_THIS.read_text().splitlines()
    except OSError:
        return
    for _, kinds, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if not kinds:
            root, names = _CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            root = _CGROUPS / "memory"
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        folder = root / path.strip("/")
        for group in (folder, *folder.parents):
            with contextlib.suppress(OSError, ValueError):  # no such group here, or no limit
                yield _left(group, *names)
            if group == root:
                break


def _left(group: Path, limit: str, used: str, cached: str) -> int:
    left = int((group / limit).read_text()) - int((group / used).read_text())
    stats = (line.split() for line in (group / "memory.stat").read_text().splitlines())
    return max(0, left) + sum(int(entry[1]) for entry in stats if entry[0] == cached)
