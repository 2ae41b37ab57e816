"""Names below a folder, reached without following a link.

A link in an output folder may lead anywhere: to the photos, or into another folder. So whatever
this program writes, appends to or removes there is reached from the folder itself, one component
after another, and a component that is a link is an error. Links on the way to the folder are the
user's own, and are followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UnwritableError, UsageError

#: Whether the system can name a file relative to an open folder (Windows cannot).
_RELATIVE = os.open in os.supports_dir_fd
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
#: A folder opened with ``O_PATH`` needs no right to be listed.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """An open folder. The methods take names of files in it, and never follow a link.

    Attributes:
        path: the folder.
        descriptor: its descriptor; None where the system names files by their path only.
    """

    path: Path
    descriptor: int | None

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """Open a file and return its descriptor; the umask applies to the ``mode`` of a new one.

        Raises:
            OSError: it cannot be opened, or it is a link.
        """
        if self.descriptor is None and is_link(self.path / name):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self.path / name))
        return os.open(self._name(name), flags | _NO_FOLLOW, mode, dir_fd=self.descriptor)

    def stat(self, name: str) -> os.stat_result:
        """Return the status of a file, or of a link itself."""
        return os.stat(self._name(name), dir_fd=self.descriptor, follow_symlinks=False)

    def replace(self, old: str, new: str) -> None:
        """Rename a file; an existing one of the new name is replaced."""
        os.replace(
            self._name(old),
            self._name(new),
            src_dir_fd=self.descriptor,
            dst_dir_fd=self.descriptor,
        )

    def link(self, standing: Path, name: str) -> None:
        """Give a file that stands elsewhere a second name in this folder."""
        os.link(standing, self._name(name), dst_dir_fd=self.descriptor, follow_symlinks=False)

    def unlink(self, name: str) -> None:
        """Remove a file, or a link itself."""
        os.unlink(self._name(name), dir_fd=self.descriptor)

    def rmdir(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self._name(name), dir_fd=self.descriptor)

    def listing(self) -> list[str]:
        """Return the names in the folder."""
        if self.descriptor is None:
            return os.listdir(self.path)
        readable = os.open(".", os.O_RDONLY, dir_fd=self.descriptor)
        try:
            return os.listdir(readable)
        finally:
            os.close(readable)

    def sync(self) -> None:
        """Make renames durable, if the system can open folders for it."""
        with suppress(OSError):
            readable = os.open(
                "." if self.descriptor is not None else self.path,
                os.O_RDONLY,
                dir_fd=self.descriptor,
            )
            try:
                os.fsync(readable)
            finally:
                os.close(readable)

    def _name(self, name: str) -> str:
        return name if self.descriptor is not None else str(self.path / name)


@contextmanager
def open_parent(path: Path, within: Path | None, *, create: bool = False) -> Iterator[OpenFolder]:
    """Open the folder of a file for the block.

    Args:
        path: the file. It lies below ``within``.
        within: the folder below which no link is followed; None for the file's own folder.
        create: create missing folders.

    Raises:
        UnwritableError: a link lies between ``within`` and the file.
        OSError: a folder is missing or cannot be opened.
    """
    root = path.parent if within is None else within
    names = path.parent.relative_to(root).parts
    if ".." in names or path.name in ("", ".."):
        raise UnwritableError(f"{path}: is not below {root}; name another folder with --output")
    if not _RELATIVE:
        yield OpenFolder(_checked_folder(root, names, create=create), None)
        return
    descriptor = _open_root(root, create=create)
    try:
        place = root
        for name in names:
            place = place / name
            descriptor = _step(descriptor, place, create=create)
        yield OpenFolder(place, descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path, within: Path) -> None:
    """Remove a file below a folder, if it exists.

    Raises:
        UnwritableError: a link lies between the folder and the file.
        OSError: it cannot be removed.
    """
    with suppress(FileNotFoundError), open_parent(path, within) as folder:
        folder.unlink(path.name)


def move(old: Path, new: Path, within: Path) -> None:
    """Rename a file below a folder; an existing one of the new name is replaced.

    Missing folders are created, and the renaming is durable.

    Raises:
        UnwritableError: a link lies between the folder and one of the files.
        OSError: the disk refuses.
    """
    with open_parent(old, within) as source, open_parent(new, within, create=True) as target:
        if source.descriptor is None:
            os.replace(old, new)
        else:
            os.replace(
                old.name, new.name, src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor
            )
        target.sync()


def refuse_links(root: Path, names: Iterable[PurePosixPath], option: str = "--output") -> None:
    """Refuse links at or above names below a folder, before any work.

    Args:
        root: the folder.
        names: relative to it.
        option: the command-line option that names another folder, for the message.

    Raises:
        UsageError: one of them is a link, or is reached by one.
    """
    seen = {PurePosixPath()}
    for name in names:
        for part in (*reversed(name.parents), name):
            if part in seen:
                continue
            seen.add(part)
            if is_link(root / part):
                raise UsageError(link_message(root / part, option))


def link_message(path: Path, option: str = "--output") -> str:
    """Return the message about a link in the way."""
    try:
        where = f" to {os.readlink(path)}"
    except OSError:
        where = ""
    return (
        f"{path}: is a link{where}, and nothing is written through a link in the output folder; "
        f"remove it, or name another folder with {option}"
    )


def _open_root(root: Path, *, create: bool) -> int:
    try:
        return os.open(root, _FOLDER)
    except FileNotFoundError:
        if not create:
            raise
    root.mkdir(parents=True, exist_ok=True)
    return os.open(root, _FOLDER)


def _step(descriptor: int, path: Path, *, create: bool) -> int:
    """Open a folder in an open folder, which is closed if that succeeds."""
    try:
        below = _open_below(descriptor, path.name, create=create)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and is_link(path):
            raise UnwritableError(link_message(path)) from error
        raise
    os.close(descriptor)
    return below


def _open_below(descriptor: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | _NO_FOLLOW, dir_fd=descriptor)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=descriptor)
    return os.open(name, _FOLDER | _NO_FOLLOW, dir_fd=descriptor)


def _checked_folder(root: Path, names: Iterable[str], *, create: bool) -> Path:
    """Return a folder by its path, once every component below ``root`` is known to be no link."""
    place = root
    if create:
        root.mkdir(parents=True, exist_ok=True)
    for name in names:
        place = place / name
        if is_link(place):
            raise UnwritableError(link_message(place))
        if create:
            place.mkdir(exist_ok=True)
    return place


def is_link(path: Path) -> bool:
    """Whether a name is a link, or one of Windows' junctions and other reparse points."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return False
    reparse = getattr(status, "st_file_attributes", 0) & getattr(
        stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0
    )
    return stat.S_ISLNK(status.st_mode) or bool(reparse)
