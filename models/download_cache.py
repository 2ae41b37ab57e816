"""Where downloaded weights are kept: torch's own cache, or a temporary folder of this user.

A container's user may have neither a home nor an entry in the password file, and a home that is
named may be read-only.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

#: Torch's subfolder for files of weights.
_BELOW = Path("hub", "checkpoints")


def cache_folder() -> Path:
    """Return the folder that downloads go to; it need not exist.

    It is torch's own cache, or the folder of ``temporary_cache`` if that cannot be written.
    """
    folders = cache_folders()
    return next((folder for folder in folders if _can_be_written(folder)), folders[0])


def cache_folders() -> list[Path]:
    """Return the folders in which a downloaded file may lie, best first; there is at least one."""
    return [*(home / _BELOW for home in _torch_homes()), temporary_cache()]


def temporary_cache() -> Path:
    """Return this user's folder of downloads among the system's temporary files."""
    return Path(tempfile.gettempdir(), f"remove-objects-cache-{_user()}", "torch", _BELOW)


def is_trustworthy(folder: Path) -> bool:
    """Whether nobody else can have put files into a folder of ``cache_folders``.

    Everybody may make folders among the temporary files: ours must belong to this user, and no
    other may write there.
    """
    if folder != temporary_cache():
        return True
    try:
        top = os.lstat(folder.parents[len(_BELOW.parts)])
    except OSError:
        return True  # it does not exist yet
    return stat.S_ISDIR(top.st_mode) and top.st_uid == _user() and not top.st_mode & 0o022


def make_cache_folder(folder: Path) -> None:
    """Make a folder of ``cache_folders``; a temporary one is private.

    Raises:
        OSError: it cannot be made, or is not ours.
    """
    if folder == temporary_cache():
        top = folder.parents[len(_BELOW.parts)]
        top.mkdir(mode=0o700, exist_ok=True)
        if not is_trustworthy(folder):
            raise PermissionError(f"{top} belongs to somebody else")
    folder.mkdir(parents=True, exist_ok=True)


def _torch_homes() -> list[Path]:
    """Return torch's home, where torch looks for it; none if this user has no home either."""
    if torch_home := os.environ.get("TORCH_HOME"):
        return _expanded(torch_home)
    caches = [os.environ.get("XDG_CACHE_HOME"), os.path.join("~", ".cache")]
    return [path for cache in caches if cache for path in _expanded(os.path.join(cache, "torch"))]


def _expanded(path: str) -> list[Path]:
    """Return a path without its ``~``; nothing if nobody knows the home of this user."""
    expanded = os.path.expanduser(path)
    return [] if expanded.startswith("~") else [Path(expanded)]


def _can_be_written(folder: Path) -> bool:
    existing = next((path for path in (folder, *folder.parents) if os.path.exists(path)), None)
    if existing is None or not os.path.isdir(existing) or not is_trustworthy(folder):
        return False
    return os.access(existing, os.W_OK | os.X_OK)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
