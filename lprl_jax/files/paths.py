"""Paths that users give, looked at before anything runs; files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lprl_envs import InvalidInput

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""Also after `Path` has made one slash of two."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""What file systems without hard links answer."""


class CannotWrite(InvalidInput):
    """What was begun cannot be written any further; says why, and what was kept."""


NO_ROOM = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EFBIG,
    errno.EIO,
)
"""What a system answers that does not let one write."""


def given(path: str | Path) -> Path:
    """A path as a user gives it, with `~` for the home directory; it need not exist.

    Raises:
        InvalidInput: if it is a URL, or no path that this system can have.
    """
    if _URL.match(str(path)):
        raise InvalidInput(f"{path} is a URL; it must be a path on this machine")
    try:
        os.fsencode(path).decode()
        path = Path(path)
        with contextlib.suppress(RuntimeError):  # no user of that name: then it is a name
            path = path.expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except UnicodeError:
        raise InvalidInput(f"the path {str(path)!a} is not UTF-8; name another") from None
    except ValueError:
        raise InvalidInput(f"{str(path)!r} is no path: it has a zero byte") from None
    except OSError as error:
        raise InvalidInput(f"cannot use {path}: {reason(error)}") from None
    return path


def absolute(path: str) -> str:
    """Where a path leads from any directory, if something is there; or else the text as it is."""
    if not path or _URL.match(path):
        return path
    with contextlib.suppress(InvalidInput):
        found = given(path)
        if found.exists():
            return str(found.absolute())
    return path


def require_new(path: str | Path, endings: Sequence[str] = ()) -> Path:
    """The path of a file that can be written; nothing is made yet.

    Args:
        path: As a user gives it.
        endings: Of which it must have one.

    Raises:
        InvalidInput: if something is there, or no file can be written there, or it ends otherwise.
    """
    path = given(path)
    if path.exists():
        raise InvalidInput(f"{path} exists; name another file, or remove it")
    if endings and path.suffix.lower() not in endings:
        raise InvalidInput(f"{path} does not end in {' or '.join(endings)}; name such a file")
    require_writable(path)
    return path


def require_writable(path: Path) -> None:
    """Raise InvalidInput unless something can be made at a path, its directories first."""
    above = next(p for p in path.absolute().parents if p.exists() or p.is_symlink())
    if not above.is_dir():
        raise InvalidInput(f"cannot write to {path}: {above} is not a directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InvalidInput(f"cannot write to {path}: permission denied")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which appears under its name when it is whole; its directory is made.

    Raises:
        InvalidInput: if the file exists by then, or cannot be written.
    """
    draft = path.with_name(f"{path.name[:40]}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as file:
            yield file
        _rename_new(draft, path)
    except FileExistsError:
        raise InvalidInput(f"{path} exists; name another file, or remove it") from None
    except OSError as error:
        raise InvalidInput(f"cannot write to {path}: {reason(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def write_new(path: Path, text: str) -> None:
    """Write a new text file at once, as `new_file`."""
    with new_file(path) as file:
        file.write(text.encode())


def write_json(path: Path, figures: Any) -> None:
    """Write a new JSON file at once, as `new_file`."""
    write_new(path, json.dumps(figures, indent=1) + "\n")


def system_error(error: Exception) -> OSError:
    """An error of the system, out of what libraries make of it.

    Of tensorstore, safetensors and tokenizers; where there is none, one of input and output.
    """
    number = re.search(r"(?:os_error_code='|code: |os error )(\d+)", str(error))
    if number:
        return OSError(int(number[1]), os.strerror(int(number[1])))
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            return OSError(cause.errno, os.strerror(cause.errno))
        cause = cause.__cause__ or cause.__context__
    return OSError(errno.EIO, " ".join(str(error).split())[:200])


def reason(error: OSError) -> str:
    """What the system says, without number and path."""
    return error.strerror or str(error)


def _rename_new(draft: Path, path: Path) -> None:
    """Give a draft its name, unless another has taken it meanwhile."""
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.replace(draft, path)
