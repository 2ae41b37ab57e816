"""Claims: notes about a result that is about to take its name, so that a crash cannot orphan it.

A claim holds the photo, the result's name, the stamp that the result will have, and the stamp of
the run's own file that it replaces. A crash between the result and the journal's row leaves the
claim behind. So the next attempt recognises its own file and refuses every other, however often
it crashes there.

A person's work cannot be made again, so the board's claim also holds the journal's row, and the new
mask and its layers wait beside the claim until they take their names. ``recover`` finishes such a
save.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
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
from ..names import layers_name, possible_masks
from .replaced import keep

if TYPE_CHECKING:
    from ..journal import Journal, JournalRow

#: Folder of the claims in the output folder.
CLAIMS = ".remove-objects-claims"

#: Mark the claims of a mask and of its layers; no file name can contain them. With the keys of the
#: journal's row that hold the stamps of these files.
_MASK, _LAYERS = "\0mask", "\0layers"
_STAMPS = {_MASK: "mask_written", _LAYERS: "layers_written"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that is about to take its name.

    Attributes:
        photo: the photo's name in the report, or its ``mask_key`` or ``layers_key``.
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
        photo: the photo's name in the report, or its ``mask_key`` or ``layers_key``.
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


def layers_key(photo: str) -> str:
    """Return the key under which the layers of a photo's mask are claimed."""
    return photo + _LAYERS


def claim_keys(photo: str) -> tuple[str, str, str]:
    """Return the keys of all claims of a photo."""
    return photo, mask_key(photo), layers_key(photo)


def claim_name(photo: str) -> str:
    """Return the file name of a claim: a hash, so that no photo's name becomes part of a path."""
    return hashlib.sha256(photo.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"


def waiting_mask(folder: Path, photo: str) -> Path:
    """Return the file in which the board keeps a photo's new mask until it takes its name."""
    return folder / CLAIMS / f"{claim_name(photo).removesuffix('.json')}.png"


def waiting_layers(folder: Path, photo: str) -> Path:
    """Return the file in which the board keeps the layers of the new mask, likewise."""
    return folder / CLAIMS / layers_name(PurePosixPath(waiting_mask(folder, photo).name))


def claim_text(
    photo: str,
    name: PurePosixPath,
    written: Stamp | None,
    replaced: Stamp | None,
    row: Mapping[str, Any] | None = None,
    dropped: Iterable[tuple[PurePosixPath, Stamp | None]] = (),
) -> bytes:
    """Return the content of a claim.

    Args:
        photo: the photo's name in the report, or its ``mask_key`` or ``layers_key``.
        name: the result's name in the output folder.
        written: the stamp that the result will have.
        replaced: the stamp of the run's own file that it replaces, if any.
        row: what the journal's row will say about the result, as far as it is known.
        dropped: names and marks of the mask and the layers that go, because the result has none.
    """
    claim: dict[str, Any] = {
        "input": photo,
        "output": str(name),
        "written": written,
        "replaced": replaced,
    }
    if row is not None:
        claim["row"] = dict(row)
    if gone := [[str(name), recorded] for name, recorded in dropped]:
        claim["dropped"] = gone
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
    photo, separator, what = claim.photo.partition("\0")
    row: Mapping[str, Any] = rows.get(photo) or {}
    stamp = _STAMPS.get(separator + what, "written")
    failed = (row.get("entry") or {}).get("status") == Status.FAILED.value
    if stamp == "written" and failed:
        return False
    return is_unchanged(claim.name, row.get(stamp))


def recover(folder: Path, journal: Journal) -> list[str]:
    """Finish the board's saves that a crash cut short after the result had taken its name.

    The claim's row is appended to the journal, and mask and layers that wait beside the claim take
    their names. A claim whose result never took its name changes nothing. The caller holds the
    folder's lock.

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
            _place_waiting(folder, row)
            _drop(folder, photo, claim.get("dropped"))
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
        for waiting in (waiting_mask(folder, photo), waiting_layers(folder, photo)):
            _remove(waiting, folder)
    _tidy(folder)
    return finished


def _tidy(folder: Path) -> None:
    """Remove what a killed board left before it left its claim."""
    claims = folder / CLAIMS
    if claims.is_symlink():
        return
    remove_parts(claims, folder)
    for waiting in claims.glob("*.png"):
        claim_file = waiting.with_name(f"{waiting.name.partition('.')[0]}.json")
        if not claim_file.exists():
            _remove(waiting, folder)
    with suppress(OSError):
        claims.rmdir()  # fails unless it is empty


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
        if not kind.startswith("before") and file.stat().st_mtime_ns < took_name:
            _remove(file, folder)


def _remove(file: Path, folder: Path) -> None:
    """Remove a file of the program in the output folder; a leftover one does no harm."""
    with suppress(OSError, UnwritableError):
        remove(file, folder)


def _place_waiting(folder: Path, row: JournalRow) -> None:
    """Let mask and layers that wait beside a claim take their names; they may have them already."""
    photo, saved = row["input"], row["entry"]["mask"]
    if saved is None or not is_plain(saved):
        return
    mask = PurePosixPath(saved)
    for waiting, name, recorded in (
        (waiting_mask(folder, photo), mask, row.get("mask_written")),
        (waiting_layers(folder, photo), layers_name(mask), row.get("layers_written")),
    ):
        digest, target = content_hash(recorded), folder / name
        if digest is None or content_hash(mark(waiting)) != digest:
            continue
        keep(folder, name, None, None)
        try:
            move(waiting, target, folder)
        except OSError as error:
            raise unwritable(target, error) from error


def _drop(folder: Path, photo: str, dropped: Any) -> None:
    """Move files that a claim says go to the replaced files; they may have gone already."""
    masks = possible_masks(photo)
    own = {str(name) for mask in masks for name in (mask, layers_name(mask))}
    for pair in dropped if isinstance(dropped, list) else []:
        try:
            name, recorded = pair
        except (TypeError, ValueError):
            continue
        if not isinstance(name, str) or name not in own or is_link(folder / name):
            continue
        if isinstance(recorded, list) and is_unchanged(folder / name, recorded):
            keep(folder, PurePosixPath(name), None, None)
            _remove(folder / name, folder)


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
