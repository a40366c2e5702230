"""Figures on disk: each file says with which models it was measured, by digest, how, and where.

A model is known by its content. Figures that were measured with another one than the package has
now are stale, and `make figures-check` refuses them.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lprl_jax.files import origin
from lprl_jax.lm import embedded, fetched, identity, named
from lprl_jax.lm.checkpoint import load
from lprl_jax.version import __version__

ROOT = Path(__file__).parents[2]
TO_BE_MEASURED: tuple[str, ...] = ()
"""Files that do not say yet what they were measured with. Whoever measures one takes it out."""
MADE = "made"
"""The key under which files say it."""
NO_MODEL = "none"
"""In the place of digests, where no language model takes part."""


@functools.cache
def digest(model: str) -> str:
    """Of a model of the package, by its name; of one that is fetched, that of its pinned file."""
    if model in fetched.MODELS:
        return fetched.MODELS[model].sha256
    return identity.of_model(load(embedded.path_of(model)))


def made(models: Sequence[str] = ()) -> dict[str, Any]:
    """What stands beside figures that are measured now.

    Args:
        models: Names of the package's models that take part.

    The commit is what is checked out; of figures that were there before commits were named, it is
    the one that brought them, and their machine was not recorded.
    """
    return {
        "model": {name: digest(name) for name in models} or NO_MODEL,
        "command": _command(sys.argv),
        "commit": origin.commit(ROOT),
        "machine": origin.machine(),
        "versions": {"lprl-jax": __version__, "jax": version("jax"), "jaxlib": version("jaxlib")},
    }


def write(path: Path, figures: dict[str, Any], models: Sequence[str] = ()) -> None:
    """Write an experiment's figures, and what they were made with before all else.

    Args:
        path: The file.
        figures: As `tables` and `numbers` take them.
        models: Names of the package's models that take part; none, if no model does.
    """
    found = {MADE: made(models), **{key: x for key, x in figures.items() if key != MADE}}
    path.write_text(json.dumps(found, indent=1) + "\n")


def read(path: Path) -> dict[str, Any]:
    """An experiment's figures, as they were given to `write`."""
    figures = json.loads(path.read_text())
    figures.pop(MADE, None)
    return figures


def by_parts(
    doc: str | None,
    path: Path,
    parts: Sequence[str],
    models: Sequence[str],
    measure: Callable[[str, Path, dict[str, Any]], Any],
) -> None:
    """What a program with parts does: it measures those that are named on its command line, or all.

    Each is written as soon as it is there, beside what the file holds of the others, which another
    process may have written meanwhile.

    Args:
        doc: The program's own; its first line is shown by `--help`.
        path: The file.
        parts: In the order of the file.
        models: As `write` takes them.
        measure: `(part, an empty folder, figures so far)` to the part's figures.
    """
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *parts], help="by default, all")
    for part in parser.parse_args().parts or parts:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(part, Path(folder), kept(path, models))
        figures = {**kept(path, models), part: found}
        write(path, {name: figures[name] for name in parts if name in figures}, models)


def require_settings(path: Path, missing: Sequence[str], command: str) -> None:
    """Exit with status 2 if settings are missing: a line says of whom, and what finds them.

    Args:
        path: The file that should have them.
        missing: Whose it has not.
        command: Writes them.
    """
    if missing:
        names = ", ".join(missing)
        print(f"{path.name} holds no settings of {names}; first: {command}", file=sys.stderr)
        sys.exit(2)


def kept(path: Path, models: Sequence[str] = ()) -> dict[str, Any]:
    """What a file holds of parts that are not measured again; none of other models' figures."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text()).get(MADE, {}).get("model", NO_MODEL)
    return read(path) if found == made(models)["model"] else {}


def complaint(path: Path) -> str | None:
    """Why figures cannot be believed, in a line: they are of other models than the package's.

    Args:
        path: A file of figures.

    Returns:
        None if they are of these models, or are still to be measured.
    """
    name = path.relative_to(ROOT).as_posix()
    heads = list(_heads(json.loads(path.read_text())))
    if name in TO_BE_MEASURED:
        listed = f"{name} says what it was measured with: take it out of TO_BE_MEASURED in "
        return f"{listed}{Path(__file__).relative_to(ROOT).as_posix()}" if heads else None
    if not heads:
        return f"{name} does not say which model it was measured with; measure it again"
    if not all(head.get("commit") and head.get("machine") for head in heads):
        return f"{name} does not say at which commit and on which machine it was measured"
    folders = {folder: model for model, folder in embedded.MODELS.items()}
    for head in heads:
        models = {} if head["model"] == NO_MODEL else head["model"]
        for model, found in models.items():
            own = folders.get(model, model)
            if own not in named.NAMES or found != digest(own):
                return (
                    f"{name} was measured with another {model!r} than the package has "
                    f"({found[:12]}); measure it again: {head['command']}"
                )
    return None


def _heads(figures: Any) -> Iterator[dict[str, Any]]:
    """Of a file, or of its parts."""
    if isinstance(figures, dict):
        if MADE in figures:
            yield figures[MADE]
        for key, value in figures.items():
            if key != MADE:
                yield from _heads(value)


def _command(argv: Sequence[str]) -> str:
    """How the program was started; paths of this machine are left out."""
    program = Path(argv[0]).resolve()
    name = program.relative_to(ROOT).as_posix() if program.is_relative_to(ROOT) else program.name
    return " ".join(["python", name, *("DIR" if "/" in arg else arg for arg in argv[1:])])
