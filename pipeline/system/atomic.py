"""Atomic files: everything that the program writes goes through here.

The bytes go to a hidden file in the target's own folder, are flushed to the disk, and the file is
renamed over the target. So a crash, a full disk or Ctrl-C never leaves half a file under a name
that a reader would trust.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from ..errors import OutputError, UnreadableError, UnwritableError

#: Called with the complete file under its hidden name and the name that it is about to take. An
#: exception keeps the file from taking that name.
Before: TypeAlias = Callable[[Path, Path], None]

#: Errors that every further write to the disk would meet: it is full, or a quota is used up.
FULL = {errno.ENOSPC, errno.EDQUOT}
_PART = re.compile(r"\.[0-9a-f]{16}\.part(\.png)?")
#: Hidden files that this process is writing.
_unfinished: set[Path] = set()


@contextmanager
def atomic_write(
    path: Path, *, durable: bool = True, before: Before | None = None
) -> Iterator[BinaryIO]:
    """Open a binary file that appears as ``path``, or replaces it, only if the block succeeds.

    The file is open for reading too, and the block may open its ``name`` to check the content.
    Missing parent folders are created. A failure leaves nothing behind, except perhaps an empty
    parent folder.

    Args:
        path: the file's final name.
        durable: wait until the disk has stored the bytes. Without it writing is faster, for files
            that may be lost in a power cut.
        before: called between the last byte and the rename.

    Raises:
        OutputError: the disk would refuse every other file too.
        UnwritableError: any other ``OSError`` of the disk or of the block. Other exceptions of the
            block pass unchanged.
    """
    part = path.parent / f".{secrets.token_hex(8)}.part"
    _unfinished.add(part)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Mode "x" never opens an existing file, and sets the umask's permissions; mkstemp would
        # make the photo private.
        with open(part, "x+b") as handle:
            yield handle
            handle.flush()
            if durable:
                os.fsync(handle.fileno())
        if before is not None:
            before(part, path)
        os.replace(part, path)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        _unfinished.discard(part)


def unwritable(path: Path, error: OSError) -> UnwritableError:
    """Return the error for a failed write of ``path``.

    It is an ``OutputError`` if the disk would refuse every other file too.
    """
    reason = error.strerror or error
    if error.errno in FULL:
        return OutputError(
            f"{path}: cannot be written, the disk is full ({reason}); "
            "make room, then run the same command again"
        )
    if error.errno == errno.EROFS:
        return OutputError(
            f"{path}: cannot be written, the disk is read-only ({reason}); "
            "name another folder, or make it writable"
        )
    return UnwritableError(
        f"{path}: cannot be written ({reason}); check the folder's permissions and free space"
    )


def remove_own_parts() -> None:
    """Remove this process's unfinished files, before it ends without unwinding."""
    for part in list(_unfinished):
        with suppress(OSError):
            part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files that a killed process left in a folder, but not below it.

    No other process may be writing there.
    """
    with suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if _PART.fullmatch(entry.name):
                with suppress(OSError):
                    os.unlink(entry.path)


def copy_photo(source: Path, target: Path, *, before: Before | None = None) -> None:
    """Copy a file byte for byte and atomically; ``before`` as in ``atomic_write``.

    Raises:
        UnreadableError: ``source`` cannot be read.
        UnwritableError: ``target`` cannot be written.
    """
    try:
        # Closed below. Opened apart from the target, because the two have different errors.
        original = open(source, "rb")  # noqa: SIM115
    except OSError as error:
        raise UnreadableError(
            f"{source}: cannot be opened ({error.strerror}); check its permissions"
        ) from error
    with original, atomic_write(target, before=before) as handle:
        shutil.copyfileobj(original, handle, 1 << 20)


def is_file(path: Path) -> bool:
    """Whether a regular file exists; False for an impossible name, at which ``Path`` raises."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def exists(path: Path) -> bool:
    """Whether anything exists; False for an impossible name, at which ``Path`` raises."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, if the system can open folders (Windows cannot)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
