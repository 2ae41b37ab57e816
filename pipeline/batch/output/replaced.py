"""Replaced files: what a run or the board replaces stays recoverable until the user deletes it.

Each version lies at ``.remove-objects-replaced/<name of the result>/<UTC time>-<hash><suffix>``, so
a person finds it without this program. Beside it a JSON file of the same name holds the journal's
row that described it. Versions that a run can make again, from the same photo, are limited to
``KEPT``; everything that a person made stays.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...errors import UnreadableError, UnwritableError
from ...report.files import REPORTS
from ...report.recognise import HEAD_BYTES, is_report
from ...storage.layout import REPLACED
from ...storage.stamp import content_hash, mark
from ...system.atomic import Placement, atomic_write, copy_photo, unwritable
from ...system.confined import is_link, link_message, open_parent, remove

if TYPE_CHECKING:
    from ..journal import JournalRow

#: How many versions that a run made of one photo's content are kept.
KEPT = 3
#: The name of a version of a JSON file.
_KEPT_JSON = re.compile(r"\d{8}T\d{6}\.\d{6}-[0-9a-f]{8}\.json")


@dataclass(frozen=True, slots=True)
class Version:
    """One replaced file.

    Attributes:
        path: the kept file.
        row: the journal's row that described it; None for a file that no run wrote.
        made_from: SHA-256 of the photo from which a run can make it again; None for a result that
            a person made or changed.
        mask: SHA-256 of the mask that stood beside a result when it was kept, if there was one.
        layers: likewise of the mask's layers.
    """

    path: Path
    row: JournalRow | None
    made_from: str | None
    mask: str | None = None
    layers: str | None = None

    def is_like(self, digest: str) -> bool:
        """Whether the version's name begins like this SHA-256, so that it is hardly another."""
        return self.path.stem.endswith(f"-{digest[:8]}")


def keep(
    folder: Path,
    name: PurePosixPath,
    row: JournalRow | None,
    made_from: str | None,
    *,
    mask: str | None = None,
    layers: str | None = None,
) -> Path | None:
    """Keep the file that stands under a name and is about to be replaced.

    The file stays where it is: it gets a second name, or is copied where the disk has no hard
    links. A file that is kept already gets a new name instead of a second copy.

    Args:
        folder: the output folder.
        name: the file's name in it.
        row: the journal's row that describes the file, if it is a result.
        made_from: see ``Version``.
        mask: likewise.
        layers: likewise.

    Returns:
        The kept file; None if no file stands under the name.

    Raises:
        UnwritableError: it cannot be kept, or is a link; then it must not be replaced.
    """
    standing = folder / name
    if is_link(standing):
        raise UnwritableError(link_message(standing))
    digest = content_hash(mark(standing))
    if digest is None:
        if standing.is_file():
            raise UnwritableError(
                f"{standing}: cannot be read, so it cannot be kept before it is replaced; "
                "check its permissions"
            )
        return None
    existing = versions(folder, name)
    same = [v for v in existing if v.is_like(digest) and content_hash(mark(v.path)) == digest]
    if any(version.made_from is None for version in same):
        made_from = None  # a person made or reviewed it once
    place = folder / REPLACED / name / version_name(name, digest)
    _link_or_copy(standing, place, folder)
    text = place.with_name(f"{place.name}.json")
    with atomic_write(text, durable=False, placement=Placement(within=folder)) as file:
        file.write(version_text(row, made_from, mask, layers))
    # The newest name says when a file was replaced last, so the older names of this one go.
    others = [version for version in existing if version not in same]
    for version in [*same, *superseded([*others, Version(place, row, made_from)])]:
        for path in (version.path, version.path.with_name(f"{version.path.name}.json")):
            with suppress(OSError, UnwritableError):
                remove(path, folder)
    return place


def versions(folder: Path, name: PurePosixPath) -> list[Version]:
    """Return the kept versions of a file, the oldest first."""
    place = folder / REPLACED / name
    try:
        files = sorted(path for path in place.iterdir() if path.is_file())
    except OSError:
        return []
    found = []
    for path in files:
        if is_note(path.name) or path.name.startswith("."):
            continue
        text = _content(path.with_name(f"{path.name}.json"))
        found.append(Version(path, *read_version(text)))
    return found


def keep_foreign_reports(folder: Path, names: Sequence[str] = REPORTS) -> list[str]:
    """Keep files under the names of reports that are no reports of this program.

    They are about to be replaced, and a person or another program made them.

    Returns:
        A sentence about each of them.

    Raises:
        UnwritableError: one cannot be kept, so it must not be replaced.
    """
    notes = []
    for name in names:
        if is_link(folder / name) or is_report(name, _content(folder / name, HEAD_BYTES)):
            continue
        kept = keep(folder, PurePosixPath(name), None, None)
        if kept is not None:
            notes.append(kept_report(folder, name, kept.relative_to(folder)))
    return notes


def kept_report(folder: object, name: str, kept: PurePath) -> str:
    """Return the sentence about a file that was no report, and was kept before it was replaced."""
    return (
        f"{folder}/{name}: was not a report of this program, which writes one of that name; "
        f"it is kept: {kept.as_posix()}"
    )


def size(folder: Path) -> tuple[int, int]:
    """Return the number of kept files and their bytes."""
    count = total = 0
    for place, _, names in os.walk(folder / REPLACED):
        for name in names:
            if not is_note(name):
                with suppress(OSError):
                    total += os.lstat(os.path.join(place, name)).st_size
                    count += 1
    return count, total


def superseded(existing: Iterable[Version]) -> list[Version]:
    """Return the versions beyond the limit: those that a run can make again, the oldest first."""
    of_photo: dict[str, list[Version]] = {}
    for version in existing:
        if version.made_from is not None:
            of_photo.setdefault(version.made_from, []).append(version)
    return [version for group in of_photo.values() for version in group[:-KEPT]]


def version_name(name: PurePosixPath, digest: str) -> str:
    """Return the file name of a new version of the file ``name`` with the given SHA-256."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{digest[:8]}{name.suffix}"


def is_note(name: str) -> bool:
    """Whether a file in the store is the JSON file about a version, and not a version itself.

    A version of a ``report.json`` is a JSON file too.
    """
    return name.endswith(".json") and _KEPT_JSON.fullmatch(name.rpartition("/")[2]) is None


def version_text(
    row: JournalRow | None,
    made_from: str | None,
    mask: str | None = None,
    layers: str | None = None,
) -> bytes:
    """Return the content of a version's JSON file, see ``Version``."""
    content = {"row": row, "made_from": made_from, "mask": mask, "layers": layers}
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogateescape")


def read_version(text: bytes) -> tuple[JournalRow | None, str | None, str | None, str | None]:
    """Parse a version's JSON file; damage means that nothing is known, so that it is kept.

    Returns:
        ``row``, ``made_from``, ``mask`` and ``layers`` of a ``Version``.
    """
    from ...report.schema import is_entry

    try:
        content: Any = json.loads(text.decode("utf-8", "surrogateescape"))
        row = content["row"]
        hashes = content["made_from"], content.get("mask"), content.get("layers")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, None, None, None
    is_row = isinstance(row, dict) and is_entry(row.get("entry"))
    made_from, mask, layers = (each if isinstance(each, str) else None for each in hashes)
    return row if is_row else None, made_from, mask, layers


def _link_or_copy(standing: Path, place: Path, folder: Path) -> None:
    try:
        with open_parent(place, folder, create=True) as parent:
            try:
                parent.link(standing, place.name)
                return
            except (OSError, NotImplementedError):
                pass  # a disk without hard links
        copy_photo(standing, place, placement=Placement(folder).like(standing))
    except OSError as error:
        raise unwritable(place, error) from error
    except UnreadableError as error:
        raise UnwritableError(str(error)) from error


def _content(path: Path, at_most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(at_most)
    except OSError:
        return b""
