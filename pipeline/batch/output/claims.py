"""Claims: notes about a result that is about to take its name, so that a crash cannot orphan it.

A claim holds the photo, the result's name, the stamp that the result will have, and the stamp of
the run's own file that it replaces. A crash between the result and the journal's row leaves the
claim behind. So the next attempt recognises its own file and refuses every other, however often
it crashes there.

A person's work cannot be made again, so the board's claim also holds the journal's row, and the new
mask waits beside the claim until it takes its name. ``recover`` finishes such a save.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from ...errors import UnwritableError
from ...report import previews
from ...storage.layout import is_plain
from ...storage.stamp import Stamp, content_hash, is_unchanged, mark
from ...system.atomic import remove_parts, unwritable
from ...system.confined import is_link, move, remove
from ...types import Status
from ..names import possible_masks
from .replaced import keep

if TYPE_CHECKING:
    from ..journal import Journal, JournalRow

#: Folder of the claims in the output folder.
CLAIMS = ".remove-objects-claims"

#: Marks the claim of a mask; no file name can contain it.
_MASK = "\0mask"


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that is about to take its name.

    Attributes:
        photo: the photo's name in the report, or its ``mask_key``.
        name: the file's name in the output folder.
        ours: the stamp of the file that the journal knows under this name.
        row: what the journal's row will say about the new file, as far as it is known.
        earlier: the row about the file that ``ours`` describes.
    """

    photo: str
    name: PurePosixPath
    ours: Stamp | None = None
    row: Mapping[str, Any] | None = None
    earlier: JournalRow | None = None


@dataclass(frozen=True, slots=True)
class LeftClaim:
    """A claim that a killed run left.

    Attributes:
        photo: the photo's name in the report, or its ``mask_key``.
        name: the name of its file, which stands in the output folder.
        row: what the journal's row would have said about it; a claim of the batch has no entry.
    """

    photo: str
    name: PurePosixPath
    row: JournalRow


def made_from(row: Mapping[str, Any] | None) -> str | None:
    """Return the SHA-256 of the photo from which a run can make a row's result again.

    None for a result that a person reviewed or made, or that continues such a one.
    """
    if row is None or is_by_a_person(row):
        return None
    return content_hash(row.get("source_mark"))


def is_by_a_person(row: Mapping[str, Any]) -> bool:
    """Whether a person's work is in a row's result: reviewed, or continued from a reviewed one."""
    return bool((row.get("entry") or {}).get("reviewed") or row.get("mended"))


def mask_key(photo: str) -> str:
    """Return the key under which a photo's mask is claimed."""
    return photo + _MASK


def claim_name(photo: str) -> str:
    """Return the file name of a claim: a hash, so that no photo's name becomes part of a path."""
    return hashlib.sha256(photo.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"


def waiting_mask(folder: Path, photo: str) -> Path:
    """Return the file in which the board keeps a photo's new mask until it takes its name."""
    return folder / CLAIMS / f"{claim_name(photo).removesuffix('.json')}.png"


def claim_text(
    photo: str,
    name: PurePosixPath,
    written: Stamp | None,
    replaced: Stamp | None,
    row: Mapping[str, Any] | None = None,
    dropped_mask: tuple[PurePosixPath, Stamp | None] | None = None,
) -> bytes:
    """Return the content of a claim.

    Args:
        photo: the photo's name in the report, or its ``mask_key``.
        name: the result's name in the output folder.
        written: the stamp that the result will have.
        replaced: the stamp of the run's own file that it replaces, if any.
        row: what the journal's row will say about the result, as far as it is known.
        dropped_mask: name and mark of the mask that goes, because the result has none.
    """
    claim: dict[str, Any] = {
        "input": photo,
        "output": str(name),
        "written": written,
        "replaced": replaced,
    }
    if row is not None:
        claim["row"] = dict(row)
    if dropped_mask is not None:
        claim["dropped_mask"] = [str(dropped_mask[0]), dropped_mask[1]]
    return json.dumps(claim).encode()


def left_claim(
    text: bytes, is_unchanged: Callable[[PurePosixPath, Stamp | None], bool]
) -> LeftClaim | None:
    """Parse a claim that a killed run left.

    Args:
        text: its content.
        is_unchanged: whether the file under a name is the one of a stamp.

    Returns:
        The claim; None if it is damaged, or if neither its file nor the one that it would have
        replaced stands.
    """
    from ..journal import sound

    try:
        claim = json.loads(text)
        photo, name = claim["input"], PurePosixPath(claim["output"])
        stamps, row = claimed_stamps(text, photo, name), claim.get("row")
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(photo, str) or not any(is_unchanged(name, stamp) for stamp in stamps):
        return None
    return LeftClaim(photo, name, sound(row) if isinstance(row, dict) else cast("JournalRow", {}))


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
    is_unchanged: Callable[[PurePosixPath, Stamp | None], bool],
) -> bool:
    """Whether a claim adds nothing to the journal's ``rows``.

    It adds nothing if the file under its name is in the rows, or is not the claimed one, or if the
    claim is damaged. The row of a failed photo knows no result: the work failed behind its writing,
    and the next attempt needs the claim to know the file for its own.
    """
    claim = left_claim(text, is_unchanged)
    if claim is None:
        return True
    row: Mapping[str, Any] = rows.get(claim.photo.removesuffix(_MASK)) or {}
    if claim.photo.endswith(_MASK):
        return is_unchanged(claim.name, row.get("mask_written"))
    failed = (row.get("entry") or {}).get("status") == Status.FAILED.value
    return not failed and is_unchanged(claim.name, row.get("written"))


def recover(folder: Path, journal: Journal) -> list[str]:
    """Finish the board's saves that a crash cut short after the result had taken its name.

    The claim's row is appended to the journal, and the mask that waits beside the claim takes its
    name. A claim whose result never took its name changes nothing. The caller holds the folder's
    lock.

    Args:
        folder: the output folder.
        journal: its journal; it gets the rows.

    Returns:
        The names of the photos whose saves were finished. The report does not tell of them yet.

    Raises:
        UnwritableError: the journal, or a mask, cannot be written.
    """
    finished = []
    for file in _claim_files(folder):
        claim = _claim_with_row(file)
        if claim is None:
            continue
        row: JournalRow = claim["row"]
        photo, result = row["input"], folder / claim["output"]
        if journal.rows.get(photo) != row and is_unchanged(result, claim.get("written")):
            _place_mask(folder, row)
            _drop_mask(folder, photo, claim.get("dropped_mask"))
            _discard_older_previews(folder, photo, result)
            was_complete = journal.complete
            journal.add(row)
            if was_complete:
                journal.finish()  # otherwise a later run would take this one for interrupted
            finished.append(photo)
        # Else the claim may be all that knows a file of an earlier attempt.
        known = journal.rows.get(photo)
        if not result.exists() or is_unchanged(
            result, None if known is None else known.get("written")
        ):
            _remove(file, folder)
        _remove(waiting_mask(folder, photo), folder)
    claims = folder / CLAIMS
    if not claims.is_symlink():
        remove_parts(claims, folder)
        for mask in claims.glob("*.png"):
            if not mask.with_suffix(".json").exists():  # killed before it left the claim
                _remove(mask, folder)
        with suppress(OSError):
            claims.rmdir()  # fails unless it is empty
    return finished


def _claim_files(folder: Path) -> list[Path]:
    claims = folder / CLAIMS
    return [] if claims.is_symlink() else sorted(claims.glob("*.json"))


def _claim_with_row(file: Path) -> dict[str, Any] | None:
    """Return the board's claim in a file; None if it is a run's, or damaged."""
    from ...report.schema import is_entry

    try:
        claim = json.loads(file.read_bytes())
        row = claim["row"]
        entry, output = row["entry"], claim["output"]
        is_sound = (
            is_entry(entry)
            and row["input"] == claim["input"] == entry["input"]
            and output == entry["output"]
            and is_plain(output)
            and file.name == claim_name(row["input"])
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return claim if is_sound else None


def _discard_older_previews(folder: Path, photo: str, result: Path) -> None:
    """Remove the previews of a photo that show an earlier result.

    The photo itself is the same. A result gets its change time when it takes its name.
    """
    took_name = result.stat().st_ctime_ns
    for kind, file in previews.find(folder, photo).items():
        if kind != "before" and file.stat().st_mtime_ns < took_name:
            _remove(file, folder)


def _remove(file: Path, folder: Path) -> None:
    """Remove a file of the program in the output folder; a leftover one does no harm."""
    with suppress(OSError, UnwritableError):
        remove(file, folder)


def _place_mask(folder: Path, row: JournalRow) -> None:
    """Let the mask that waits beside a claim take its name; it may have taken it already."""
    waiting, name = waiting_mask(folder, row["input"]), row["entry"]["mask"]
    digest = content_hash(row.get("mask_written"))
    if name is None or not is_plain(name) or digest is None:
        return
    target = folder / name
    if content_hash(mark(waiting)) != digest:
        return
    keep(folder, PurePosixPath(name), None, None)
    try:
        move(waiting, target, folder)
    except OSError as error:
        raise unwritable(target, error) from error


def _drop_mask(folder: Path, photo: str, dropped: Any) -> None:
    """Move a mask that a claim says goes to the replaced files; it may have gone already."""
    try:
        name, recorded = PurePosixPath(dropped[0]), dropped[1]
    except (TypeError, IndexError, KeyError):
        return
    target = folder / name
    if name not in possible_masks(photo) or is_link(target):
        return
    if isinstance(recorded, list) and is_unchanged(target, recorded):
        keep(folder, name, None, None)
        _remove(target, folder)


def foreign_file(target: object, *, is_known: bool = True) -> str:
    """Return the message about an existing file that no run of ours wrote.

    Args:
        target: the file.
        is_known: whether the journal would know it if a run of ours had written it.
    """
    what = (
        "is not what an earlier run wrote here"
        if is_known
        else "its row of the journal is damaged, so nobody knows whether a run wrote it"
    )
    return f"{target}: exists and {what}; move it away or use --overwrite"
