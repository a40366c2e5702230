"""Set-up of every run: two host devices, strict shapes, and compiled programs kept between runs.

Warnings are errors and so is implicit rank promotion: `[B, A] + [A]` is a mistake until written
out. Compiled programs are kept in `.jax_cache/`, or where JAX_COMPILATION_CACHE_DIR says, for the
processes that tests start as well; the bound on its size also makes JAX lock it, which parallel
workers need. Thousands of programs compile in a few milliseconds: keeping those would cost more.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_DEVICES = "--xla_force_host_platform_device_count"

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("USE_TORCH", "0")  # transformers imports torch wherever it finds it
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".jax_cache"))
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(1 << 30))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
if _DEVICES not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_DEVICES}=2".strip()

# Beside a program lies a file that says when it was last used, unless its writer was killed, or set
# no bound. While one of these is missing JAX keeps no further program, and only warns.
for _program in Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).glob("*-cache"):
    _program.with_name(_program.name.removesuffix("-cache") + "-atime").touch()

import jax  # noqa: E402  (the environment is read on import)

jax.config.update("jax_numpy_rank_promotion", "raise")

_MANY_MAPS = 25_000
"""Linux allows a process 65,530 mappings of memory; a compiled program takes several, and one too
many is a segmentation fault."""


@pytest.fixture(scope="module", autouse=True)
def room_for_programs() -> Iterator[None]:
    """Let go of compiled programs between modules, once there are many."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text().count("\n") > _MANY_MAPS:
        jax.clear_caches()
        gc.collect()
