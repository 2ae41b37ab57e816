"""TODO docstring."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ...storage.stamp import Stamp

CLAIMS = ".remove-objects-claims"

#: In no file's name.
_MASK = "\0mask"


def mask_key(photo: str) -> str:
    """What a photo's mask is claimed as."""
    return photo + _MASK


def claim_name(photo: str) -> str:
    """Hexadecimal: no photo's name becomes part of a path here."""
    return hashlib.sha256(photo.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"


def claim_text(
    photo: str, name: PurePosixPath, written: Stamp | None, replaced: Stamp | None
) -> bytes:
    return json.dumps(
        {"input": photo, "output": str(name), "written": written, "replaced": replaced}
    ).encode()


def claimed_stamps(text: bytes, photo: str, name: PurePosixPath) -> list[Stamp]:
    """The stamps that a claim gives the file ``name`` of a photo; none where it is about another, or cut short."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    if not isinstance(found, dict) or (found.get("input"), found.get("output")) != (
        photo,
        str(name),
    ):
        return []
    return [known for key in ("written", "replaced") if isinstance(known := found.get(key), list)]


def is_redundant(
    text: bytes,
    rows: Mapping[str, dict[str, Any]],
    stamp_of: Callable[[PurePosixPath], Stamp | None],
) -> bool:
    """Whether a claim tells nothing that the journal's ``rows`` don't: what stands under its name is in them, or nothing stands there."""
    try:
        left = json.loads(text)
        key, found = left["input"], stamp_of(PurePosixPath(left["output"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return True  # damaged, it tells nothing at all
    if found is None or not isinstance(key, str):
        return True
    row = rows.get(key.removesuffix(_MASK), {})
    return found == row.get("mask_written" if key.endswith(_MASK) else "written")


def foreign_file(target: object) -> str:
    return f"{target}: exists and is not what an earlier run wrote here; move it away or use --overwrite"
