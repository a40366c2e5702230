"""Compiled programs are kept on disk, so that the next start of a command need not compile.

They lie in `lprl-jax/compiled` of the user's cache directory, those of each kind of processor by
themselves: homes are shared by machines that do not run each other's. Who has set JAX's own
variables has decided, and nothing is done here: JAX_COMPILATION_CACHE_DIR names another directory,
JAX_ENABLE_COMPILATION_CACHE=false none. Tables of priors are kept beside the programs, see
`experiments.kept`.
"""

from __future__ import annotations

import contextlib
import os
import platform
import zlib
from pathlib import Path

DIRECTORY, IS_ON = "JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"
"""JAX's variables."""
ON = ("y", "yes", "t", "true", "on", "1")
"""How JAX has it that one of them is on."""
SETTINGS = {
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(2 << 30),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.01",
}
"""Of JAX, where the user has not set them: bytes that are kept, of which those that were not used
for longest go first; and seconds of compiling that are worth a file."""
CPUINFO = Path("/proc/cpuinfo")


def keep() -> None:
    """Have JAX keep what it compiles, where it can be written; before JAX is imported."""
    if os.environ.get(DIRECTORY) or os.environ.get(IS_ON):
        return
    try:
        folder = own_folder()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return
        _remove_unfinished(folder)
    except (OSError, RuntimeError):  # the second: there is no home
        return
    os.environ[DIRECTORY] = str(folder)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def keep_none() -> None:
    """Have JAX compile everything anew, and keep nothing; before JAX is imported."""
    os.environ[IS_ON] = "false"


def tables() -> Path | None:
    """Where tables of priors are kept: beside the programs, or nowhere; after one of the above."""
    folder = os.environ.get(DIRECTORY)
    if not folder or os.environ.get(IS_ON, "true").lower() not in ON:
        return None
    return Path(folder) / f"tables-{processor()}"


def own_folder() -> Path:
    """In the user's cache directory, and of this kind of processor.

    Raises:
        RuntimeError: if the user has no home.
    """
    home = os.environ.get("XDG_CACHE_HOME")
    caches = Path(home) if home else Path.home() / ".cache"
    return caches / "lprl-jax" / "compiled" / processor()


def processor() -> str:
    """What programs are compiled for, such as `x86_64-1c291ca3`: all that this one can do."""
    abilities = platform.processor()
    with contextlib.suppress(OSError):
        told = CPUINFO.read_text().splitlines()
        told = {x for x in told if x.startswith(("model name", "flags", "Features"))}
        abilities = "\n".join(sorted(told))
    return f"{platform.machine()}-{zlib.crc32(abilities.encode()):08x}"


def _remove_unfinished(folder: Path) -> None:
    """Remove programs whose writer was killed: the file that says when they were used is missing.

    JAX would keep no further program while one lies there, and would not write it again.
    """
    names = set(os.listdir(folder))
    for name in names:
        stem = name.removesuffix("-cache")
        if stem != name and f"{stem}-atime" not in names:
            (folder / name).unlink(missing_ok=True)
