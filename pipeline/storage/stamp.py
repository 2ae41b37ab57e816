"""TODO docstring."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeAlias

#: What tells that a file is still the same one: its size, and its time of change or whatever a store keeps instead.
Stamp: TypeAlias = list[Any]


def fingerprint(*parts: Any) -> str:
    """A short hash of anything JSON can hold."""
    return hashlib.sha256(
        json.dumps(parts, sort_keys=True, default=str).encode("utf-8", "surrogateescape")
    ).hexdigest()[:32]


def stamp(path: Path) -> Stamp | None:
    """The size of a file and its time of change in ns; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]
