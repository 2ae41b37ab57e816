"""An output folder on this machine or a mounted share: what is written there, and how a file of ours is told from somebody else's.

Before a photo takes its name a *claim* is left: whose it is, the stamp it will have, and that of the file of ours that it replaces. Whoever
dies between the photo and the journal's line leaves the claim behind, so the next try replaces its own file and refuses every other,
however often it dies there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from pipeline import lock, previews
from pipeline.errors import UnwritableError
from pipeline.files import atomic_write, remove_parts
from pipeline.journal import PREVIEWS, Journal, Stamp, stamp
from pipeline.remote import Location
from pipeline.reports import write_reports

CLAIMS = ".remove-objects-claims"


class Output(Protocol):
    """Where a run's files go. Workers use one photo's part of it, each in its own process; the driver the rest."""

    def hold(self, names: Iterable[PurePosixPath]) -> AbstractContextManager[None]:
        """A context in which no other run writes there, where that can be told; ``names`` are what this one writes.

        Raises:
            UsageError: another run does, or nothing can be written there.
        """

    def desk(self) -> AbstractContextManager[Path]:
        """A context that gives the folder in which one photo's files are written."""

    def place(self, desk: Path, name: PurePosixPath) -> Path:
        """The file on the desk that becomes ``name`` of the output."""

    def clear(self, name: str, *, seen: bool) -> None:
        """Remove the small pictures that an earlier run, if it has ``seen`` the photo, left of it."""

    def keep(self, file: Path, name: PurePosixPath) -> None:
        """Make a file of the desk stand in the output, whatever was there. Raises ``UnwritableError``."""

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        """Make ready for a photo's result, whole in ``part``, to become ``name``; ``ours`` is the stamp of what the journal knows there.

        Its mask is claimed likewise, as the result of ``mask_of(photo)``.

        Raises:
            UnwritableError: somebody else's file is in the way.
        """

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        """Of a file of the output as it is now."""

    def existing(self) -> Callable[[PurePosixPath], Stamp | None]:
        """``stamp`` of many files for the driver, which may look at all of them at once."""

    def release(self, photos: Iterable[str]) -> None:
        """The journal knows these: their claims are not needed."""

    def settle(self, rows: Mapping[str, dict[str, Any]]) -> None:
        """The run is over, and these are the journal's rows: take away the claims that are left and not needed."""

    def journal(self) -> Journal:
        """The rows of earlier runs, and where those of this one go."""

    def report(self, run: dict[str, Any], entries: list[dict[str, Any]]) -> Location:
        """Write the three reports; gives where ``report.json`` stands."""


class LocalOutput:
    """A folder of this machine. Files are written where they stay."""

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self.folder, self.overwrite = folder, overwrite

    def __str__(self) -> str:
        return str(self.folder)

    @contextmanager
    def hold(self, names: Iterable[PurePosixPath]) -> Iterator[None]:
        def tidy() -> None:
            for folder in {self.folder, self.folder / PREVIEWS, self.folder / CLAIMS, *((self.folder / name).parent for name in names)}:
                remove_parts(folder)

        with lock.held(self.folder, tidy):
            yield

    @contextmanager
    def desk(self) -> Iterator[Path]:
        yield self.folder

    def place(self, desk: Path, name: PurePosixPath) -> Path:
        return desk / name

    def clear(self, name: str, *, seen: bool) -> None:
        previews.discard(self.folder, name)

    def keep(self, file: Path, name: PurePosixPath) -> None:
        """It stands there already."""

    def claim(self, photo: str, name: PurePosixPath, part: Path, ours: Stamp | None) -> None:
        target = self.folder / name
        found = stamp(target)
        own = found is not None and (found == ours or found in self._claimed(photo, name))
        if target.exists() and not own and not self.overwrite:
            raise UnwritableError(foreign(target))
        # A rename keeps size and time: the part's stamp is the photo's.
        with atomic_write(self._claim_file(photo), durable=False) as file:
            file.write(claim_text(photo, name, stamp(part), found if own else None))

    def stamp(self, name: PurePosixPath) -> Stamp | None:
        return stamp(self.folder / name)

    def existing(self) -> Callable[[PurePosixPath], Stamp | None]:
        return self.stamp

    def release(self, photos: Iterable[str]) -> None:
        for photo in photos:
            for key in (photo, mask_of(photo)):
                with suppress(OSError):
                    self._claim_file(key).unlink()

    def settle(self, rows: Mapping[str, dict[str, Any]]) -> None:
        for file in (self.folder / CLAIMS).glob("*.json"):
            with suppress(OSError):
                if needless(file.read_bytes(), rows, self.stamp):
                    file.unlink()
        with suppress(OSError):
            (self.folder / CLAIMS).rmdir()  # only when it is empty; and only now, or one that is just being made would find no folder

    def journal(self) -> Journal:
        return Journal(self.folder)

    def report(self, run: dict[str, Any], entries: list[dict[str, Any]]) -> Path:
        return write_reports(self.folder, run, entries)

    def _claim_file(self, photo: str) -> Path:
        return self.folder / CLAIMS / claim_name(photo)

    def _claimed(self, photo: str, name: PurePosixPath) -> list[Stamp]:
        try:
            return claimed(self._claim_file(photo).read_bytes(), photo, name)
        except OSError:
            return []


#: In no file's name.
_MASK = "\0mask"


def mask_of(photo: str) -> str:
    """What a photo's mask is claimed as."""
    return photo + _MASK


def claim_name(photo: str) -> str:
    """Hexadecimal: no photo's name becomes part of a path here."""
    return hashlib.sha256(photo.encode("utf-8", "surrogatepass")).hexdigest()[:32] + ".json"


def claim_text(photo: str, name: PurePosixPath, written: Stamp | None, replaced: Stamp | None) -> bytes:
    return json.dumps({"input": photo, "output": str(name), "written": written, "replaced": replaced}).encode()


def claimed(text: bytes, photo: str, name: PurePosixPath) -> list[Stamp]:
    """The stamps that a claim gives the file ``name`` of a photo; none where it is about another, or cut short."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    if not isinstance(found, dict) or (found.get("input"), found.get("output")) != (photo, str(name)):
        return []
    return [known for key in ("written", "replaced") if isinstance(known := found.get(key), list)]


def needless(text: bytes, rows: Mapping[str, dict[str, Any]], stamp_of: Callable[[PurePosixPath], Stamp | None]) -> bool:
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


def foreign(target: object) -> str:
    return f"{target}: exists and is not what an earlier run wrote here; move it away or use --overwrite"
