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
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

from ..errors import OutputError, UnreadableError, UnwritableError
from .confined import OpenFolder, link_message, open_parent, remove
from .rights import Rights, rights_of

#: Called with the complete file under its hidden name and the name that it is about to take. An
#: exception keeps the file from taking that name.
Before: TypeAlias = Callable[[Path, Path], None]

#: Errors that every further write to the disk would meet: it is full, or a quota is used up.
FULL = {errno.ENOSPC, errno.EDQUOT}
#: Errors of a file, or of the whole folder, that this user may not write.
_NO_RIGHTS = {errno.EACCES, errno.EPERM}
_PART = re.compile(r"\.[0-9a-f]{16}\.part(\.png)?")
#: Hidden files that this process is writing, and the folders that they may not leave.
_unfinished: set[tuple[Path, Path | None]] = set()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a file may take its name, and what it gets besides its bytes.

    Attributes:
        within: the folder that the file may not leave: a link between it and the file is refused.
            None for the file's own folder.
        rights: the rights that the file has at most; None for those that the umask allows.
        modified_ns: its modification time in ns since 1970; None for now.
        before: called between the last byte and the rename. An exception keeps the file from
            taking its name.
    """

    within: Path | None = None
    rights: Rights | None = None
    modified_ns: int | None = None
    before: Before | None = None

    def like(self, source: Path) -> Placement:
        """Return a placement with at most the rights, and with the date, of a photo's file.

        Raises:
            UnreadableError: the photo's file is gone.
        """
        try:
            status = source.stat()
        except OSError as error:
            raise UnreadableError(
                f"{source}: cannot be examined ({error.strerror}); "
                "put it back and run the same command again"
            ) from error
        rights = rights_of(source, status)
        return replace(self, rights=rights, modified_ns=status.st_mtime_ns)

    def undated(self) -> Placement:
        """Return the placement of a file that gets today's date."""
        return replace(self, modified_ns=None)


#: The placement of a file about which nothing is demanded.
ANYWHERE = Placement()


@contextmanager
def atomic_write(
    path: Path, *, durable: bool = True, placement: Placement = ANYWHERE
) -> Iterator[BinaryIO]:
    """Open a binary file that appears as ``path``, or replaces it, only if the block succeeds.

    The file is open for reading too, and the block may open its ``name`` to check the content.
    Missing parent folders are created. A failure leaves nothing behind, except perhaps an empty
    parent folder. A link under the file's own name is replaced, never followed.

    Args:
        path: the file's final name.
        durable: wait until the disk has stored the bytes. Without it writing is faster, for files
            that may be lost in a power cut.
        placement: where it may lie, its rights, its date, and the last check.

    Raises:
        OutputError: the disk, or ``placement.within``, would refuse every other file too.
        UnwritableError: any other ``OSError`` of the disk or of the block, or a link below
            ``placement.within``. Other exceptions of the block pass unchanged.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    unfinished = part, placement.within
    _unfinished.add(unfinished)
    try:
        with open_parent(path, placement.within, create=True) as folder:
            try:
                with _new_file(folder, part, placement.rights) as handle:
                    yield handle
                    handle.flush()
                    if placement.modified_ns is not None:
                        _set_date(handle, placement.modified_ns)
                    if durable:
                        os.fsync(handle.fileno())
                if placement.before is not None:
                    placement.before(part, path)
                folder.replace(part.name, path.name)
                if durable:
                    folder.sync()
            finally:
                with suppress(OSError):
                    folder.unlink(part.name)
    except OSError as error:
        raise unwritable(path, error, placement.within) from error
    finally:
        _unfinished.discard(unfinished)


def unwritable(path: Path, error: OSError, within: Path | None = None) -> UnwritableError:
    """Return the error for a failed write of ``path``.

    It is an ``OutputError`` if every other file would be refused too: by the disk, or by the folder
    ``within`` which all of them lie.
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
    if error.errno in _NO_RIGHTS and within is not None and not os.access(within, os.W_OK):
        return OutputError(
            f"{path}: cannot be written, like all in {within} ({reason}); make the folder writable "
            "again, then run the same command again"
        )
    return UnwritableError(
        f"{path}: cannot be written ({reason}); check the folder's permissions and free space"
    )


def remove_own_parts() -> None:
    """Remove this process's unfinished files, before it ends without unwinding."""
    for part, within in list(_unfinished):
        with suppress(OSError, UnwritableError):
            remove(part, within or part.parent)


def remove_parts(folder: Path, within: Path | None = None) -> None:
    """Remove the unfinished files that a killed process left in a folder, but not below it.

    No other process may be writing there. Nothing is removed behind a link between ``within`` and
    the folder.
    """
    with suppress(OSError, UnwritableError), open_parent(folder / "any", within) as place:
        for name in place.listing():
            if _PART.fullmatch(name):
                with suppress(OSError):
                    place.unlink(name)


def copy_photo(source: Path, target: Path, *, placement: Placement = ANYWHERE) -> None:
    """Copy a file byte for byte and atomically; ``placement`` as in ``atomic_write``.

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
    with original, atomic_write(target, placement=placement) as handle:
        shutil.copyfileobj(original, handle, 1 << 20)


@contextmanager
def append_alone(path: Path, within: Path) -> Iterator[FileIO]:
    """Open a file for appending and reading, unbuffered; it is created if it is missing.

    A file with several names (``cp -al`` gives a folder's copy the same files) first becomes a
    copy of its own, so that the others keep what they have.

    Args:
        path: the file.
        within: the folder below which no link is followed.

    Raises:
        UnwritableError: the file is a link, or is reached by one.
        OSError: it cannot be opened.
    """
    with open_parent(path, within, create=True) as folder:

        def opened() -> FileIO:
            return open(
                path,
                "ab+",
                buffering=0,
                opener=lambda _, flags: folder.open(path.name, flags),
            )

        try:
            file = opened()
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UnwritableError(link_message(path)) from error
            raise
        status = os.fstat(file.fileno())
        if status.st_nlink > 1:
            placement = Placement(within, rights_of(path, status))
            # The file is closed before the copy takes its name, as Windows demands.
            with atomic_write(path, placement=placement) as copy, file:
                file.seek(0)
                shutil.copyfileobj(file, copy, 1 << 20)
            file = opened()
        with file:
            yield file


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


def _new_file(folder: OpenFolder, part: Path, rights: Rights | None) -> BinaryIO:
    """Create a file with at most these rights from its first moment on."""

    def create(mode: int) -> BinaryIO:
        # Mode "x" never opens an existing file, and the umask applies; mkstemp would make the
        # photo private.
        return open(part, "x+b", opener=lambda _, flags: folder.open(part.name, flags, mode))

    if rights is None:
        return create(0o666)
    handle = create(rights.mode)
    status = os.fstat(handle.fileno())
    allowed = rights.for_group(status.st_gid)
    if status.st_mode & 0o777 & ~allowed:
        # The folder gives its files another group than the photo's. A new file, because another
        # process may have opened this one already.
        handle.close()
        folder.unlink(part.name)
        handle = create(allowed)
    return handle


def _set_date(handle: BinaryIO, modified_ns: int) -> None:
    """Set the modification time, unless the disk cannot hold it (FAT has none before 1980)."""
    times = os.fstat(handle.fileno()).st_atime_ns, modified_ns
    with suppress(OSError):
        os.utime(handle.fileno() if os.utime in os.supports_fd else handle.name, ns=times)
