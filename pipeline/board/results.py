"""What a person decides about a photo's result: save a fill, accept, restore, put back.

Each decision ends in the same state as the run's own work: result, mask, previews, the journal's
row and the report's entry agree. So a later run of the same command skips the photo.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import images
from ..batch.output.links import refuse_links_in_output
from ..batch.output.replaced import Version, versions
from ..batch.sources import source_key
from ..config import Settings
from ..errors import ChangedError, UnreadableError, UsageError
from ..storage.layout import PREVIEWS
from ..storage.stamp import Stamp, content_hash, fingerprint, is_unchanged, mark, stamp
from ..system.atomic import remove_parts
from ..types import Layer, Outcome, Pixels, Status
from . import dropped
from .catalog import Item, Opened, is_inside
from .change import Change, Decided, layers_target, mask_of, result_names
from .records import Books, Records
from .run_settings import combined, settings_of_result
from .save import NewFiles, name_in
from .session import Session, kept_by_run

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import Entry

#: Name of the layer that shows the result in the output folder.
STANDING = "standing"
#: Reasons in the report.
RESTORED = "the original was restored at the mask board"
PUT_BACK = "an earlier file, which no run wrote, was put back at the mask board"


def _refuse_other_photo(item: Item, row: JournalRow | None) -> None:
    """Refuse to decide about a photo whose name has become another photo's in the output folder.

    Raises:
        ChangedError: the journal's row is about another photo.
    """
    source = None if row is None else row.get("source")
    if row is None or source in (None, source_key(item.source)):
        return
    if not is_unchanged(item.source, row.get("source_mark")):
        raise ChangedError(
            f"{item.target}: is the result of another photo by now, {source}; start the board again"
        )


class Results:
    """The results of what the board has opened. Safe to use from several threads."""

    def __init__(
        self,
        opened: Opened,
        listed: Callable[[], list[Item]],
        on_report: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin without knowing any file.

        Args:
            opened: what the board has opened.
            listed: returns the photos of the list.
            on_report: called whenever the report was written.
        """
        self._opened, self._listed = opened, listed
        self._written: dict[Path, Stamp | None] = {}
        self._opened_ns = time.time_ns()
        self._books = None if opened.output is None else Books(opened.output, on_report)
        if self._books is not None and opened.is_behind:
            self._books.tell_of_all()

    def close(self) -> None:
        """Write a report that waits to be written, see ``late_report``."""
        if self._books is not None:
            self._books.close()

    def save(self, session: Session, *, replace_existing: bool) -> Decided:
        """Save the fill and its mask.

        A photo that was dropped on the page gets a name of its own at its first saving, see
        ``dropped.place``.

        Raises:
            UsageError: nothing was filled, the mask changed since, or a run is writing there.
            ChangedError, ExistsError, UnwritableError: see ``Board.save``.
        """
        filled = session.require_fill()
        if session.item.is_upload:
            session.item = self.placed(session)
        with self._changing(session) as change:
            new, outcome = change.stage_outcome(filled.outcome, self._options(change.records))
            new = change.stage_mask(new, filled.mask, filled.layers, session.kept)
            entry = change.reviewed_entry(new, outcome, "mended")
            return change.finish(
                new, outcome, entry, lent=filled.lent, replace_existing=replace_existing
            )

    def restore(self, session: Session, *, replace_existing: bool) -> Decided:
        """Write the original as the result; the mask's file stays.

        Raises:
            UsageError: in a folder without a run: no result stands there.
            ChangedError, ExistsError, UnwritableError: see ``Board.save``.
        """
        with self._changing(session) as change:
            if change.records is None and standing_result(session.item) is None:
                raise UsageError(
                    f"{session.item.target}: there is no result that the original could replace"
                )
            unchanged = Outcome(Status.UNCHANGED, RESTORED)
            new, outcome = change.stage_outcome(unchanged, self._options(change.records))
            entry = change.reviewed_entry(new, outcome, "restored")
            return change.finish(new, outcome, entry, lent={}, replace_existing=replace_existing)

    def accept(self, session: Session) -> Decided:
        """Mark the run's result reviewed; result and mask stay as they are.

        A decision that a person has made already, in another window for example, stays.

        Raises:
            UsageError: there is no run, it has no result of the photo, or the standing file is
                another one.
            ChangedError: the photo changed since it was opened, or since the run.
        """
        with self._changing(session) as change:
            row, records = change.row, change.records
            if records is None or row is None or not row["entry"]["output"]:
                raise UsageError("there is no run's result of this photo to accept")
            result = change.output / row["entry"]["output"]
            if not is_unchanged(result, row.get("written")):
                raise UsageError(
                    f"{result}: is not what the run wrote, so it cannot be accepted; "
                    "fill and save here, or move it away and run the same command again"
                )
            source_mark = row.get("source_mark")
            if source_mark and not is_unchanged(session.item.source, source_mark):
                raise ChangedError(
                    f"{session.item.source}: changed since the run cleaned it; "
                    "run the same command again"
                )
            entry = row["entry"].copy()
            if not entry.get("reviewed"):
                entry["reviewed"], entry["decision"] = True, "accepted"
            return change.decide(entry, result)

    def reopen(self, session: Session) -> Decided:
        """Take an acceptance back: the photo is as the run left it.

        Raises:
            UsageError: nobody accepted the result, or the standing file is another one.
        """
        with self._changing(session) as change:
            row = change.row
            if change.records is None or row is None or not is_accepted(row["entry"]):
                raise UsageError("nobody accepted a result of this photo as it is")
            result = change.output / str(row["entry"]["output"])
            if not is_unchanged(result, row.get("written")):
                raise UsageError(f"{result}: is not what was accepted, so nothing is taken back")
            entry = row["entry"].copy()
            del entry["reviewed"], entry["decision"]
            return change.decide(entry, result)

    def put_back(self, session: Session, *, replace_existing: bool) -> Decided:
        """Let the newest kept version become the result again, with its mask and its row.

        What stands there now is kept in turn, so a second call undoes the first.

        Raises:
            UsageError: no other version was kept.
            ChangedError, ExistsError, UnwritableError: see ``Board.save``.
        """
        with self._changing(session) as change:
            found = _newest_other(session.item)
            if found is None:
                raise UsageError("no earlier result of this photo was kept")
            target, version = found
            new = change.stage_copy(version.path, target)
            new = change.stage_kept_mask(new, version)
            if version.row is None:
                outcome = Outcome(Status.OK, PUT_BACK)
                entry = change.reviewed_entry(new, outcome, "put back")
                if content_hash(mark(new.mask.part or new.mask.target)) == mask_of(version):
                    entry["mask"] = str(name_in(new.output, new.mask.target))
            else:
                outcome = _pictures(session, version, new)
                entry = version.row["entry"]
            return change.finish(
                new, outcome, entry, version.row, replace_existing=replace_existing
            )

    def placed(self, session: Session) -> Item:
        """Return a dropped photo with the files that its result and mask have or would get.

        Without an output folder it has none.
        """
        item, books = session.item, self._books
        if not item.is_upload or item.target is not None or books is None:
            return item
        with books.lock:
            target, mask = dropped.place(
                item, session.photo, books.folder, self._listed(), books.journal().rows
            )
        return replace(item, target=target, mask_target=mask, output=books.folder)

    def choices(self, item: Item) -> dict[str, Any]:
        """Return which decisions make sense for a photo now.

        ``standing`` changes with the file that stands as its result; None if there is none.
        ``undoes`` is the decision that ``Board.undo_decision`` takes back, if a person decided.
        """
        entry, standing = item.entry, standing_result(item)
        is_run = self._opened.mode == "run"
        is_the_original = (
            standing is not None and entry is not None and entry["status"] == Status.UNCHANGED.value
        )
        decision = None if entry is None else entry.get("decision")
        can_put_back = _newest_other(item) is not None
        return {
            "can_accept": is_run
            and standing is not None
            and entry is not None
            and entry["output"] is not None
            and not entry.get("reviewed"),
            "can_restore": item.target is not None
            and not is_the_original
            and (is_run or standing is not None),
            "can_put_back": can_put_back,
            "undoes": decision if can_put_back or is_accepted(entry) else None,
            "standing": None if standing is None else fingerprint(stamp(standing))[:12],
        }

    @contextmanager
    def _changing(self, session: Session) -> Iterator[Change]:
        """Hold the output folder for one decision about a photo."""
        item, books = session.item, self._books
        if item.target is None or item.mask_target is None or books is None:
            raise UsageError(
                "this photo was dropped on the page, and the board has no folder to save to: "
                "download the result and the mask, or name a folder with --output"
            )
        session.require_unchanged()
        output = books.folder
        # Else the lock would make it anew, where the moved one, or its disk, is to be again.
        if self._opened.mode == "run" and not output.is_dir():
            raise UsageError(
                f"{output}: is not there any more, so nothing was decided; bring it back, or start "
                "the board on the folder where it is now"
            )
        refuse_links_in_output(
            output,
            [
                name_in(output, path)
                for path in (item.target, item.mask_target, layers_target(item))
            ],
        )
        with books.lock, books.hold() as alone, ExitStack() as parts:
            if alone:
                _remove_parts(item, output)
            records = self._records(books, item)
            _refuse_other_photo(item, None if records is None else records.row)
            yield Change(session, output, records, self._written, parts, self._opened_ns)

    def _records(self, books: Books, item: Item) -> Records | None:
        """Return the run's records of a photo; None where no run knows the photo.

        The photos themselves may be open, and a run may have cleaned them into the same folder: it
        must find there what is decided here.
        """
        name = item.name
        if item.is_upload:  # another photo of the run may have its name
            return None
        is_run = self._opened.mode == "run"
        if not is_run and name not in books.journal().rows:
            return None
        return Records(books, name, needs_report=is_run)

    def _options(self, records: Records | None) -> images.SaveOptions:
        """Return how a photo is saved: as its own run saved it, or as the command line says."""
        return self._saving(None if records is None else records.settings)

    def download_options(self, item: Item) -> images.SaveOptions:
        """Return how a photo is written for download: as it would be saved."""
        if item.is_upload or self._books is None:
            return self._saving(None)
        with self._books.lock:
            made_with = settings_of_result(self._books.journal(), item.name)
        return self._saving(made_with)

    def _saving(self, run: Settings | None) -> images.SaveOptions:
        opened = self._opened
        settings = opened.settings if run is None else combined(run, opened.given)
        return images.SaveOptions.from_settings(settings)


def _remove_parts(item: Item, output: Path) -> None:
    """Remove unfinished files of a process that died; the output folder is held."""
    targets = [path for path in (item.target, item.mask_target) if path is not None]
    for folder in {output, output / PREVIEWS, *(path.parent for path in targets)}:
        remove_parts(folder, output)


def standing_result(item: Item) -> Path | None:
    """Return the file that stands as the photo's result, if any."""
    if item.output is None:
        return None
    output = item.output.resolve()
    names = result_names(item)
    return next((path for path in names if path.is_file() and is_inside(path, output)), None)


def standing_pixels(session: Session) -> Pixels:
    """Return the picture that stands as a photo's result, HWC.

    Raises:
        UsageError: there is none of the photo's size.
        UnreadableError: it cannot be read.
    """
    path = standing_result(session.item)
    if path is None:
        raise UsageError("this photo has no result yet")
    pixels = session.picture_of_result(path)
    if pixels.shape[:2] != session.photo.size:
        raise UsageError(f"{path}: has another size than the photo")
    return pixels


def _newest_other(item: Item) -> tuple[Path, Version] | None:
    """Return the newest kept version that is not what stands there, and its own place."""
    standing = standing_result(item)
    digest = None if standing is None else content_hash(mark(standing))
    kept = [
        (version.path.name, target, version)
        for target in result_names(item)
        for version in versions(item.output or Path(), name_in(item.output or Path(), target))
        if digest is None or not version.is_like(digest)
    ]
    if not kept:
        return None
    _, target, version = max(kept, key=lambda one: one[0])
    return target, version


def is_accepted(entry: Entry | None) -> bool:
    """Whether a person accepted a run's result as it is."""
    return entry is not None and entry.get("decision") == "accepted"


def _pictures(session: Session, version: Version, new: NewFiles) -> Outcome:
    """Return a kept result, its mask and its layers as an outcome, for the previews."""
    nothing = Outcome(Status.OK, "")
    if version.row is None or not version.row["entry"]["holes"]:
        return nothing
    try:
        result = images.read_photo(version.path, max_pixels=session.max_pixels).rgb
        layers = _layers_of_version(session, version.row["entry"], new)
    except UnreadableError:
        return nothing
    if layers is None or result.shape[:2] != session.photo.size:
        return nothing
    return Outcome(Status.OK, "", result, layers != Layer.NONE, layers)


def _layers_of_version(session: Session, entry: Entry, new: NewFiles) -> NDArray[np.uint8] | None:
    """Return the layers of a kept result: its saved mask's, or what its run kept for the board.

    Raises:
        UnreadableError: its saved mask cannot be read.
    """
    if entry["mask"] is None:
        kept = kept_by_run(session.item, entry, session.photo.size)
        return None if kept is None else kept.layers
    mask, layers = session.read_mask(new.mask.part or new.mask.target), None
    if not new.layers.drops:
        with suppress(UnreadableError):
            path = new.layers.part or new.layers.target
            layers = images.read_layers(path, session.photo.size)
    return images.layers_of(mask, layers)
