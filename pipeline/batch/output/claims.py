"""Claims: notes about a result that is about to take its name, so that a crash cannot orphan it.

A claim holds the photo, the result's name, the stamp that the result will have, and the stamp of
the run's own file that it replaces. A crash between the result and the journal's row leaves the
claim behind. So the next attempt recognises its own file and refuses every other, however often
it crashes there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ...storage.stamp import Stamp

#: Folder of the claims in the output folder.
CLAIMS = ".remove-objects-claims"

#: Marks the claim of a mask; no file name can contain it.
_MASK = "\0mask"


def mask_key(photo: str) -> str:
    """Return the key under which a photo's mask is claimed."""
    return photo + _MASK


def claim_name(photo: str) -> str:
    """Return the file name of a claim: a hash, so that no photo's name becomes part of a path."""
    return hashlib.sha256(photo.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"


def claim_text(
    photo: str, name: PurePosixPath, written: Stamp | None, replaced: Stamp | None
) -> bytes:
    """Return the content of a claim.

    Args:
        photo: the photo's name in the report, or its ``mask_key``.
        name: the result's name in the output folder.
        written: the stamp that the result will have.
        replaced: the stamp of the run's own file that it replaces, if any.
    """
    return json.dumps(
        {"input": photo, "output": str(name), "written": written, "replaced": replaced}
    ).encode()


def claimed_stamps(text: bytes, photo: str, name: PurePosixPath) -> list[Stamp]:
    """Return the stamps that a claim gives the file ``name`` of a photo.

    The list is empty if the claim is about another file, or was cut short.
    """
    try:
        claim = json.loads(text)
    except ValueError:
        return []
    if not isinstance(claim, dict) or (claim.get("input"), claim.get("output")) != (
        photo,
        str(name),
    ):
        return []
    return [known for key in ("written", "replaced") if isinstance(known := claim.get(key), list)]


def is_redundant(
    text: bytes,
    rows: Mapping[str, Mapping[str, Any]],
    stamp_of: Callable[[PurePosixPath], Stamp | None],
) -> bool:
    """Whether a claim adds nothing to the journal's ``rows``.

    It adds nothing if the file under its name is in the rows, if there is no such file, or if the
    claim is damaged.
    """
    try:
        claim = json.loads(text)
        key, current = claim["input"], stamp_of(PurePosixPath(claim["output"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return True
    if current is None or not isinstance(key, str):
        return True
    row: Mapping[str, Any] = rows.get(key.removesuffix(_MASK)) or {}
    return current == row.get("mask_written" if key.endswith(_MASK) else "written")


def foreign_file(target: object) -> str:
    """Return the message about an existing file that no run of ours wrote."""
    return (
        f"{target}: exists and is not what an earlier run wrote here; "
        "move it away or use --overwrite"
    )
