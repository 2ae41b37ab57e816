"""Rights of files: what a program makes from a photo shows it, so few may read it as the photo."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_GROUP, _OTHERS = 0o060, 0o006
_ALL = 0o666


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may read and write a file at most.

    Attributes:
        mode: permission bits. The owner may always read: the program reads what it wrote.
        group: the group that the group's bits mean; None for any.
    """

    mode: int
    group: int | None

    def for_group(self, group: int) -> int:
        """Return the permission bits of a file that belongs to a group.

        For another group than that of ``mode``, the group may do no more than everybody.
        """
        if self.group is None or group == self.group:
            return self.mode
        return _group_as_others(self.mode)


def rights_of(path: Path, status: os.stat_result) -> Rights:
    """Return the rights of a file, without those to execute it.

    On Windows, where a mode says only whether a file may be written, nothing is limited.
    """
    if os.name == "nt":
        return Rights(_ALL, None)
    mode = status.st_mode & _ALL | 0o400
    # With an access control list, the group's bits are the most that anyone in the list may do.
    return Rights(_group_as_others(mode) if _has_list(path) else mode, status.st_gid)


def shared_rights(files: Iterable[Path]) -> Rights | None:
    """Return the rights that all files share; None if there is no file."""
    shared: Rights | None = None
    for path in files:
        try:
            rights = rights_of(path, path.stat())
        except OSError:
            continue
        if shared is None:
            shared = rights
        elif rights != shared:
            same = rights.group == shared.group
            modes = [r.mode if same else _group_as_others(r.mode) for r in (shared, rights)]
            shared = Rights(modes[0] & modes[1], shared.group if same else None)
    return shared


def _group_as_others(mode: int) -> int:
    return (mode & ~_GROUP) | (mode & ((mode & _OTHERS) << 3))


def _has_list(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except (AttributeError, OSError):
        return False
