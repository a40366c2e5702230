"""A run's directory: what lies in it, and who may write there.

    config.yaml     the experiment, every field
    run.json        versions, devices, command, settings, digests of prior, instances, dataset
    metrics.jsonl   a line an evaluation, free of clock times: equal runs write equal bytes
    timing.jsonl    the clock times
    checkpoints/    the newest train states
    .lock           while a process writes here

`config.yaml` is the last of the first two to be written, each at once, so a directory that has it
can be resumed, whenever its run was killed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import inspect
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import lprl_envs
import numpy as np
import yaml
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.algorithms.base import Data
from lprl_jax.experiments import places
from lprl_jax.experiments.config import Experiment
from lprl_jax.experiments.holding import LOCK
from lprl_jax.files import yaml_values
from lprl_jax.priors import fingerprint
from lprl_jax.version import __version__

CONFIG, RUN, METRICS, TIMING = "config.yaml", "run.json", "metrics.jsonl", "timing.jsonl"
CHECKPOINTS = "checkpoints"

MAY_CHANGE = ("total_steps", "checkpoint_every")
"""Fields that may differ when a run is resumed: how far it goes, how often its state is kept."""
STATE_FORMAT = 3
"""Of checkpoints, and of the streams of random keys that a run draws from."""
MUST_AGREE = ("state_format", "lprl_jax", "jax", "jaxlib", "devices", "world", "data", "dataset")
"""Entries of run.json without which a resumed run would not be the same run to the bit."""

HELD_BYTES = 1 << 26
"""Of an array on devices, the host holds so many at a time, or a row."""


def require_empty(out: Path) -> None:
    """Raise InvalidInput if the directory, which is there and held, has anything in it."""
    if (out / CONFIG).is_file():
        raise InvalidInput(
            f"{out} is not empty: it holds a run; name a new directory, or continue with --resume"
        )
    if any(p.name != LOCK for p in out.iterdir()):
        raise InvalidInput(f"{out} is not empty; name a new directory")


def can_resume(out: Path, experiment: Experiment) -> bool:
    """Whether the directory holds this experiment's run; False where nothing was begun.

    Raises:
        InvalidInput: if it holds something else, or a run of another config.
    """
    if not (out / CONFIG).is_file():
        begun = [p for p in out.iterdir() if p.name not in (RUN, LOCK)] if out.is_dir() else []
        if [p for p in begun if p.suffix != ".tmp"]:
            raise InvalidInput(f"{out} holds no run to resume: it has no {CONFIG}")
        for leftover in begun:
            leftover.unlink()
        (out / RUN).unlink(missing_ok=True)
        return False
    there, here = places.placed(read_config(out)), experiment.as_dict()
    changed = [name for name in differing(there, here) if name not in MAY_CHANGE]
    if changed:
        raise InvalidInput(f"{out} is a run of another config: {_named(changed, there, here)}")
    return True


def begin(out: Path, experiment: Experiment, provenance: Mapping[str, Any]) -> None:
    """Write what identifies a run."""
    write(out / RUN, json.dumps(provenance, indent=1) + "\n")
    write(out / CONFIG, yaml.safe_dump(experiment.as_dict(), sort_keys=False))


def forget(out: Path) -> None:
    """Remove what was written of a run that could not begin, and nothing else."""
    for name in (CONFIG, RUN, METRICS, TIMING, "wandb.json"):
        (out / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, "tensorboard", "wandb"):  # the last three are of other logs
        shutil.rmtree(out / name, ignore_errors=True)


def require_same(out: Path, provenance: Mapping[str, Any]) -> None:
    """Raise InvalidInput unless the run was begun with these versions, devices and data.

    A run is evaluated without its dataset: where none is named here, it may be any.
    """
    there = read_provenance(out)
    named = [name for name in MUST_AGREE if name in provenance]
    changed = [name for name in named if there.get(name) != provenance[name]]
    if changed == ["dataset"]:
        raise InvalidInput(f"{out}: its dataset has changed since it was begun")
    if changed == ["data"]:
        raise InvalidInput(
            f"{out}: its prior, its instances or its policy's model have changed since it was begun"
        )
    if changed == ["world"]:
        raise InvalidInput(f"{out}: the module of its environment has changed since it was begun")
    if changed:
        raise InvalidInput(
            f"{out} cannot be continued here: {_named(changed, there, dict(provenance))}"
        )


def provenance(data: Data, settings: Any, env: TextEnv[Any, Any]) -> dict[str, Any]:
    """What run.json holds: versions, devices, command, settings, and digests of the data."""
    packages = ("jax", "jaxlib", "flax", "optax", "gymnax", "transformers", "orbax-checkpoint")
    versions = {name: importlib.metadata.version(name) for name in packages}
    asked = data.prior_params, data.completer_params, data.judge_params
    return {
        "state_format": STATE_FORMAT,
        "lprl_jax": __version__,
        **versions,
        "python": platform.python_version(),
        "devices": f"{jax.device_count()} × {jax.devices()[0].device_kind}",
        "data": digest((*asked, given(data.env_params), data.policy_params)),
        **own_world(env),
        **({"dataset": digest(data.dataset)} if data.dataset else {}),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "settings": settings,
    }


def given(env_params: TextEnvParams) -> TextEnvParams:
    """Parameters without what follows from the rest of them."""
    return dataclasses.replace(env_params, **dict.fromkeys(env_params.derived, ()))


def own_world(env: TextEnv[Any, Any]) -> dict[str, str]:
    """Digests of the texts, and of the module, of a world that is not of the package."""
    kind = type(env)
    if kind.__module__.partition(".")[0] == lprl_envs.__name__:
        return {}
    source = Path(inspect.getfile(kind)).read_bytes()
    own = hashlib.sha256(source + fingerprint.world_of(env).encode()).hexdigest()
    return {"world": own}


def digest(tree: Any) -> str:
    """SHA-256 of the arrays of a tree, with their shapes and types, wherever they lie."""
    total = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        total.update(f"{leaf.dtype}{leaf.shape}".encode())
        for part in _parts(leaf):
            total.update(np.ascontiguousarray(part).tobytes())
    return total.hexdigest()


def _parts(array: Any) -> Iterator[np.ndarray]:
    """An array's rows in their order; of one spread over devices, never many bytes at a time."""
    if not isinstance(array, jax.Array) or array.nbytes <= HELD_BYTES:
        yield np.asarray(array)
        return
    rows = max(1, HELD_BYTES * len(array) // array.nbytes)
    for start in range(0, len(array), rows):
        stop = min(start + rows, len(array))
        part = np.empty((stop - start, *array.shape[1:]), array.dtype)
        for shard in array.addressable_shards:
            first, last, _ = shard.index[0].indices(len(array))
            low, high = max(start, first), min(stop, last)
            if shard.replica_id == 0 and low < high:
                own = jax.lax.dynamic_slice_in_dim(shard.data, low - first, high - low)
                part[(slice(low - start, high - start), *shard.index[1:])] = own
        yield part


def read_config(directory: Path) -> dict[str, Any]:
    """The fields of config.yaml."""
    try:
        fields = yaml_values.load((directory / CONFIG).read_bytes(), CONFIG)
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(f"{directory} holds no run: it has no {CONFIG}") from None
    except (OSError, InvalidInput):
        fields = None
    if not isinstance(fields, dict):
        raise InvalidInput(f"{directory / CONFIG} is damaged; it should be a config in YAML")
    return fields


def read_provenance(directory: Path) -> dict[str, Any]:
    """What run.json holds."""
    try:
        entries = json.loads((directory / RUN).read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(f"{directory} holds no run: it has no {RUN}") from None
    except (OSError, ValueError):
        entries = None
    if not isinstance(entries, dict):
        raise InvalidInput(f"{directory / RUN} is damaged; it should be a JSON object")
    return entries


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a .jsonl file; a last line that was cut short is left out."""
    try:
        lines = path.read_text().splitlines(keepends=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    records = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break
        try:
            records.append(json.loads(line))
        except ValueError:
            raise InvalidInput(f"{path} is damaged: line {number} is not JSON") from None
    return records


def rewind(directory: Path, step: int | None) -> None:
    """Forget the lines after `step` (all of them, if None), which a resumed run writes again."""
    for name in (METRICS, TIMING):
        kept = []
        for record in read_lines(directory / name):
            if step is None or record.get("step", 0) > step:
                break
            kept.append(json.dumps(record) + "\n")
        write(directory / name, "".join(kept))


def write(path: Path, text: str) -> None:
    """Write a file at once: it is there whole, or not at all."""
    draft = path.with_name(path.name + ".tmp")
    try:
        draft.write_text(text)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Names of the fields that differ, those of `env_params` apart."""
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    if "env_params" in names:
        inner = differing(there.get("env_params") or {}, here.get("env_params") or {})
        names.remove("env_params")
        names += [f"env_params.{name}" for name in inner]
    return names


def _named(names: list[str], there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    def value(fields: Mapping[str, Any], name: str) -> Any:
        if name.startswith("env_params."):
            return (fields.get("env_params") or {}).get(name.removeprefix("env_params."))
        return fields.get(name)

    return "; ".join(f"{n} is {value(there, n)!r} there, {value(here, n)!r} here" for n in names)
