"""What a person decides about a photo's result: save a fill, accept, restore, put back.

Each decision ends in the same state as the run's own work: result, mask, previews, the journal's
row and the report's entry agree. So a later run of the same command skips the photo.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import images
from ..batch.journal import Journal
from ..batch.names import is_too_long
from ..batch.output.claims import (
    CLAIMS,
    claim_name,
    claimed_stamps,
    layers_key,
    mask_key,
    waiting_layers,
    waiting_mask,
)
from ..batch.output.links import refuse_links_in_output
from ..batch.output.replaced import Version, versions
from ..batch.sources import source_key
from ..config import Settings
from ..errors import ChangedError, UnreadableError, UnwritableError, UsageError
from ..images.suffixes import result_names as names_of_results
from ..report import previews
from ..report.entry import photo_entry
from ..storage.fetch import renamed_errors
from ..storage.layout import PREVIEWS
from ..storage.stamp import Stamp, content_hash, fingerprint, is_unchanged, mark, stamp
from ..system import lock
from ..system.atomic import Placement, copy_photo, remove_parts
from ..system.confined import is_link, remove
from ..types import Layer, Mask, Outcome, Pixels, Status
from .catalog import Item, Opened, is_inside, layers_beside
from .run_folder import Records, combined, settings_of_result
from .save import (
    Beside,
    NewFiles,
    Standing,
    check_targets,
    keep_replaced,
    name_in,
    take_names,
    temporary_beside,
    temporary_name,
)
from .session import Session, kept_by_run

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import DecisionName, Entry

#: Name of the layer that shows the result in the output folder.
STANDING = "standing"
#: Keys of a journal's row about the photos that a result was filled from.
_LENT = ("neighbours", "borrowed")
#: Reasons in the report.
RESTORED = "the original was restored at the mask board"
PUT_BACK = "an earlier file, which no run wrote, was put back at the mask board"


@dataclass(frozen=True, slots=True)
class Decided:
    """The photo after a decision.

    Attributes:
        output: the result's file.
        mask: the mask's file; None if none was written.
        entry: the report's entry; None without a run.
        drops_mask: whether the mask that stood there is gone.
    """

    output: Path
    mask: Path | None
    entry: Entry | None
    drops_mask: bool = False


class _Change:
    """One decision about one photo, while its output folder is held."""

    def __init__(
        self,
        session: Session,
        output: Path,
        records: Records | None,
        written: dict[Path, Stamp | None],
        parts: ExitStack,
        opened_ns: int,
    ) -> None:
        """Look at what stands.

        Args:
            session: the open photo.
            output: the output folder.
            records: its journal and report; None without a run.
            written: the marks of the files that this board wrote; gets those of the new files.
            parts: removes temporary files at the end.
            opened_ns: when the board opened the folder, in ns since 1970.
        """
        self.session, self.item, self.output = session, session.item, output
        self.records, self._written, self._parts = records, written, parts
        self.row = None if records is None else records.row
        self._standing = Standing(self.row, self._owns, opened_ns)
        self._placement = Placement(output).like(self.item.source)

    def stage_outcome(
        self, outcome: Outcome, options: images.SaveOptions
    ) -> tuple[NewFiles, Outcome]:
        """Write an outcome's picture under a temporary name; returns it with its fidelity."""
        wanted = cast(Path, self.item.target)
        part = self._parts.enter_context(temporary_name(wanted, self.output))
        with renamed_errors(part, wanted):
            saved = images.save_outcome(
                self.session.photo, outcome, part, options, placement=self._placement
            )
        # A lossless result of a lossy photo, or that of a RAW, gets an ending behind its name.
        target = wanted.with_name(wanted.name + saved.path.name[len(part.name) :])
        return self._new(saved.path, target), saved.outcome

    def stage_copy(self, kept: Path, target: Path) -> NewFiles:
        """Copy a kept result to a temporary name."""
        part = self._parts.enter_context(temporary_name(target, self.output))
        self._copy(kept, part, target)
        return self._new(part, target)

    def stage_mask(
        self, new: NewFiles, mask: Mask, layers: NDArray[np.uint8], kept: Mask | None
    ) -> NewFiles:
        """Write a mask and its layers, with the objects that are kept, under temporary names.

        Where no disk takes the layers' name, the mask has none.
        """
        part = self._part_of(new.mask)
        with renamed_errors(part, new.mask.target):
            images.write_mask(mask, part, placement=self._placement.undated())
        new = replace(new, mask=replace(new.mask, part=part))
        if is_too_long(name_in(self.output, new.layers.target)):
            return new
        part = self._part_of(new.layers)
        with renamed_errors(part, new.layers.target):
            images.write_layers(layers, part, kept=kept, placement=self._placement.undated())
        return replace(new, layers=replace(new.layers, part=part))

    def stage_kept_mask(self, new: NewFiles, version: Version) -> NewFiles:
        """Copy the mask that stood with a kept result, and its layers, unless they stand there.

        If none stood with it, the board's or the run's own go.
        """
        row, wanted = version.row, _mask_of(version)
        had_none = wanted is None and (row is None or row["entry"]["mask"] is None)
        mask = self._kept(new.mask, wanted, drops=had_none)
        recorded = None if row is None else row.get("layers_written")
        wanted = version.layers or content_hash(recorded)
        # Beside another mask, the standing layers would say what is not so.
        layers = self._kept(new.layers, wanted, drops=mask != new.mask)
        return replace(new, mask=mask, layers=layers)

    def _kept(self, beside: Beside, wanted: str | None, *, drops: bool) -> Beside:
        """Return a file beside a kept result.

        Args:
            beside: the file.
            wanted: the SHA-256 of the file that stood with the result; None if none is known.
            drops: whether the standing one goes, if it is ours, where that one is not kept.
        """
        if content_hash(mark(beside.target)) == wanted:
            return beside
        for kept in versions(self.output, name_in(self.output, beside.target)):
            if wanted is not None and content_hash(mark(kept.path)) == wanted:
                part = self._part_of(beside)
                self._copy(kept.path, part, beside.target)
                return replace(beside, part=part)
        is_ours = not is_link(beside.target) and self._owns(beside.target)
        return replace(beside, drops=drops and is_ours)

    def reviewed_entry(self, new: NewFiles, outcome: Outcome, decision: DecisionName) -> Entry:
        """Return the report's entry of a new result."""
        entry = photo_entry(
            self.item.name,
            outcome,
            output=str(name_in(self.output, new.target)),
            mask=None if new.mask.part is None else str(name_in(self.output, new.mask.target)),
        )
        entry["reviewed"], entry["decision"] = True, decision
        return entry

    def finish(
        self,
        new: NewFiles,
        outcome: Outcome,
        entry: Entry | None,
        row: JournalRow | None = None,
        *,
        lent: Mapping[str, Any] | None = None,
        replace_existing: bool,
    ) -> Decided:
        """Keep what stands, and let the new files take their names.

        Args:
            new: the new files.
            outcome: the pictures for the previews.
            entry: the report's entry; None without a run.
            row: the journal's row that the new result had before; None for the photo's last row.
            lent: what the row says of the photos that the new result was filled from; None for what
                ``row`` says.
            replace_existing: replace files that neither the board nor the run wrote.
        """
        check_targets(new, self._standing, self.item.source, replace=replace_existing)
        self.session.require_unchanged()
        keep_replaced(new, self._standing)
        if self.records is None or entry is None:
            take_names(new, mask_first=True)
        else:
            self._take_names_in_run(
                self.records, new, self._new_row(new, entry, lent, row), outcome
            )
        for path in new.targets:
            self._written[path] = mark(path)
        mask = None if new.mask.part is None else new.mask.target
        return Decided(new.target, mask, entry, new.mask.drops)

    def decide(self, entry: Entry, result: Path) -> Decided:
        """Let journal and report say what was decided about the standing result.

        ``accept`` and ``reopen`` have made sure that a run knows it.
        """
        records, row = cast(Records, self.records), cast("JournalRow", self.row).copy()
        row["entry"] = entry
        records.add(row)
        records.write_report()
        return Decided(result, None, entry)

    def _take_names_in_run(
        self, records: Records, new: NewFiles, row: JournalRow, outcome: Outcome
    ) -> None:
        """Take the names, and tell previews, journal and report."""
        replaced = mark(new.target) if self._owns(new.target) else None
        dropped = [name_in(new.output, each.target) for each in new.beside if each.drops]
        records.claim(row, replaced, dropped)
        try:
            take_names(new, mask_first=False)
        except UnwritableError:
            if not is_unchanged(new.target, row.get("written")):
                records.drop_claim()
            raise
        previews.discard(self.output, self.item.name)
        previews.write(
            self.output, self.item.name, self.session.photo, outcome, self._placement.undated()
        )
        records.add(row)
        if new.obsolete is not None:
            with suppress(OSError, UnwritableError):
                remove(new.obsolete, self.output)
        records.write_report()

    def _new_row(
        self,
        new: NewFiles,
        entry: Entry,
        lent: Mapping[str, Any] | None,
        earlier: JournalRow | None,
    ) -> JournalRow:
        """Return the journal's row of the new files; what it does not know stays as it was."""
        base = earlier or self.row
        filled_from: Mapping[str, Any] = (earlier or {}) if lent is None else lent
        row: dict[str, object] = {
            **{k: v for k, v in (base or {}).items() if k not in ("facts", *_LENT)},
            **{k: filled_from[k] for k in _LENT if k in filled_from},
        }
        row |= {"input": self.item.name, "written": mark(new.part), "entry": entry}
        for each in new.beside:
            if each.part is not None:
                row[each.stamp] = mark(each.part)
            elif each.drops:
                row[each.stamp] = None
        if base is None and self.records is not None and self.records.made_with is not None:
            row["made_with"] = self.records.made_with
        if earlier is None and (base is None or "source_mark" in base):
            # The person saw this photo, whatever the run saw.
            row |= {
                "source": source_key(self.item.source),
                "source_mark": self.session.opened_as,
            }
        return cast("JournalRow", row)

    def _new(self, part: Path, target: Path) -> NewFiles:
        mask_target = cast(Path, self.item.mask_target)
        obsolete = next(
            (
                path
                for path in result_names(self.item)
                if path != target and path.is_file() and not is_link(path) and self._owns(path)
            ),
            None,
        )
        mask = Beside(mask_target, "mask_written")
        layers = Beside(_layers_target(self.item), "layers_written")
        return NewFiles(self.output, part, target, mask, layers, obsolete)

    def _part_of(self, beside: Beside) -> Path:
        """Return the temporary name of a file beside the result."""
        output, photo = self.output, self.item.name
        if self.records is None:
            part = temporary_name(beside.target, output)
        else:
            is_mask = beside.stamp == "mask_written"
            waiting = waiting_mask(output, photo) if is_mask else waiting_layers(output, photo)
            part = temporary_beside(output, photo, waiting)
        return self._parts.enter_context(part)

    def _copy(self, kept: Path, part: Path, target: Path) -> None:
        """Copy a kept file, with its own rights and date, to a temporary name of ``target``."""
        with renamed_errors(part, target):
            copy_photo(kept, part, placement=Placement(self.output).like(kept))

    def _owns(self, path: Path) -> bool:
        """Whether the board or a run wrote a file, and it is unchanged since."""
        known, recorded, key = [self._written.get(path)], "written", self.item.name
        if path == self.item.mask_target:
            recorded, key = "mask_written", mask_key(key)
        elif path == _layers_target(self.item):
            recorded, key = "layers_written", layers_key(key)
        if self.row is not None:
            known.append(cast("dict[str, Any]", self.row).get(recorded))
        if self.records is not None:
            with suppress(OSError):
                text = (self.output / CLAIMS / claim_name(key)).read_bytes()
                known += claimed_stamps(text, key, name_in(self.output, path))
        return any(is_unchanged(path, stamp) for stamp in known)


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

    def __init__(self, opened: Opened) -> None:
        """Begin without knowing any file."""
        self._opened = opened
        self._written: dict[Path, Stamp | None] = {}
        self._opened_ns = time.time_ns()
        self._lock = threading.Lock()

    def save(self, session: Session, *, replace_existing: bool) -> Decided:
        """Save the fill and its mask.

        Raises:
            UsageError: nothing was filled, the mask changed since, or a run is writing there.
            ChangedError, ExistsError, UnwritableError: see ``Board.save``.
        """
        filled = session.require_fill()
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
                if content_hash(mark(new.mask.part or new.mask.target)) == _mask_of(version):
                    entry["mask"] = str(name_in(new.output, new.mask.target))
            else:
                outcome = _pictures(session, version, new)
                entry = version.row["entry"]
            return change.finish(
                new, outcome, entry, version.row, replace_existing=replace_existing
            )

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
    def _changing(self, session: Session) -> Iterator[_Change]:
        """Hold the output folder for one decision about a photo."""
        item, output = session.item, self._opened.output
        if item.target is None or item.mask_target is None or output is None:
            raise UsageError(
                "this photo was uploaded, so there is no folder to save to: "
                "download the result and the mask"
            )
        session.require_unchanged()
        refuse_links_in_output(
            output,
            [
                name_in(output, path)
                for path in (item.target, item.mask_target, _layers_target(item))
            ],
        )
        with self._lock, lock.folder_lock(output), ExitStack() as parts:
            _remove_parts(item, output)
            records = self._records(output, item.name)
            _refuse_other_photo(item, None if records is None else records.row)
            yield _Change(session, output, records, self._written, parts, self._opened_ns)

    def _records(self, output: Path, name: str) -> Records | None:
        """Return the run's records of a photo; None in a folder where no run knows the photo.

        The photos themselves may be open, and a run may have cleaned them into the same folder: it
        must find there what is decided here.
        """
        is_run, journal = self._opened.mode == "run", Journal(output)
        if not is_run and name not in journal.rows:
            return None
        return Records(output, name, journal, needs_report=is_run)

    def _options(self, records: Records | None) -> images.SaveOptions:
        """Return how a photo is saved: as its own run saved it, or as the command line says."""
        return self._saving(None if records is None else records.settings)

    def download_options(self, item: Item) -> images.SaveOptions:
        """Return how a photo is written for download: as it would be saved."""
        if item.target is None or item.output is None:
            return self._saving(None)
        return self._saving(settings_of_result(Journal(item.output), item.name))

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


def result_names(item: Item) -> list[Path]:
    """Return the files that may be a photo's result, the reported one first."""
    if item.target is None or item.output is None:
        return []
    target, output = item.target, item.output
    files = [target.with_name(name) for name in names_of_results(target.name)]
    reported = None if item.entry is None else item.entry["output"]
    return sorted(files, key=lambda file: str(name_in(output, file)) != reported)


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


def _mask_of(version: Version) -> str | None:
    """Return the SHA-256 of the mask that stood with a kept result; None if none did."""
    recorded = None if version.row is None else version.row.get("mask_written")
    return version.mask or content_hash(recorded)


def _layers_target(item: Item) -> Path:
    """Return the file of the layers of a photo's mask."""
    return layers_beside(cast(Path, item.mask_target))


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
