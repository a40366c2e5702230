"""The command line: a command is run, and how it ends. `parser` says how each is called.

Bad input is answered in one line on stderr, with exit status 2; a run that diverges with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lprl_jax.cli import imports, programs, streams
from lprl_jax.cli.interrupts import INTERRUPTED, Watch
from lprl_jax.cli.parser import parse

# Before JAX starts: one device a core, so that the run axis can use them all.
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

RESUMABLE = {
    "train": "a training continues with --resume",
    "prior": "the same command goes on from there",
}
"""Commands that can go on where they were interrupted, and how."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status.

    Args:
        arguments: Of the command line; None where this is the program itself, which then also minds
            what its output goes to, and how it is interrupted.
    """
    if arguments is not None:
        return _answer(arguments)
    streams.prepare()
    watch = Watch()
    try:
        status = _answer(None, watch)
    except SystemExit as exit:  # of argparse: --help, --version, or a bad call
        status = exit.code if isinstance(exit.code, int) else 1
    status = streams.finish(status)
    if watch.interrupted:
        watch.leave()
    return status


def _answer(arguments: Sequence[str] | None, watch: Watch | None = None) -> int:
    """Run a command, wherever its output goes, until it is interrupted."""
    command = ""
    try:
        options = parse(arguments)
        command, options.tables = options.command, None
        if watch:  # within a program of somebody else's JAX is up already
            programs.keep_none() if options.no_cache else programs.keep()
            options.tables = programs.tables()
        return _run(options, watch)
    except BrokenPipeError:
        return streams.READER_GONE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        return streams.no_room(error)
    except KeyboardInterrupt:
        if watch:
            watch.end()
        hint = f"; {RESUMABLE[command]}" if command in RESUMABLE else ""
        print(f"lprl: interrupted{hint}", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace, watch: Watch | None) -> int:
    """Run a command; its errors are a line."""
    with imports.lightly() if watch else contextlib.nullcontext():
        from lprl_envs import InvalidInput

        from lprl_jax.cli import commands
        from lprl_jax.cli.warnings import in_a_line
        from lprl_jax.experiments.runner import Diverged
        from lprl_jax.files.paths import given

    if watch:
        watch.loaded()
        in_a_line()
    try:
        for name, value in vars(options).items():
            if isinstance(value, Path):
                setattr(options, name, given(value))
            elif isinstance(value, list):
                each = [given(x) if isinstance(x, Path) else x for x in value]
                setattr(options, name, each)
        commands.COMMANDS[options.command](options)
    except (InvalidInput, Diverged) as error:
        print(f"lprl: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInput) else 1
    return 0
