"""One run at a time in an output folder.

The lock is the operating system's: it ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ..errors import OutputError, UsageError
from .atomic import FULL, exists, unwritable
from .confined import open_parent, refuse_links, remove

log = logging.getLogger(__name__)

NAME = ".remove-objects-lock"
#: Names the holder, for people. It is removed with the lock, so a leftover one means that its
#: process died.
HOLDER = f"{NAME}.json"
#: The lock of a watch, which it holds as long as it waits for photos; it holds ``NAME`` while it
#: works, as a run does.
WATCH = ".remove-objects-watch-lock"
#: What holds a lock, by its name.
_HOLDERS = {
    NAME: "another run or board writes there",
    WATCH: "another remove-objects watch cleans into it",
}
#: Errors of a file system without locks.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


#: Bytes of the longest line in a lock.
_LINE = 1000


@contextmanager
def folder_lock(
    folder: Path,
    tidy: Callable[[], None] | None = None,
    *,
    option: str = "--output",
    name: str = NAME,
) -> Iterator[None]:
    """Lock an output folder for the block, and create it if it is missing.

    On a network share the lock is the share's, so it keeps runs of several machines apart. On a
    file system without locks a warning is logged and the block runs unlocked.

    Args:
        folder: the output folder.
        tidy: called first if the previous holder died.
        option: the command-line option that names another folder, for messages.
        name: the lock, ``NAME`` or ``WATCH``.

    Raises:
        UsageError: another process holds the lock, or the folder is not writable.
        OutputError: the disk is full.
    """
    holder = f"{name}.json"
    for own in (name, holder):
        refuse_links(folder, [PurePosixPath(own)], option)
    _refuse_other_file(folder / name, option)
    # Imported here because the command's --help does not need it.
    from filelock import FileLock, Timeout

    # Of several threads that share it, another one may release it than acquired it.
    lock = FileLock(folder / name, timeout=0, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"{folder}: {_holder(folder, name)}; "
            f"wait until it has ended, or name another folder with {option}"
        ) from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise _refused(folder, error, option) from error
        log.warning(
            "%s: cannot be locked (%s): make sure that nothing else writes into it meanwhile",
            folder,
            error,
        )
        yield
        return
    died, process = exists(folder / holder), os.getpid()
    try:
        if died and tidy is not None:
            tidy()
        try:
            _sign(folder, holder)
        except OSError as error:  # the lock of an earlier run could be opened
            raise _refused(folder, error, option) from error
        yield
    finally:
        if os.getpid() == process:  # in a fork that ends, the lock is its parent's
            if tidy is not None or not died:  # else it stays for the next holder that tidies
                with suppress(OSError):
                    remove(folder / holder, folder)
            lock.release()


def _refused(folder: Path, error: OSError, option: str) -> OutputError | UsageError:
    """Return the error about a folder that cannot be written."""
    if error.errno in FULL:
        return OutputError(str(unwritable(folder, error)))
    return UsageError(
        f"{folder}: nothing can be written there ({error.strerror or error}); "
        f"check its permissions, or name another with {option}"
    )


def _refuse_other_file(path: Path, option: str) -> None:
    """Refuse a file under the lock's name that is no lock: another name of a photo, for example.

    A lock is empty, or holds a line where the disk has no locks of its own.
    """
    with suppress(OSError):
        status = path.lstat()
        is_other = status.st_size > (_LINE if status.st_nlink == 1 else 0)
        if is_other or not stat.S_ISREG(status.st_mode):
            raise UsageError(
                f"{path}: is not the lock of a run or board, which is an empty file of its own; "
                f"move it away, or name another folder with {option}"
            )


def _sign(folder: Path, name: str) -> None:
    """Write this process's name into the holder file.

    Written directly, not atomically: a crash here must not leave a temporary file, and a truncated
    holder file is still readable enough.
    """
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%F %T"),
    }
    with open_parent(folder / name, folder) as parent:
        with suppress(FileNotFoundError):
            if parent.stat(name).st_nlink > 1:
                parent.unlink(name)  # its other name, in a copy of the folder, is not ours
        with open(folder / name, "w", opener=lambda _, flags: parent.open(name, flags)) as file:
            file.write(json.dumps(holder))


def _holder(folder: Path, name: str) -> str:
    """Return a sentence that names the holder as far as its file is readable."""
    try:
        holder = json.loads((folder / f"{name}.json").read_bytes())
        return (
            f"{_HOLDERS[name]} (process {holder['process']} "
            f"on {holder['host']}, since {holder['since']})"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return _HOLDERS[name]
