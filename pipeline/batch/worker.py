"""One photo of a run: download, read, clean, write previews, mask and result, describe.

Every engine uses the same worker. It knows neither the journal nor any other photo.
``pipeline.images.save`` says what is written when a photo is done; here that is claimed first, so
that a crash between the file and the journal's row is harmless (``pipeline.batch.output.claims``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import images
from ..errors import (
    OutputError,
    PhotoError,
    RemoveObjectsError,
    UnreadableError,
    UnwritableError,
)
from ..images.suffixes import result_names
from ..images.taken import taken_mark
from ..removal.picked import UNUSED
from ..removal.recall import Recall
from ..removal.request import Removal
from ..removal.series import Hidden
from ..remover import ObjectRemover, in_doubt, told_of_mask
from ..report import entry as report
from ..report import previews
from ..report.picks import PhotoPicks
from ..report.schema import is_entry
from ..storage.fetch import local_copy, renamed_errors
from ..storage.layout import PREVIEWS
from ..storage.location import Location, is_same_file, location_mark
from ..storage.stamp import Stamp
from ..system.atomic import Placement
from ..system.memory import give_back
from ..system.stopwatch import Stopwatch, sum_stages
from ..system.text import printable
from ..system.unforeseen import is_want_of_memory, quoted, told, trace
from ..types import Layer, Outcome, Photo, Status
from . import kept_mask
from .journal import row_line
from .made_with import MadeWith, name_of
from .names import is_too_long, layers_name
from .output.claims import Claim, is_by_a_person, layers_key, mask_key
from .output.protocol import Output
from .own_masks import OTHER_SHAPE
from .series_photos import (
    DECODED,
    Memory,
    Neighbour,
    NeighbourPhotos,
    Recollection,
    clean_by_series,
    hidden_in,
)
from .settings import BatchSettings

if TYPE_CHECKING:
    from ..report.schema import Entry
    from .journal import JournalRow

log = logging.getLogger(__name__)

#: Stamps of a photo's files in the output: of its result (``written``), its mask (``mask_written``)
#: and the mask's layers (``layers_written``), as a row of the journal has them.
_Written = dict[str, Stamp | None]


@dataclass(frozen=True, slots=True)
class Task:
    """One photo to process, as the driver planned it.

    Attributes:
        name: the photo's name in the report.
        key: the text by which the journal knows the photo's file.
        made_with: everything but the files that decides the picture and its report.
        source: the photo's file.
        mask: the user's own mask, if any.
        truth: the ground truth, if any.
        target: the result's name in the output folder.
        mask_target: the mask's name in the output folder.
        row: the journal's row of an earlier run.
        add: classes to remove from the earlier result; empty to clean the photo itself.
        picks: what a person decided about the photo's objects; None if nothing.
        neighbours: the other photos of its series, nearest in time first.
    """

    name: str
    key: str
    made_with: MadeWith
    source: Location
    mask: Location | None
    truth: Location | None
    target: PurePosixPath
    mask_target: PurePosixPath
    row: JournalRow | None = None
    add: tuple[str, ...] = ()
    picks: PhotoPicks | None = None
    neighbours: tuple[Neighbour, ...] = ()

    @property
    def inputs(self) -> tuple[Location | None, ...]:
        """The files of photo, mask and ground truth."""
        return self.source, self.mask, self.truth

    def marks(self) -> tuple[Stamp | None, ...]:
        """Return the marks of ``inputs``; None for a missing file.

        Marks of local files are current, stamps of remote ones are those of the last listing.
        """
        return tuple(None if file is None else location_mark(file) for file in self.inputs)

    def begun_row(self) -> dict[str, Any]:
        """Return what the journal's row will say of the photo before its files are examined."""
        return {
            "input": self.name,
            "source": self.key,
            **({} if self.picks is None else {"picks": self.picks.name}),
            "made_with": name_of(self.made_with),
            "settings": dict(self.made_with),
        }

    def earlier_files(self) -> dict[str, Stamp | None]:
        """Return the stamps of the earlier run's result, mask and layers, as a row holds them."""
        row: Any = self.row or {}
        return {key: row.get(key) for key in ("written", "mask_written", "layers_written")}

    def mask_changed(self, recorded: Stamp | None) -> bool:
        """Whether the user's own mask is another one than a result was made with.

        A mask that is missing now is no other one: the result of the earlier one stays.
        """
        return self.mask is not None and not is_same_file(self.mask, recorded)

    def picks_changed(self, recorded: str | None) -> bool:
        """Whether a person decided otherwise than when a result was made."""
        return recorded != (None if self.picks is None else self.picks.name)

    def adding(self, classes: tuple[str, ...], made_with: MadeWith) -> Task:
        """Return the task to remove more classes from the earlier result."""
        return replace(self, add=classes, made_with=made_with)


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about the workers behind a report.

    Attributes:
        weights: sha256 of every used weight file, by name.
        warnings: sentences for the user that concern no single photo.
        device: the device of the networks.
    """

    weights: dict[str, str]
    warnings: tuple[str, ...]
    device: str


@dataclass(frozen=True, slots=True)
class _InProgress:
    """A photo in progress.

    Attributes:
        task: its task.
        marks: the marks of its inputs when work on it began.
        scratch_dir: the local folder in which its files are written.
        written: updated as files take their names.
        placement: of the files that are made from the photo: in ``scratch_dir``, with the photo's
            rights and date as they were when work on it began.
        row: what is known of its row in the journal.
        kept: names of the replaced files that are kept.
    """

    task: Task
    marks: tuple[Stamp | None, ...]
    scratch_dir: Path
    written: _Written
    placement: Placement
    row: dict[str, Any]
    kept: list[PurePosixPath]

    def refuse_changed(self) -> None:
        """Refuse if photo, mask or ground truth changed: the result would mix two versions.

        Raises:
            UnreadableError: one of them changed.
        """
        for file, recorded in zip(self.task.inputs, self.marks, strict=True):
            if file is not None and not is_same_file(file, recorded):
                raise UnreadableError(
                    f"{file}: changed while it was in progress, the result was discarded; "
                    "run the same command again"
                )

    def keep(self, name: PurePosixPath | None) -> None:
        """Remember the name of a replaced file that is kept."""
        if name is not None:
            self.kept.append(name)

    def claim(self, photo: str, name: PurePosixPath, ours: str) -> Claim:
        """Return the claim of a file of this photo.

        Args:
            photo: the photo's name, or its ``mask_key`` or ``layers_key``.
            name: the file's name in the output folder.
            ours: the key of the earlier row that holds the stamp of the file that it replaces.
        """
        earlier = self.task.row
        known = None if earlier is None else earlier.get(ours)
        return Claim(photo, name, cast("Stamp | None", known), self.row, earlier)


def _log_fault(text: str) -> None:
    log.error("%s", text)


class Worker:
    """Processes tasks with one set of networks. Several threads may call it concurrently.

    Args:
        remover: has the networks.
        batch: the settings of the folder.
        classes: names of the classes to remove.
        output: the output folder.
        tell: called with the traceback of a fault of this program, once for each.
    """

    def __init__(
        self,
        remover: ObjectRemover,
        batch: BatchSettings,
        classes: tuple[str, ...],
        output: Output,
        tell: Callable[[str], None] = _log_fault,
    ) -> None:
        self.remover, self.batch, self.classes, self.output = remover, batch, classes, output
        self._tell, self._told = tell, set[str]()
        self._memory = Memory(decoded=DECODED)

    def __call__(self, task: Task) -> JournalRow:
        """Process one photo; a failure of the photo itself becomes its entry.

        So does a fault of this program: another photo may not meet it.

        Returns:
            The photo's row of the journal.

        Raises:
            WeightsError, UsageError, OutputError: an error that every photo of the run would meet.
        """
        begun = time.monotonic()
        # Until a file is written, the earlier run's file remains. If the work fails, the row still
        # says which files are ours.
        written, row = task.earlier_files(), task.begun_row()
        try:
            entry = self._entry(task, row, written)
            _refuse_unwritable({**row, **written, "entry": entry})
        except OutputError:
            raise
        except (PhotoError, OSError) as error:
            entry = self._failed(task, str(error) or type(error).__name__, begun)
        except RemoveObjectsError:
            raise
        except Exception as error:
            entry = self._failed(task, self._unforeseen(task, error), begun)
        give_back()
        return cast("JournalRow", {**row, **written, "entry": entry})

    def _entry(self, task: Task, row: dict[str, Any], written: _Written) -> Entry:
        """Return the photo's entry, with its files written; updates ``row`` and ``written``."""
        # The result belongs to the current files, not to those of the scan hours ago.
        marks = task.marks()
        row |= {"source_mark": marks[0], "given_marks": list(marks[1:])}
        _refuse_missing(task, marks)
        with self.output.scratch_dir() as scratch_dir, local_copy(task.source) as source:
            if (taken := taken_mark(source)) is not None:
                row["taken"] = taken
            placement = _placement(task, scratch_dir)
            current = _InProgress(task, marks, scratch_dir, written, placement, row, [])
            return self._add(current, source) if task.add else self._clean(current, source)

    def _unforeseen(self, task: Task, error: Exception) -> str:
        """Return the message about an exception that nobody foresaw, and tell its traceback."""
        if is_want_of_memory(error):
            return (
                f"{task.source}: the memory did not suffice{quoted(error)}; free memory, clean "
                "fewer photos at once (--workers, --actors), or scale the photo down"
            )
        text = trace(error)
        # Many photos may meet one fault: the last line, its message, may name the photo.
        if (fault := text.rpartition("\n")[0]) not in self._told:
            self._told.add(fault)
            self._tell(f"{printable(task.name)}: a fault of this program:\n{text}")
        return (
            f"{task.source}: a fault of this program ended the work on this photo "
            f"({told(error)}); please report it, with this line and the traceback that was printed "
            "before; other photos go on, and the same command tries this one again"
        )

    def _failed(self, task: Task, message: str, begun: float) -> Entry:
        """Return the entry of a photo that failed."""
        # Else the previews show the earlier result, which stays. If they cannot be removed, the
        # failure is told all the same.
        with suppress(Exception):
            if not self._has_result(task):
                self.output.discard_previews(task.name, seen=task.row is not None)
        return failed_entry(task.name, message, time.monotonic() - begun)

    def facts(self) -> Facts:
        """Return the facts about this worker so far."""
        networks = self.remover.networks
        return Facts(networks.weights(), tuple(networks.warnings()), str(networks.device))

    def _has_result(self, task: Task) -> bool:
        """Whether a result of an earlier run stands under the photo's name."""
        output = None if task.row is None else task.row["entry"]["output"]
        return output is not None and self.output.stamp(PurePosixPath(output)) is not None

    def _read(self, file: Path) -> Photo:
        return images.read_photo(file, max_pixels=self.batch.max_pixels)

    def _clean(self, current: _InProgress, source: Path) -> Entry:
        """Return the photo's entry, with its files written."""
        task, watch = current.task, Stopwatch()
        with watch("read"):
            photo = self._read(source)
            own = self._own_mask(task.mask, photo)
        removal = Removal.from_settings(
            self.remover.settings,
            self.classes,
            None if own is None else own.mask,
            dry_run=self.batch.dry_run,
            picks=None if task.picks is None else task.picks.on(photo.size),
        )
        if task.picks is not None and removal.picks is None:
            # Whom somebody wanted to keep is unknown: better nobody goes.
            removal = replace(removal, all_stay="picked in another picture")
            outcome = self.remover.clean(photo, removal)
            outcome = _told_of_other_shape(outcome, task.picks, photo)
        elif task.neighbours:
            outcome = self._clean_by_series(current, photo, removal)
        else:
            outcome = self.remover.clean(photo, removal)
        if own is not None:
            outcome = told_of_mask(outcome, own)
        if task.truth is not None and outcome.result is not None:
            with watch("measure"), local_copy(task.truth) as truth:
                outcome = replace(
                    outcome, truth=self.remover.error_in_holes(outcome, self._read(truth))
                )
        # A preview touches nothing that belongs to a result.
        apart = self.batch.preview and self._has_result(task)
        mask: str | None = None
        with watch("preview"):
            if not apart:
                outcome = self._write_previews(current, photo, outcome)
            if self.batch.preview:
                outcome = self._write_choice(current, photo, outcome)
        with watch("write"):
            current.refuse_changed()
            if not apart:
                outcome, mask = self._write_mask(current, outcome)
            outcome, output = self._write_photo(current, photo, outcome, task.target)
        outcome = replace(
            outcome,
            stages=sum_stages([outcome.stages, watch.stages]),
            seconds=watch.elapsed,
            warnings=(*outcome.warnings, *_kept_notes(current.kept)),
        )
        return report.photo_entry(task.name, outcome, output=output, mask=mask)

    def _add(self, current: _InProgress, source: Path) -> Entry:
        """Return the photo's entry, with more classes removed from its earlier result."""
        task, watch = current.task, Stopwatch()
        earlier_row = cast("JournalRow", task.row)
        earlier = earlier_row["entry"]
        if is_by_a_person(earlier_row):
            current.row["mended"] = True
        # What went earlier is still filled from them.
        series = {key: earlier_row.get(key) for key in ("neighbours", "borrowed")}
        current.row.update({key: value for key, value in series.items() if value is not None})
        name = PurePosixPath(str(earlier["output"]))
        with local_copy(self.output.location(name)) as result:
            with watch("read"):
                photo, original = self._read(result), self._read(source)
                before = self._earlier_layers(earlier, photo)
            removal = Removal.from_settings(self.remover.settings, task.add)
            outcome = self.remover.clean(photo, removal)
            if outcome.status is Status.FAILED:
                raise UnwritableError(f"{name}: {outcome.reason}; the earlier result stays")
            output, mask = str(name), earlier["mask"]
            if outcome.result is not None and outcome.mask is not None:
                # What went earlier went for the reason that it had then.
                layers = np.where(before, before, images.layers_of(outcome.mask, outcome.layers))
                whole = replace(outcome, mask=layers != Layer.NONE, layers=layers)
                with watch("preview"):
                    shown = original if original.size == photo.size else photo
                    whole = self._write_previews(current, shown, whole)
                with watch("write"):
                    current.refuse_changed()
                    whole, written_mask = self._write_mask(current, whole)
                    mask = written_mask or mask
                    outcome, written = self._write_photo(current, photo, outcome, name)
                    output = written or output
                outcome = replace(outcome, warnings=(*whole.warnings, *outcome.warnings))
        outcome = replace(
            outcome,
            stages=sum_stages([outcome.stages, watch.stages]),
            seconds=watch.elapsed,
            warnings=(*outcome.warnings, *_kept_notes(current.kept)),
        )
        entry = report.photo_entry(task.name, outcome, output=output, mask=mask)
        return report.with_earlier(entry, earlier, task.add)

    def _earlier_layers(self, earlier: Entry, photo: Photo) -> NDArray[np.uint8]:
        """Return the layers of an earlier result's saved or kept mask; none if no mask fits.

        A mask without layers, of an earlier version, is of objects.
        """
        mask, layers = np.zeros(photo.size, bool), None
        if earlier["mask"] is not None:
            name = PurePosixPath(earlier["mask"])
            with suppress(PhotoError, OSError), local_copy(self.output.location(name)) as file:
                mask = images.read_mask(file, photo.size, max_pixels=self.batch.max_pixels)
            location = self.output.location(layers_name(name))
            with suppress(PhotoError, OSError), local_copy(location) as file:
                layers = images.read_layers(file, photo.size)
        else:
            kept = PurePosixPath(previews.kept_mask(earlier["input"]))
            with suppress(PhotoError, OSError), local_copy(self.output.location(kept)) as file:
                known = kept_mask.read(file, earlier, photo.size)
                return mask.view(np.uint8) if known is None else known.layers
        return images.layers_of(mask, layers)

    def _clean_by_series(self, current: _InProgress, photo: Photo, removal: Removal) -> Outcome:
        """Return the outcome of a photo of a series; its row says what it was filled from."""
        # Of one photo nobody may have picked anything, and of its neighbours somebody.
        stays = self.batch.picks is not None or not removal.is_of_everything
        others = NeighbourPhotos(
            current.task.neighbours,
            self._read,
            self._hidden,
            self._memory,
            fixed=self.batch.series == "fixed",
            unmarked=self.batch.masks is not None,
            stays=stays,
        )
        mark, mask, _ = current.marks
        recall = Recollection(self._memory, current.task.key, mark, mask, stays=stays)
        outcome, lent = clean_by_series(self.remover, photo, removal, others, recall=recall)
        current.row.update(lent)
        return outcome

    def _hidden(self, photo: Photo, mask: Location | None, recall: Recall) -> Hidden:
        """Return where a photo of a series does not show the place.

        Args:
            photo: the photo.
            mask: the user's own mask of it, if any.
            recall: what is remembered of it.

        Raises:
            UnreadableError: the mask does not say where that is.
        """
        own = self._own_mask(mask, photo)
        if own is not None and own.why_none:
            raise UnreadableError(own.why_none)
        given = None if own is None else own.mask
        return hidden_in(self.remover, photo, self.classes, given, recall)

    def _own_mask(self, given: Location | None, photo: Photo) -> images.OwnMask | None:
        """Return the user's own mask, empty if the photo has none; None to segment the photo."""
        if self.batch.masks is None:
            return None
        nothing = np.zeros(photo.size, bool)
        if given is None:
            return images.OwnMask(nothing, why_none=f"no mask for it in {self.batch.masks}")
        try:
            with local_copy(given) as file:
                return images.read_own_mask(file, photo, max_pixels=self.batch.max_pixels)
        except images.MaskShapeError as error:
            if given != self.batch.masks:
                raise
            return images.OwnMask(nothing, why_none=f"{OTHER_SHAPE}{error}")

    def _write_previews(self, current: _InProgress, photo: Photo, outcome: Outcome) -> Outcome:
        """Write the report's previews; a failure becomes a warning of the photo."""
        name, scratch_dir = current.task.name, current.scratch_dir
        self.output.discard_previews(name, seen=current.task.row is not None)
        try:
            previews.write(scratch_dir, name, photo, outcome, current.placement.undated())
            for file in previews.find(scratch_dir, name).values():
                self.output.store(file, PurePosixPath(PREVIEWS, file.name))
        except OutputError:
            raise
        except UnwritableError as error:
            return replace(
                outcome, warnings=(*outcome.warnings, f"the report has no picture of it: {error}")
            )
        return outcome

    def _write_choice(self, current: _InProgress, photo: Photo, outcome: Outcome) -> Outcome:
        """Write the picture and the outlines for the page of picks, as ``_write_previews``."""
        name, scratch_dir = current.task.name, current.scratch_dir
        try:
            previews.write_choice(
                scratch_dir,
                name,
                photo,
                outcome,
                self.remover.networks.weights(),
                current.placement.undated(),
            )
            for file in previews.find(scratch_dir, name, previews.CHOICE_KINDS).values():
                self.output.store(file, PurePosixPath(PREVIEWS, file.name))
        except OutputError:
            raise
        except UnwritableError as error:
            return replace(
                outcome, warnings=(*outcome.warnings, f"the preview does not show it: {error}")
            )
        return outcome

    def _keep_mask(self, current: _InProgress, outcome: Outcome) -> Outcome:
        """Keep the mask for the mask board; a failure becomes a warning of the photo."""
        name, scratch_dir = current.task.name, current.scratch_dir
        try:
            kept_mask.write(scratch_dir, name, outcome, current.placement.undated())
            if (file := kept_mask.place(scratch_dir, name)).is_file():
                self.output.store(file, PurePosixPath(previews.kept_mask(name)))
        except OutputError:
            raise
        except UnwritableError as error:
            note = f"the mask board does not know its mask: {error}"
            return replace(outcome, warnings=(*outcome.warnings, note))
        return outcome

    def _write_mask(self, current: _InProgress, outcome: Outcome) -> tuple[Outcome, str | None]:
        """Write the mask and its layers if masks are saved; else keep them for the mask board.

        Returns:
            The outcome, with a warning if no disk takes the layers' name, and the mask's name.
        """
        if outcome.mask is None or not outcome.holes:
            return outcome, None
        if not self.batch.save_masks:
            return self._keep_mask(current, outcome), None
        name, mask = current.task.mask_target, outcome.mask
        layers = images.layers_of(mask, outcome.layers)
        with self._writing(current, name, mask_key, "mask_written") as (file, placement):
            images.write_mask(mask, file, placement=placement)
        beside = layers_name(name)
        if is_too_long(beside):
            note = f"the layers of its mask are not saved: {beside.name} is too long a name"
            return replace(outcome, warnings=(*outcome.warnings, note)), str(name)
        with self._writing(current, beside, layers_key, "layers_written") as (file, placement):
            images.write_layers(layers, file, kept=outcome.kept, placement=placement)
        return outcome, str(name)

    @contextmanager
    def _writing(
        self, current: _InProgress, name: PurePosixPath, key: Callable[[str], str], stamp: str
    ) -> Iterator[tuple[Path, Placement]]:
        """Yield file and placement of a file beside the result; it is claimed, and stamped after.

        Args:
            current: the photo.
            name: the file's name in the output folder.
            key: returns the key of the file's claim for a photo's name.
            stamp: the key of a journal's row that holds the file's stamp.
        """
        file = self.output.scratch_path(current.scratch_dir, name)

        def claim(part: Path, _: Path) -> None:
            claimed = current.claim(key(current.task.name), name, stamp)
            current.keep(self.output.claim(claimed, part))

        with renamed_errors(file, f"{self.output}/{name}"):
            yield file, replace(current.placement.undated(), before=claim)
        current.written[stamp] = self.output.stamp(name)

    def _write_photo(
        self, current: _InProgress, photo: Photo, outcome: Outcome, target: PurePosixPath
    ) -> tuple[Outcome, str | None]:
        """Write the photo; returns (outcome with its fidelity, its name in the output folder)."""
        if self.batch.dry_run or outcome.status is Status.FAILED:
            return outcome, None
        task, settings = current.task, self.remover.settings
        file = self.output.scratch_path(current.scratch_dir, target)

        def output_name(final: Path) -> PurePosixPath:
            """The target's name, with the suffix that the result of this photo gets."""
            return target.with_name(target.name + final.name[len(file.name) :])

        def claim(part: Path, final: Path) -> None:
            # Checked again: an unchanged photo is copied from its file, which is read once more.
            current.refuse_changed()
            result = current.claim(task.name, output_name(final), "written")
            current.keep(self.output.claim(result, part))

        with renamed_errors(file, f"{self.output}/{target}"):
            options = images.SaveOptions.from_settings(settings)
            placement = replace(current.placement, before=claim)
            saved = images.save_outcome(photo, outcome, file, options, placement=placement)
        name = output_name(saved.path)
        before = None if task.row is None else task.row["entry"]["output"]
        if before not in (None, str(name)) and before in result_names(str(target)):
            # With other options, or another outcome of a RAW, the result has another name than the
            # one it replaces.
            current.keep(
                self.output.retire(current.claim(task.name, PurePosixPath(before), "written"))
            )
        current.written["written"] = self.output.stamp(name)
        return saved.outcome, str(name)


def _refuse_unwritable(row: dict[str, Any]) -> None:
    """Refuse a row that journal and report could not hold: it would end the run for every photo.

    Raises:
        TypeError, ValueError: the entry is not of the report's shape, or the row is not text.
    """
    if not is_entry(row["entry"]):
        raise TypeError("the photo's entry is not of the shape that a report has")
    row_line(row)


def _placement(task: Task, scratch_dir: Path) -> Placement:
    """Return the placement of a photo's files, see ``_InProgress``.

    A store says nothing about rights, and its temporary copy must not decide them.
    """
    placement = Placement(within=scratch_dir)
    return placement.like(task.source) if isinstance(task.source, Path) else placement


def failed_entry(name: str, message: str, seconds: float = 0.0) -> Entry:
    """Return the entry of a photo that could not be processed."""
    return report.photo_entry(
        name,
        Outcome(Status.FAILED, message, error=message, seconds=seconds),
        output=None,
        mask=None,
    )


def _told_of_other_shape(outcome: Outcome, picks: PhotoPicks, photo: Photo) -> Outcome:
    """Return the outcome of a photo that is another picture than its objects were picked in."""
    height, width = photo.size
    return in_doubt(
        outcome,
        f"{UNUSED}{picks.width}x{picks.height} pixels, and it has {width}x{height}: "
        "nothing is removed; pick them anew with --preview",
    )


def _kept_notes(kept: Sequence[PurePosixPath]) -> list[str]:
    return [f"the file that was replaced is kept: {name}" for name in kept]


def _refuse_missing(task: Task, marks: tuple[Stamp | None, ...]) -> None:
    for file, recorded in zip(task.inputs, marks, strict=True):
        if file is not None and recorded is None:
            raise UnreadableError(
                f"{file}: existed when the run began, and is missing now; "
                "put it back and run the same command again"
            )
