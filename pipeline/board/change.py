"""One decision about one photo's result: its files are staged, checked, kept and named.

Each decision ends in the same state as the run's own work: result, mask, previews, the journal's
row and the report's entry agree. So a later run of the same command skips the photo.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import images
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
from ..batch.output.replaced import Version, versions
from ..batch.sources import source_key
from ..errors import UnwritableError
from ..images.suffixes import result_names as names_of_results
from ..report import previews
from ..report.entry import photo_entry
from ..storage.fetch import renamed_errors
from ..storage.stamp import Stamp, content_hash, is_unchanged, mark
from ..system.atomic import Placement, copy_photo
from ..system.confined import is_link, remove
from ..types import Mask, Outcome
from .catalog import Item, layers_beside
from .records import Records
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
from .session import Session

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import DecisionName, Entry

#: Keys of a journal's row about the photos that a result was filled from.
_LENT = ("neighbours", "borrowed")


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


class Change:
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
        # A dropped photo's file is the board's own, whose rights and date say nothing.
        self._placement = Placement(output)
        if not self.item.is_upload:
            self._placement = self._placement.like(self.item.source)

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
        row, wanted = version.row, mask_of(version)
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
        layers = Beside(layers_target(self.item), "layers_written")
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
        elif path == layers_target(self.item):
            recorded, key = "layers_written", layers_key(key)
        if self.row is not None:
            known.append(cast("dict[str, Any]", self.row).get(recorded))
        if self.records is not None:
            with suppress(OSError):
                text = (self.output / CLAIMS / claim_name(key)).read_bytes()
                known += claimed_stamps(text, key, name_in(self.output, path))
        return any(is_unchanged(path, stamp) for stamp in known)


def result_names(item: Item) -> list[Path]:
    """Return the files that may be a photo's result, the reported one first."""
    if item.target is None or item.output is None:
        return []
    target, output = item.target, item.output
    files = [target.with_name(name) for name in names_of_results(target.name)]
    reported = None if item.entry is None else item.entry["output"]
    return sorted(files, key=lambda file: str(name_in(output, file)) != reported)


def mask_of(version: Version) -> str | None:
    """Return the SHA-256 of the mask that stood with a kept result; None if none did."""
    recorded = None if version.row is None else version.row.get("mask_written")
    return version.mask or content_hash(recorded)


def layers_target(item: Item) -> Path:
    """Return the file of the layers of a photo's mask."""
    return layers_beside(cast(Path, item.mask_target))
