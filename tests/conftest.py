"""Set-up of every run: two host devices, strict shapes, quick compilation, programs kept.

Warnings are errors and so is implicit rank promotion: `[B, A] + [A]` is a mistake until written
out. Compiled programs are kept in `.jax_cache/`, or where JAX_COMPILATION_CACHE_DIR says, for the
processes that tests start as well; the bound on its size also makes JAX lock it, which parallel
workers need. Thousands of programs compile in a few milliseconds: keeping those would cost more.

Most of the time goes into compiling what then runs for milliseconds, so XLA is told to take little
trouble: LLVM optimises nothing, and fusions come from XLA's older emitters, which need half the
time. Where a module's programs run long it is marked `optimized`.
"""

import contextlib
import ctypes
import gc
import importlib.util
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_DEVICES = "--xla_force_host_platform_device_count"
_FUSION_EMITTERS = "xla_cpu_use_fusion_emitters"


def _knows_flag(name: str) -> bool:
    """Whether this XLA has a flag; one that it does not know ends the process."""
    spec = importlib.util.find_spec("jaxlib")
    (folder,) = (spec and spec.submodule_search_locations) or ("",)
    for library in Path(folder).glob("libjax_common.so"):
        with library.open("rb") as file:
            text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            with contextlib.closing(text):
                # A string by itself; reserved names of former flags stand there, too.
                return text.find(b"\0" + name.encode() + b"\0") >= 0
    return False


os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("USE_TORCH", "0")  # transformers imports torch wherever it finds it
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".jax_cache"))
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(1 << 30))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
if _DEVICES not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_DEVICES}=2".strip()
if _FUSION_EMITTERS not in os.environ["XLA_FLAGS"] and _knows_flag(_FUSION_EMITTERS):
    os.environ["XLA_FLAGS"] += f" --{_FUSION_EMITTERS}=false"
# What two devices exchange blocks a thread each, and independent exchanges begin in either order:
# with only as many threads as the machine has cores they may wait for each other for ever.
os.environ.setdefault("PJRT_NPROC", "16")

# Beside a program lies a file that says when it was last used, unless its writer was killed, or set
# no bound. While one of these is missing JAX keeps no further program, and only warns.
for _program in Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).glob("*-cache"):
    _program.with_name(_program.name.removesuffix("-cache") + "-atime").touch()

import jax  # noqa: E402  (the environment is read on import)

jax.config.update("jax_numpy_rank_promotion", "raise")

_MANY_MAPS = 25_000
"""Linux allows a process 65,530 mappings of memory; a compiled program takes several, and one too
many is a segmentation fault."""
_MUCH_MEMORY = 3 << 29
"""Bytes that a worker holds, 1.5 GiB."""


@pytest.fixture(scope="module", autouse=True)
def room_for_programs() -> Iterator[None]:
    """Let go of compiled programs between modules, once there are many or they are large."""
    yield
    maps, held = Path("/proc/self/maps"), Path("/proc/self/statm")
    if not maps.exists():
        return
    resident = int(held.read_text().split()[1]) * mmap.PAGESIZE
    if resident > _MUCH_MEMORY or maps.read_text().count("\n") > _MANY_MAPS:
        jax.clear_caches()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was let go of goes back to the system


@pytest.fixture(scope="module", autouse=True)
def optimized(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compile the programs of a module that is marked so with all optimisations."""
    if request.node.get_closest_marker("optimized") is None:
        yield
        return
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
