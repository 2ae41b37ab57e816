"""One run at a time in an output folder: a lock of the operating system, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError, UsageError
from .atomic import FULL, unwritable

log = logging.getLogger(__name__)

NAME = ".remove-objects-lock"
#: Who holds it, for people. It goes with the lock, so one that the next holder finds was left by a process that died.
HOLDER = ".remove-objects-lock.json"
#: What a file system answers that has no locks.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def folder_lock(
    folder: Path, tidy: Callable[[], None] | None = None, *, option: str = "--output"
) -> Iterator[None]:
    """Hold an output folder, which is made if need be, for as long as the block runs; ``tidy`` first where the holder before died in it.

    ``option`` is what names another folder, for messages.

    On a network share the lock is the share's, and tells runs of several machines apart. Where there are no locks a warning says so, and
    the block runs all the same.

    Raises:
        UsageError: another process holds it, or nothing can be written there.
        OutputError: the disk is full.
    """
    # Only what writes needs it: the command's --help does without.
    from filelock import FileLock, Timeout

    lock = FileLock(folder / NAME, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"{folder}: {_holder(folder)}; wait until it has ended, or name another folder with {option}"
        ) from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise OutputError(str(unwritable(folder, error))) from error
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            reason = error.strerror or error
            raise UsageError(
                f"{folder}: nothing can be written there ({reason}); check its rights, or name another with {option}"
            ) from error
        log.warning(
            "%s: cannot be locked (%s): see that nothing else writes into it meanwhile",
            folder,
            error,
        )
        yield
        return
    died = (folder / HOLDER).exists()
    try:
        if died and tidy is not None:
            tidy()
        _sign(folder / HOLDER)
        yield
    finally:
        if tidy is not None or not died:  # else it stays, for one who tidies
            with suppress(OSError):
                (folder / HOLDER).unlink()
        lock.release()


def _sign(path: Path) -> None:
    """Not by way of a hidden part: whoever dies here would leave one that nobody knows of, while half a signature says enough."""
    try:
        path.write_text(
            json.dumps(
                {
                    "process": os.getpid(),
                    "host": socket.gethostname(),
                    "since": time.strftime("%F %T"),
                }
            )
        )
    except OSError as error:
        raise unwritable(path, error) from error


def _holder(folder: Path) -> str:
    """Who writes there, as far as it is known."""
    try:
        found = json.loads((folder / HOLDER).read_bytes())
        return f"another run or board writes there (process {found['process']} on {found['host']}, since {found['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run or board writes there"
