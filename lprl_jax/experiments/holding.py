"""Who writes to a directory: one process at a time.

A process holds a directory by a lock on a file in it. The lock is the system's, so it ends with
its process, however that ends; the file says who it is.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from lprl_envs import InvalidInput

from lprl_jax.files import paths

LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems without locks answer; there nobody is kept out."""


@contextlib.contextmanager
def hold(out: Path) -> Iterator[None]:
    """Make a directory, and keep others from writing there; what stayed empty is removed again.

    Raises:
        InvalidInput: if it cannot be made or written, or another holds it.
    """
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"cannot write to {out}: it is a file; name a directory")
    made = [p for p in (out, *out.parents) if not p.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = _lock(out)
    except OSError as error:
        _remove(made)
        raise InvalidInput(f"cannot write to {out}: {paths.reason(error)}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (out / LOCK).unlink()  # before the lock is let go of: see `_lock`
        os.close(lock)
        _remove(made)


def _lock(out: Path) -> int:
    """A file that is locked, as its descriptor."""
    while True:
        lock = os.open(out / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(lock, out / LOCK):
                os.ftruncate(lock, 0)
                with contextlib.suppress(OSError):  # a full disk: held all the same
                    os.write(lock, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return lock
        except BlockingIOError:
            holder = os.read(lock, 200).decode(errors="replace") or "another process"
            os.close(lock)
            raise InvalidInput(
                f"{out} is in use: {holder} writes there; wait for it, or name another directory"
            ) from None
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return lock
            os.close(lock)
            raise
        os.close(lock)


def _is_there(lock: int, path: Path) -> bool:
    """Whether the file is still the one of that name; its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(path))
    except FileNotFoundError:
        return False


def _remove(made: list[Path]) -> None:
    """Directories that were made, as far as they are empty."""
    with contextlib.suppress(OSError):
        for path in made:
            path.rmdir()
