"""What was found by asking a model is kept in a folder, and not asked again of the same model.

A table of a prior, and what the prior is worth, follow from model, wording, world and instances, by
this code on this machine: `Kept.made_of` lists all of that. A file is named by the digest of the
list and holds it. Where anything differs, or a file is damaged, the model is asked, as without a
folder. So a run is the same to the bit, whether its table was kept or not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.experiments import asking, places, prior_kinds
from lprl_jax.experiments.config_fields import ExperimentConfig
from lprl_jax.files import archive
from lprl_jax.lm import named
from lprl_jax.priors import TabularPrior, fingerprint, wordings

MOST = 256 << 20
"""Bytes that a folder holds; what was not used for longest goes first."""
ENDING = ".npz"
FIELDS = (
    "env", "prior", "prior_dtype", "prior_kind", "prior_temperature", *prior_kinds.FIELDS,
    *asking.FIELDS,
)  # fmt: skip
"""Of a config: who is asked, and how."""
PACKAGES = (
    "jax", "jaxlib", "flax", "gymnax", "numpy", "transformers", "tokenizers", "safetensors", "gguf",
    "jinja2",
)  # fmt: skip
"""Of which another version may answer otherwise."""
OF_JAX = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_disable_most_optimizations",
    "jax_threefry_partitionable",
)
"""Settings by which numbers may differ."""
VARIABLES = ("XLA_FLAGS", "PJRT_NPROC", "NVIDIA_TF32_OVERRIDE")
"""Of the environment, by which they may too."""
SOURCES = (".py", ".json", ".yaml")
"""Files of the packages that texts and numbers come of, besides models."""

_MADE_OF, _NOTE = "made_of", "note"
_OWN = ("name", "evaluations", "settings", "figures")
"""Of a table, what its file's note holds."""


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of one prior."""

    folder: Path
    """Where, with what is kept of others."""
    made_of: Mapping[str, Any]
    """All that it depends on, as JSON has it."""
    env: TextEnv[Any, Any]
    """The environment."""
    env_params: TextEnvParams
    """Its instances."""

    def table(self, make: Callable[[], TabularPrior]) -> TabularPrior:
        """The table that is kept, or the one that is made, and then kept if there is room."""
        path = _path(self.folder, self.made_of)
        with contextlib.suppress(InvalidInput, *archive.UNREADABLE):
            return self._table(*_read(path, self.made_of, ["log_probs"]))
        made = make()
        note = {name: getattr(made, name) for name in _OWN}
        note["model"] = fingerprint.model_of(made.params.fingerprint)
        _write(path, self.made_of, note, {"log_probs": np.asarray(made.table)})
        return made

    def note(self, what: str, make: Callable[[], Any]) -> Any:
        """What was found of the prior, or is found now, and then kept if there is room.

        Args:
            what: It is.
            make: Finds it: what JSON can hold.
        """
        of = {**self.made_of, "what": what}
        path = _path(self.folder, of)
        with contextlib.suppress(InvalidInput, *archive.UNREADABLE):
            return _read(path, of, [])[0]
        made = make()
        _write(path, of, made, {})
        return made

    def _table(self, note: dict[str, Any], arrays: dict[str, Any]) -> TabularPrior:
        """Raises ValueError, or what else `archive.UNREADABLE` has, of a file that holds none."""
        num_instances = len(jax.tree.leaves(self.env_params.bank)[0])
        shape = num_instances, self.env.numbered_states, self.env.num_actions
        log_probs = arrays["log_probs"]
        if (log_probs.shape, log_probs.dtype) != (shape, np.float32):
            raise ValueError("no table of these instances")
        name = str(note["settings"].get("model", ""))
        made_for = fingerprint.of(self.env, self.env_params, note["model"], name)
        own = {field: note[field] for field in _OWN}
        return TabularPrior(self.env, jnp.asarray(log_probs), fingerprint=made_for, **own)


def of_prior(
    folder: Path,
    config: ExperimentConfig,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    drawn: Sequence[tuple[str, Any]],
) -> Kept | None:
    """What is kept of a config's prior.

    Args:
        folder: Where.
        config: Checked.
        env: Its environment.
        env_params: Its instances.
        drawn: How such are drawn, with what is fitted on others.

    Returns:
        None where nothing is: no model is asked, or not for a table of log-probabilities alone, or
        by several devices at once, or the environment is none of the package's.

    Raises:
        InvalidInput: if there is no such wording, or the model is not there.
    """
    tabulated = config.prior_access == prior_kinds.TABLE and not config.encoder
    of_model = places.asks_model(config.prior) and named.is_model(config.prior)
    alone = config.model_parallel == 1 and jax.process_count() == 1
    if not (tabulated and of_model and alone and _is_ours(env)):
        return None
    fields = {name: getattr(config, name) for name in FIELDS}
    found = {
        **fields,
        "wording": repr(wordings.of(config.wording)),
        "model": digest_of(named.path_of(config.prior)),
        "world": {**archive.identity(env), "arguments": repr(env.config)},
        "bank": fingerprint.bank_of(env_params),
        "drawn": repr(tuple(drawn)),
        **_here(),
    }
    return Kept(folder, json.loads(json.dumps(found)), env, env_params)


def digest_of(path: Path) -> str:
    """SHA-256 of a model's file, or of all files in its directory and below, and their names."""
    total = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        with file.open("rb") as stream:
            own = hashlib.file_digest(stream, "sha256").hexdigest()
        name = file.name if file == path else file.relative_to(path)
        total.update(f"{name} {own}\n".encode())
    return total.hexdigest()


def _is_ours(env: TextEnv[Any, Any]) -> bool:
    """Whether its rules are among the sources that are looked at."""
    return type(env).__module__.partition(".")[0] == lprl_envs.__name__


def _path(folder: Path, of: Mapping[str, Any]) -> Path:
    text = json.dumps(of, sort_keys=True)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()}{ENDING}"


def _read(path: Path, of: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """A file's note and arrays; it is used now.

    Raises:
        InvalidInput: if it is not there, is damaged, or of something else.
    """
    manifest, arrays = archive.read(path, "kept table", "lprl train", names)
    if manifest.get(_MADE_OF) != of:
        raise InvalidInput(f"{path} is of another model, world or machine")
    with contextlib.suppress(OSError):
        os.utime(path)
    return manifest[_NOTE], arrays


def _write(path: Path, of: Mapping[str, Any], note: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep a file in the place of a damaged one, if there is room; the rest stays within MOST."""
    if sum(array.nbytes for array in arrays.values()) > MOST:
        return
    with contextlib.suppress(InvalidInput, OSError):
        path.unlink(missing_ok=True)
        archive.write(path, {_MADE_OF: of, _NOTE: note}, arrays)
        _trim(path.parent)


def _trim(folder: Path) -> None:
    """Remove what was not used for longest, until the rest is not too much."""
    held = 0
    for used in sorted(_used(folder), reverse=True):
        held += used[1]
        if held > MOST:
            used[2].unlink(missing_ok=True)


def _used(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each file was last used, and its bytes; others may remove some meanwhile."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            yield found.st_mtime, found.st_size, path


@functools.cache
def _sources() -> str:
    """SHA-256 of the packages' own files."""
    total = hashlib.sha256()
    for root in (Path(lprl_envs.__path__[0]), Path(__file__).parents[1]):
        for path in sorted(p for p in root.rglob("*") if p.suffix in SOURCES):
            own = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(root)} {own}\n".encode())
    return total.hexdigest()


def _here() -> dict[str, Any]:
    """What is here: the code, and the machine."""
    return {
        "sources": _sources(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "devices": [f"{device.platform} {device.device_kind}" for device in jax.devices()],
        "cores": len(os.sched_getaffinity(0)),
        "jax": {name: str(jax.config.values[name]) for name in OF_JAX},
        "variables": {name: os.environ.get(name) for name in VARIABLES},
    }
