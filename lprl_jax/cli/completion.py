"""What a shell needs to complete a call of `lprl`: shtab writes it from the parser.

Where a config is wanted, the names of the package's configs are offered beside files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

from lprl_jax.cli import parser
from lprl_jax.experiments import config

FUNCTION = "_lprl_files_or_configs"
"""Its name tells shtab that folders are descended into: it has `_file` in it."""


def script(shell: str) -> str:
    """For one of `parser.SHELLS`."""
    names = " ".join(config.names())
    whole = parser.build()
    for action in _actions(whole):
        if action.dest == "config":
            completed = {"bash": FUNCTION, "zsh": FUNCTION, "tcsh": "f"}
            action.complete = completed  # pyright: ignore[reportAttributeAccessIssue]
        elif action.type is Path:
            action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
    preamble = {
        "bash": f'{FUNCTION}() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}',
        "zsh": f"{FUNCTION}() {{ compadd {names}; _files; }}",
    }
    return shtab.complete(whole, shell, preamble=preamble)  # pyright: ignore[reportArgumentType]


def _actions(of: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """A parser's arguments, and those of its commands."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
