"""Stamps, which tell whether a file is still the same one, and fingerprints of settings."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, TypeAlias

#: What a file is recognised by. Of a local file its size in bytes and modification time in ns
#: (a short stamp), or these and its change time in ns, its inode and the SHA-256 of its bytes (a
#: mark). Of a store's file its size and the value that the store keeps for its content.
Stamp: TypeAlias = list[Any]

#: Number of values in a mark.
_MARK = 5


def fingerprint(*parts: Any) -> str:
    """Return a short hash of anything that JSON can hold."""
    return hashlib.sha256(
        json.dumps(parts, sort_keys=True, default=str).encode("utf-8", "surrogateescape")
    ).hexdigest()[:32]


def stamp(path: Path) -> Stamp | None:
    """Return a file's size in bytes and modification time in ns; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def mark(path: Path) -> Stamp | None:
    """Read a file and return its mark; None if it does not exist or cannot be read.

    Two files may share size and modification time: results keep the time of their photos, and
    cameras and copies repeat times. The hash tells them apart. Change time and inode let
    ``is_unchanged`` do without reading the file again.
    """
    try:
        with open(path, "rb") as file:
            # The state before the reading: a change meanwhile makes the mark fit no file.
            status = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest]


def is_mark(recorded: Stamp | None) -> bool:
    """Whether a recorded stamp is a mark and holds the file's hash."""
    return recorded is not None and len(recorded) == _MARK


def content_hash(recorded: Stamp | None) -> str | None:
    """Return the SHA-256 in a mark as hexadecimal text; None if the stamp holds none."""
    return str(recorded[-1]) if recorded is not None and is_mark(recorded) else None


def is_unchanged(path: Path, recorded: Stamp | None) -> bool:
    """Whether a file is still the one that was recorded.

    Args:
        path: the file.
        recorded: its stamp at that time. A short stamp, of journals of version 0.1.0, must
            have the same size and modification time. Of a mark the size must be the same, and
            then either all times and the inode, or the content. So moving the folder, or copying
            it with its times, changes nothing.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    if recorded is None or not recorded or status.st_size != recorded[0]:
        return False
    if not is_mark(recorded):
        return recorded == [status.st_size, status.st_mtime_ns]
    return _has_times(status, recorded) or content_hash(mark(path)) == recorded[-1]


def has_same_times(path: Path, recorded: Stamp | None) -> bool:
    """Whether size, times and inode of a file are those of a mark; nothing is read."""
    try:
        status = path.stat()
    except OSError:
        return False
    return recorded is not None and is_mark(recorded) and _has_times(status, recorded)


def _has_times(status: os.stat_result, recorded: Stamp) -> bool:
    now = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    return now == recorded[: len(now)]
