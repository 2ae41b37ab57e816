"""Stamps, which tell whether a file is still the same one, and fingerprints of settings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeAlias

#: A file's size, and its modification time or the value that a store keeps instead.
Stamp: TypeAlias = list[Any]


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
