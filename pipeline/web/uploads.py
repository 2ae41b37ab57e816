"""Uploaded files: a temporary folder of this process alone, which does not outlive it.

The folder holds a lock as long as its process lives, and goes with the server, at the latest when
the process ends. A server that was killed leaves the folder without a holder; the next one of the
same user removes it.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

#: The most pixels of an uploaded photo or mask; a photo of an opened folder may have more.
UPLOAD_PIXELS = 100_000_000
#: How the folders' names begin, the service's too, and the lock in each of them.
_PREFIX, _LOCK = "mask-board-", ".lock"
#: The most uploaded files that no call has opened, and how long they are kept, in seconds. The page
#: opens an upload at once.
UNOPENED_KEPT, UNOPENED_SECONDS = 8, 600.0
#: After this time in seconds without a change, a folder without a lock file is abandoned.
UNLOCKED_SECONDS = 86_400.0


class TemporaryFolder:
    """A locked temporary folder.

    Attributes:
        path: the folder for the files; the lock lies beside it. Only this user can read it.
    """

    def __init__(self) -> None:
        """Make the folder, and remove those of servers that died."""
        remove_abandoned(Path(tempfile.gettempdir()))
        self._whole = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = FileLock(self._whole / _LOCK, timeout=0)
        with suppress(NotImplementedError, OSError):  # a file system without locks
            self._lock.acquire()
        self.path = self._whole / "files"
        self.path.mkdir()
        # A server that nobody closes, as in a program or a test, must not leave photos behind.
        self._removal = weakref.finalize(self, _remove, self._whole, self._lock, os.getpid())

    def ensure(self) -> None:
        """Make the folder anew if it is gone: systems clear away temporary files that grow old.

        Once it was removed, it stays so.

        Raises:
            OSError: the disk refuses, or somebody else made a folder of that name.
        """
        if self.path.is_dir() or not self._removal.alive:
            return
        if os.path.lexists(self._whole):
            if not _is_own(self._whole):
                raise PermissionError(errno.EACCES, "another user's", str(self._whole))
        else:
            self._whole.mkdir(mode=0o700)
        with suppress(NotImplementedError, OSError):
            self._lock.release()
            self._lock.acquire()
        self.path.mkdir(exist_ok=True)

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        self._removal()


def no_room_for_uploads(error: OSError) -> str:
    """Say that the disk of the temporary files refuses, and what to do."""
    return (
        f"{tempfile.gettempdir()}: temporary files cannot be written there "
        f"({error.strerror or error}); make room there, or start the server with TMPDIR set to a "
        "folder of another disk"
    )


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of servers of this user that died without removing them.

    A folder without a lock file belongs to version 0.1.0, which removed none of a killed board, or
    to a server that is just starting. It is removed if nothing in it changed for a day.
    """
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, NotImplementedError, Timeout):
            if not _is_own(folder):
                continue
            if _is_own_file(folder / _LOCK):
                with FileLock(folder / _LOCK, timeout=0):
                    pass  # its holder is gone
            elif os.path.lexists(folder / _LOCK) or _last_change(folder) > _unlocked_limit():
                continue
            shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove uploads that no call has opened: all but the newest, and those that are old.

    Args:
        folder: the folder of the uploads. A call moves the file that it opens out of it.
    """
    limit = time.time() - UNOPENED_SECONDS
    # Before the files go, which changes the folders' times. The upload in progress has a new one.
    old_folders = [p for p in folder.rglob("*") if p.is_dir() and _modified(p) < limit]
    files = sorted(
        ((_modified(path), path) for path in folder.rglob("*") if not path.is_dir()), reverse=True
    )
    for number, (modified, path) in enumerate(files):
        if number >= UNOPENED_KEPT or modified < limit:
            with suppress(OSError):
                path.unlink()
    for path in sorted(old_folders, reverse=True):
        with suppress(OSError):
            path.rmdir()  # fails unless it is empty


def _remove(whole: Path, lock: FileLock, process: int) -> None:
    """Remove a server's folder, unless this is a fork of its process."""
    if os.getpid() == process:
        lock.release()  # an open file cannot be deleted on Windows
        shutil.rmtree(whole, ignore_errors=True)


def _last_change(folder: Path) -> float:
    return max(_modified(path) for path in (folder, *folder.rglob("*")))


def _unlocked_limit() -> float:
    return time.time() - UNLOCKED_SECONDS


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _is_own(folder: Path) -> bool:
    """Whether a folder is one of this user, and not a link."""
    is_folder = folder.is_dir() and not folder.is_symlink()
    return is_folder and (not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid())


def _is_own_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
