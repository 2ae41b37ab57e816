"""Files that are whole or absent: everything the program writes goes through here.

The bytes go to a hidden file in the target's own folder, are flushed to the disk and renamed over the target, so a crash, a
full disk or Ctrl-C never leaves half a file under a name that a reader would trust.
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

#: Told (the whole file under its hidden name, the name it is about to take); what it raises keeps the file from taking it.
Before: TypeAlias = Callable[[Path, Path], None]

#: What a disk answers that takes nothing more, whichever file it is: full, a quota used up.
FULL = {errno.ENOSPC, errno.EDQUOT}
_PART = re.compile(r"\.[0-9a-f]{16}\.part(\.png)?")
#: Hidden files that are being written by this process.
_at_work: set[Path] = set()


@contextmanager
def atomic_write(
    path: Path, *, durable: bool = True, before: Before | None = None
) -> Iterator[BinaryIO]:
    """Give a binary file to write; ``path`` appears, or is replaced, only once the block has ended well.

    The file is open for reading too, and its ``name`` may be opened by the block to check what it wrote. Parent folders are
    made. Raises ``UnwritableError`` for any ``OSError`` of the disk or of the block, ``OutputError`` where the disk would take no other
    file either; every other error passes. Nothing is left behind in either case (an empty parent folder may be). Without ``durable``
    nothing waits for the disk: quicker, for what can be missed after a power cut. ``before`` is called between the last byte and the name.
    """
    part = path.parent / f".{secrets.token_hex(8)}.part"
    _at_work.add(part)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Mode "x": never an existing file, and permissions as the umask says (mkstemp would make the photo private).
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
        _at_work.discard(part)


def unwritable(path: Path, error: OSError) -> UnwritableError:
    """The error that says what became of ``path``: ``OutputError`` where the disk would take no other file either."""
    reason = error.strerror or error
    if error.errno in FULL:
        return OutputError(
            f"{path}: cannot be written, the disk is full ({reason}); make room, then run the same command again"
        )
    if error.errno == errno.EROFS:
        return OutputError(
            f"{path}: cannot be written, the disk is read-only ({reason}); name another folder, or make it writable"
        )
    return UnwritableError(
        f"{path}: cannot be written ({reason}); check the folder's rights and free space"
    )


def remove_own_parts() -> None:
    """Remove what this process is writing and has not finished: for a process that ends without unwinding."""
    for part in list(_at_work):
        with suppress(OSError):
            part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files that a killed process left in a folder (not below it). Nobody else may be writing there."""
    with suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if _PART.fullmatch(entry.name):
                with suppress(OSError):
                    os.unlink(entry.path)


def copy_photo(source: Path, target: Path, *, before: Before | None = None) -> None:
    """Copy ``source`` to ``target`` byte for byte, atomically, ``before`` as there; ``source`` is only read.

    Raises:
        UnreadableError: of ``source``.
        UnwritableError: of ``target``.
    """
    try:
        original = open(source, "rb")  # noqa: SIM115 (closed below; an error of this file is another than one of the target)
    except OSError as error:
        raise UnreadableError(
            f"{source}: cannot be opened ({error.strerror}); check its rights"
        ) from error
    with original, atomic_write(target, before=before) as handle:
        shutil.copyfileobj(original, handle, 1 << 20)


def is_file(path: Path) -> bool:
    """Whether a regular file is there. False too for a name that no disk can hold, where ``Path.is_file`` raises."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def exists(path: Path) -> bool:
    """Whether anything is there; likewise."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened (Windows does not)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
