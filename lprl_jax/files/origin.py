"""Where a figure comes from: the commit that was checked out, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

CHANGED = "+"
"""Behind a commit: files that git knows were changed since."""


def commit(root: Path) -> str:
    """Of a checkout, in full; empty where the folder is not one's root, or there is no git.

    An installed package may lie within somebody else's repository, whose commit says nothing of it.
    """
    top, head = _git(root, "rev-parse", "--show-toplevel"), _git(root, "rev-parse", "HEAD")
    if not head or Path(top).resolve() != root.resolve():
        return ""
    return head + (CHANGED if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def machine() -> str:
    """What JAX runs on: an accelerator's name, or the processor's and its cores."""
    import jax

    first = jax.devices()[0]
    if first.platform != "cpu":
        return first.device_kind
    lines = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (lines.read_text().splitlines() if lines.exists() else [])
        if line.startswith("model name")
    ]
    return f"CPU, {os.cpu_count()} cores, {names[0] if names else platform.machine()}"


def _git(root: Path, *arguments: str) -> str:
    """What git says of a folder; empty where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
