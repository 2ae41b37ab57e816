"""Everything about the files of a folder, to show that nothing there was touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def snapshot(*folders: Path) -> dict[str, tuple[object, ...]]:
    """Return mode, modification time, and content or link target of all that lies below."""
    found: dict[str, tuple[object, ...]] = {}
    for folder in folders:
        for path in (folder, *sorted(folder.rglob("*"))):
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                content: object = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            else:
                content = None
            found[str(path)] = status.st_mode, status.st_mtime_ns, content
    return found
