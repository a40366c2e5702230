"""Files that people share: NumPy's npz with a JSON manifest that says what they belong to."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from lprl_envs import InvalidInput, TextEnv
from lprl_envs.bridges.no_text import NoText

from lprl_jax.files import paths

ENDINGS = (".npz",)
MANIFEST = "manifest"
UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy, zipfile, zlib and json raise on a file that is none of ours, or a damaged one."""


def write(path: str | Path, manifest: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write a new file at once: it is there whole, or not at all.

    Raises:
        InvalidInput: if the file exists, cannot be written, or is not called .npz.
    """
    with paths.new_file(paths.require_new(path, ENDINGS)) as file:
        np.savez_compressed(file, **{MANIFEST: np.array(json.dumps(manifest))}, **arrays)


def read(
    path: str | Path, what: str, command: str, names: Collection[str]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The manifest and the arrays of a file.

    Args:
        path: The file.
        what: Its kind, such as `"table"`, for messages.
        command: What makes one.
        names: Arrays that it must hold.

    Raises:
        InvalidInput: if there is no such file, or it is none of ours.
    """
    found = paths.given(path)
    try:
        with found.open("rb") as stream, np.load(stream) as file:
            manifest = json.loads(str(file[MANIFEST]))
            arrays = {name: file[name] for name in file.files if name != MANIFEST}
        if not isinstance(manifest, dict):
            raise TypeError("a manifest is a mapping")
        if not set(names) <= set(arrays):
            raise LookupError("arrays are missing")
    except FileNotFoundError:
        raise InvalidInput(f"no {what} at {path}; make one with `{command}`") from None
    except UNREADABLE:
        raise InvalidInput(f"{path} is not a {what}; make one with `{command}`") from None
    return manifest, arrays


def identity(env: TextEnv[Any, Any]) -> dict[str, Any]:
    """What a manifest says of the environment."""
    return {
        "environment": env.name,
        "version": env.version,
        **_wording(env),
    }


def _wording(env: TextEnv[Any, Any]) -> dict[str, Any]:
    """How states and actions read; where nothing does, how the environment was made."""
    try:
        return {"template": env.template.digest(), "actions": list(env.action_texts)}
    except NoText:
        return {"configuration": repr(env.config)}


def require_same(
    path: str | Path, what: str, manifest: Mapping[str, Any], here: Mapping[str, Any]
) -> None:
    """Raise InvalidInput unless these entries of a manifest are as they are here."""
    for field, right in here.items():
        if manifest.get(field) != right:
            raise InvalidInput(
                f"the {what} {path} is of {field} {manifest.get(field)!r}, here it is {right!r}"
            )


def rows_of(
    path: str | Path, what: str, command: str, digests: list[str], wanted: list[str]
) -> np.ndarray:
    """Where the wanted instances stand among those of a file, `i64[len(wanted)]`.

    Raises:
        InvalidInput: if some are missing there.
    """
    row_of = {digest: row for row, digest in enumerate(digests)}
    missing = [digest for digest in wanted if digest not in row_of]
    if missing:
        raise InvalidInput(
            f"the {what} {path} lacks {len(missing)} of the {len(wanted)} instances in use; "
            f"make one for them with `{command}`"
        )
    return np.array([row_of[digest] for digest in wanted], np.int64)


def instance_digests(bank: Any) -> list[str]:
    """One digest an instance of the bank, by its content."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(bank)]
    return [
        hashlib.sha256(
            b"".join(np.ascontiguousarray(leaf[i]).tobytes() for leaf in leaves)
        ).hexdigest()[:16]
        for i in range(leaves[0].shape[0])
    ]
