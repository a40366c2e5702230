"""Set-up of every run: two host devices, strict shapes, and compiled programs kept between runs.

Warnings are errors and so is implicit rank promotion: `[B, A] + [A]` is a mistake until written
out. Compiled programs are kept in `.jax_cache/`; its bound on size also makes JAX lock it, which
parallel workers need.
"""

import os
from pathlib import Path

_DEVICES = "--xla_force_host_platform_device_count"

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("USE_TORCH", "0")  # transformers imports torch wherever it finds it
if _DEVICES not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_DEVICES}=2".strip()

import jax  # noqa: E402  (the environment is read on import)

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".jax_cache"))
jax.config.update("jax_compilation_cache_max_size", 1 << 30)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
