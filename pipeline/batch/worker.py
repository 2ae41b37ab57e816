"""One photo of a run: download, read, clean, write previews, mask and result, describe.

Every engine uses the same worker. It knows neither the journal nor any other photo.
``pipeline.images.save`` says what is written when a photo is done; here that is claimed first, so
that a crash between the file and the journal's row is harmless (``pipeline.batch.output.claims``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from .. import images
from ..errors import OutputError, PhotoError, UnreadableError, UnwritableError
from ..removal.request import Removal
from ..remover import ObjectRemover
from ..report import entry as report
from ..report import previews
from ..storage.fetch import local_copy, renamed_errors
from ..storage.layout import PREVIEWS
from ..storage.location import Location, location_stamp
from ..storage.stamp import Stamp, fingerprint
from ..system.atomic import Placement
from ..system.stopwatch import Stopwatch, sum_stages
from ..types import Mask, Outcome, Photo, Status
from .output.claims import mask_key
from .output.protocol import Output
from .settings import BatchSettings

if TYPE_CHECKING:
    from ..report.schema import Entry
    from .journal import JournalRow

#: Stamps of a photo's files in the output: of its result (``written``) and of its mask
#: (``mask_written``), as a row of the journal has them.
_Written = dict[str, Stamp | None]


@dataclass(frozen=True, slots=True)
class Task:
    """One photo to process, as the driver planned it.

    Attributes:
        name: the photo's name in the report.
        settings: fingerprint of everything but the files that decides the picture.
        source: the photo's file.
        mask: the user's own mask, if any.
        truth: the ground truth, if any.
        target: the result's name in the output folder.
        mask_target: the mask's name in the output folder.
        seen: whether the journal knows the photo.
        written: stamp of the result of an earlier run.
        mask_written: stamp of the mask of an earlier run.
    """

    name: str
    settings: str
    source: Location
    mask: Location | None
    truth: Location | None
    target: PurePosixPath
    mask_target: PurePosixPath
    seen: bool = False
    written: Stamp | None = None
    mask_written: Stamp | None = None

    @property
    def inputs(self) -> tuple[Location | None, ...]:
        """The files of photo, mask and ground truth."""
        return self.source, self.mask, self.truth

    def stamps(self) -> tuple[Stamp | None, ...]:
        """Return the stamps of ``inputs``; None for a missing file.

        Stamps of local files are current, stamps of remote ones are those of the last listing.
        """
        return tuple(None if file is None else location_stamp(file) for file in self.inputs)

    def identity(self, stamps: tuple[Stamp | None, ...]) -> str:
        """Return a hash of this task's settings and of its files' ``stamps``."""
        return fingerprint(self.settings, *stamps)


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
        stamps: the stamps of its inputs when work on it began.
        scratch_dir: the local folder in which its files are written.
        written: updated as files take their names.
        placement: of the files that are made from the photo: in ``scratch_dir``, with the photo's
            rights and date as they were when work on it began.
    """

    task: Task
    stamps: tuple[Stamp | None, ...]
    scratch_dir: Path
    written: _Written
    placement: Placement

    def refuse_changed(self) -> None:
        """Refuse if photo, mask or ground truth changed: the result would mix two versions.

        Raises:
            UnreadableError: one of them changed.
        """
        for file, before, now in zip(
            self.task.inputs, self.stamps, self.task.stamps(), strict=True
        ):
            if before != now:
                raise UnreadableError(
                    f"{file}: changed while it was in progress, the result was discarded; "
                    "run the same command again"
                )


class Worker:
    """Processes tasks with one set of networks. Several threads may call it concurrently."""

    def __init__(
        self, remover: ObjectRemover, batch: BatchSettings, classes: tuple[str, ...], output: Output
    ) -> None:
        self.remover, self.batch, self.classes, self.output = remover, batch, classes, output

    def __call__(self, task: Task) -> JournalRow:
        """Process one photo; a failure of the photo itself becomes its entry.

        Returns:
            The photo's row of the journal.

        Raises:
            WeightsError, UsageError, OutputError: an error that every photo of the run would meet.
        """
        begun = time.monotonic()
        # Until a file is written, the earlier run's file remains. If the work fails, the row still
        # says which files are ours.
        identity = ""
        written: _Written = {"written": task.written, "mask_written": task.mask_written}
        try:
            # The result belongs to the current files, not to those of the scan hours ago.
            stamps = task.stamps()
            identity = task.identity(stamps)
            _refuse_missing(task, stamps)
            with self.output.scratch_dir() as scratch_dir, local_copy(task.source) as source:
                self.output.discard_previews(task.name, seen=task.seen)
                current = _InProgress(
                    task, stamps, scratch_dir, written, _placement(task, scratch_dir)
                )
                entry = self._clean(current, source)
        except OutputError:
            raise
        except (PhotoError, OSError, MemoryError) as error:
            entry = failed_entry(
                task.name, str(error) or type(error).__name__, time.monotonic() - begun
            )
        return {
            "input": task.name,
            "identity": identity,
            "written": written["written"],
            "mask_written": written["mask_written"],
            "entry": entry,
        }

    def facts(self) -> Facts:
        """Return the facts about this worker so far."""
        networks = self.remover.networks
        return Facts(networks.weights(), tuple(networks.warnings()), str(networks.device))

    def _clean(self, current: _InProgress, source: Path) -> Entry:
        """Return the photo's entry, with its files written."""
        task, watch = current.task, Stopwatch()
        with watch("read"):
            photo = images.read_photo(source)
            given = self._given_mask(task, photo)
        removal = Removal.from_settings(
            self.remover.settings, self.classes, given, dry_run=self.batch.dry_run
        )
        outcome = self.remover.clean(photo, removal)
        if self.batch.masks is not None and task.mask is None:
            outcome = replace(outcome, reason=f"no mask for it in {self.batch.masks}")
        if task.truth is not None and outcome.result is not None:
            with watch("measure"), local_copy(task.truth) as truth:
                outcome = replace(
                    outcome, truth=self.remover.error_in_holes(outcome, images.read_photo(truth))
                )
        with watch("preview"):
            outcome = self._write_previews(current, photo, outcome)
        with watch("write"):
            current.refuse_changed()
            mask = self._write_mask(current, outcome)
            outcome, output = self._write_photo(current, photo, outcome)
        outcome = replace(
            outcome, stages=sum_stages([outcome.stages, watch.stages]), seconds=watch.elapsed
        )
        return report.photo_entry(task.name, outcome, output=output, mask=mask)

    def _given_mask(self, task: Task, photo: Photo) -> Mask | None:
        """Return the user's own mask, empty if the photo has none; None to segment the photo."""
        if self.batch.masks is None:
            return None
        if task.mask is None:
            return np.zeros(photo.size, bool)
        with local_copy(task.mask) as file:
            return images.read_mask(file, photo.size)

    def _write_previews(self, current: _InProgress, photo: Photo, outcome: Outcome) -> Outcome:
        """Write the report's previews; a failure becomes a warning of the photo."""
        name, scratch_dir = current.task.name, current.scratch_dir
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

    def _write_mask(self, current: _InProgress, outcome: Outcome) -> str | None:
        """Write the mask if masks are saved; returns its name in the output folder."""
        if not self.batch.save_masks or outcome.mask is None or not outcome.holes:
            return None
        task = current.task
        file = self.output.scratch_path(current.scratch_dir, task.mask_target)

        def claim(part: Path, _: Path) -> None:
            self.output.claim(mask_key(task.name), task.mask_target, part, task.mask_written)

        with renamed_errors(file, f"{self.output}/{task.mask_target}"):
            placement = replace(current.placement.undated(), before=claim)
            images.write_mask(outcome.mask, file, placement=placement)
        current.written["mask_written"] = self.output.stamp(task.mask_target)
        return str(task.mask_target)

    def _write_photo(
        self, current: _InProgress, photo: Photo, outcome: Outcome
    ) -> tuple[Outcome, str | None]:
        """Write the photo; returns (outcome with its fidelity, its name in the output folder)."""
        if self.batch.dry_run or outcome.status is Status.FAILED:
            return outcome, None
        task, settings = current.task, self.remover.settings
        file = self.output.scratch_path(current.scratch_dir, task.target)

        def output_name(final: Path) -> PurePosixPath:
            """The target's name, with the suffix that a lossless file of a lossy photo gets."""
            return task.target.with_name(task.target.name + final.name[len(file.name) :])

        def claim(part: Path, final: Path) -> None:
            # Checked again: an unchanged photo is copied from its file, which is read once more.
            current.refuse_changed()
            self.output.claim(task.name, output_name(final), part, task.written)

        with renamed_errors(file, f"{self.output}/{task.target}"):
            options = images.SaveOptions(settings.lossless, settings.strip_metadata)
            placement = replace(current.placement, before=claim)
            saved = images.save_outcome(photo, outcome, file, options, placement=placement)
        name = output_name(saved.path)
        current.written["written"] = self.output.stamp(name)
        return saved.outcome, str(name)


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


def _refuse_missing(task: Task, stamps: tuple[Stamp | None, ...]) -> None:
    for file, stamp in zip(task.inputs, stamps, strict=True):
        if file is not None and stamp is None:
            raise UnreadableError(
                f"{file}: existed when the run began, and is missing now; "
                "put it back and run the same command again"
            )
