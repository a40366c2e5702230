"""Compiled programs are kept on disk, so that the next start of a command need not compile.

They lie in `lprl-jax/compiled` of the user's cache directory, those of each kind of processor by
themselves: homes are shared by machines that do not run each other's. JAX's own variables overrule
that: JAX_COMPILATION_CACHE_DIR says where else, JAX_ENABLE_COMPILATION_CACHE=false that nowhere.
"""

from __future__ import annotations

import contextlib
import os
import platform
import zlib
from pathlib import Path

MOST_BYTES = 2 << 30
"""That are kept; what was not used for longest goes first."""
SETTINGS = {
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(MOST_BYTES),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05",
}
"""Of JAX, where the user has not set them; what compiles sooner than that is not worth a file."""


def keep() -> None:
    """Have JAX keep what it compiles; before JAX is imported.

    Nothing is kept where nothing can be written.
    """
    try:
        folder = Path(os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_own())))
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # the second: there is no home
        return keep_none()
    if not os.access(folder, os.W_OK):
        return keep_none()
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    # Beside a program lies a file that says when it was last used, unless its writer was killed.
    # While one of these is missing JAX keeps no further program, and warns.
    for program in folder.glob("*-cache"):
        program.with_name(program.name.removesuffix("-cache") + "-atime").touch()


def keep_none() -> None:
    """Have JAX compile everything anew, and keep nothing; before JAX is imported."""
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"


def _own() -> Path:
    """In the user's cache directory."""
    home = os.environ.get("XDG_CACHE_HOME")
    caches = Path(home) if home else Path.home() / ".cache"
    return caches / "lprl-jax" / "compiled" / _processor()


def _processor() -> str:
    """What programs are compiled for, such as `x86_64-1c291ca3`: all that this one can do."""
    abilities = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = (x for x in lines if x.startswith(("model name", "flags", "Features")))
        abilities = "\n".join(sorted(set(told)))
    return f"{platform.machine()}-{zlib.crc32(abilities.encode()):08x}"
