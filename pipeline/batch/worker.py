"""One photo: fetched, cleaned, written, told. The same for every engine; it knows of no journal and of no other photo."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

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
from ..system.stopwatch import Stopwatch, sum_stages
from ..types import Mask, Outcome, Photo, Status
from .output.claims import mask_key
from .output.protocol import Output
from .settings import BatchSettings

if TYPE_CHECKING:
    from ..report.schema import Entry

#: Of a journal's row: the stamps of the photo's result (``written``) and of its mask (``mask_written``) as they stand in the output.
_Written = dict[str, Stamp | None]


@dataclass(frozen=True, slots=True)
class Task:
    """One photo to do, as the driver found it: where its files are, whether an earlier run knew it, and the stamps of what that wrote.

    ``settings`` is a fingerprint of all that decides the picture besides its files.
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

    def stamps(self) -> tuple[Stamp | None, ...]:
        """Of photo, mask and truth, as they are now or, elsewhere, as a listing found them; None for what is not there."""
        return tuple(
            None if place is None else location_stamp(place)
            for place in (self.source, self.mask, self.truth)
        )

    def identity(self, stamps: tuple[Stamp | None, ...]) -> str:
        """Tells this work on files of these ``stamps`` from any other."""
        return fingerprint(self.settings, *stamps)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says of those who did the work."""

    weights: dict[str, str]
    warnings: tuple[str, ...]
    device: str


class Worker:
    """Does tasks with one set of networks. Safe to call from several threads."""

    def __init__(
        self, remover: ObjectRemover, batch: BatchSettings, classes: tuple[str, ...], output: Output
    ) -> None:
        self.remover, self.batch, self.classes, self.output = remover, batch, classes, output

    def __call__(self, task: Task) -> dict[str, Any]:
        """The journal's row of a photo. Any failure of the photo itself becomes its entry.

        Raises:
            WeightsError, UsageError, OutputError: what no photo of this run can do without.
        """
        begun = time.monotonic()
        # Until something is written, what an earlier run wrote stands there; where it fails, the row says how far it came.
        identity = ""
        written: _Written = {"written": task.written, "mask_written": task.mask_written}
        try:
            # The result belongs to the files as they are now, not as the scan found them, which may be hours ago.
            stamps = task.stamps()
            identity = task.identity(stamps)
            _refuse_missing(task, stamps)
            with self.output.scratch_dir() as scratch_dir, local_copy(task.source) as source:
                self.output.clear(task.name, seen=task.seen)
                entry = self._clean(task, source, scratch_dir, stamps, written)
        except OutputError:
            raise
        except (PhotoError, OSError, MemoryError) as error:
            entry = failed_entry(
                task.name, str(error) or type(error).__name__, time.monotonic() - begun
            )
        return {"input": task.name, "identity": identity, **written, "entry": entry}

    def facts(self) -> Facts:
        """As far as the work has come."""
        networks = self.remover.networks
        return Facts(networks.weights(), tuple(networks.warnings()), str(networks.device))

    def _clean(
        self,
        task: Task,
        source: Path,
        scratch_dir: Path,
        stamps: tuple[Stamp | None, ...],
        written: _Written,
    ) -> Entry:
        """The photo's entry. ``written`` is kept true as files take their names."""
        watch = Stopwatch()
        with watch("read"):
            photo = images.read_photo(source)
            given = self._given(task, photo)
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
            outcome = self._preview(task.name, scratch_dir, photo, outcome)
        with watch("write"):
            outcome, output, mask = self._write(task, scratch_dir, photo, outcome, stamps, written)
        outcome = replace(
            outcome, stages=sum_stages([outcome.stages, watch.stages]), seconds=watch.elapsed
        )
        entry = report.photo_entry(
            task.name, outcome, output=None if output is None else str(output), mask=mask
        )
        if output is not None:
            written["written"] = self.output.stamp(output)
        return entry

    def _given(self, task: Task, photo: Photo) -> Mask | None:
        if self.batch.masks is None:
            return None
        if task.mask is None:
            return np.zeros(photo.size, bool)
        with local_copy(task.mask) as file:
            return images.read_mask(file, photo.size)

    def _preview(self, name: str, scratch_dir: Path, photo: Photo, outcome: Outcome) -> Outcome:
        """The report's small pictures. A photo whose previews cannot be written is cleaned all the same, and says so."""
        try:
            previews.write(scratch_dir, name, photo, outcome)
            for file in previews.find(scratch_dir, name).values():
                self.output.keep(file, PurePosixPath(PREVIEWS, file.name))
        except OutputError:
            raise
        except UnwritableError as error:
            return replace(
                outcome, warnings=(*outcome.warnings, f"the report has no picture of it: {error}")
            )
        return outcome

    def _write(
        self,
        task: Task,
        scratch_dir: Path,
        photo: Photo,
        outcome: Outcome,
        stamps: tuple[Stamp | None, ...],
        written: _Written,
    ) -> tuple[Outcome, PurePosixPath | None, str | None]:
        """Mask and photo to the output: (outcome with its fidelity, the photo's name there, the mask's)."""
        mask = None
        _refuse_changed(task, stamps)
        if self.batch.save_masks and outcome.mask is not None and outcome.holes:
            file = self.output.place(scratch_dir, task.mask_target)

            def claim_mask(part: Path, _: Path) -> None:
                self.output.claim(mask_key(task.name), task.mask_target, part, task.mask_written)

            with renamed_errors(file, f"{self.output}/{task.mask_target}"):
                images.write_mask(outcome.mask, file, before=claim_mask)
            written["mask_written"] = self.output.stamp(task.mask_target)
            mask = str(task.mask_target)
        if self.batch.dry_run or outcome.status is Status.FAILED:
            return outcome, None, mask
        file, settings = self.output.place(scratch_dir, task.target), self.remover.settings

        def output_name(final: Path) -> PurePosixPath:
            """The target's name, with the suffix that a lossless file of a lossy photo gets."""
            return task.target.with_name(task.target.name + final.name[len(file.name) :])

        def claim(part: Path, final: Path) -> None:
            # Checked again: an unchanged photo is copied from its file, which is read once more.
            _refuse_changed(task, stamps)
            self.output.claim(task.name, output_name(final), part, task.written)

        with renamed_errors(file, f"{self.output}/{task.target}"):
            options = images.SaveOptions(settings.lossless, settings.strip_metadata)
            saved = images.save_outcome(photo, outcome, file, options, before=claim)
        return saved.outcome, output_name(saved.path), mask


def _refuse_missing(task: Task, stamps: tuple[Stamp | None, ...]) -> None:
    for place, found in zip((task.source, task.mask, task.truth), stamps, strict=True):
        if place is not None and found is None:
            raise UnreadableError(
                f"{place}: was there when the run began, and is gone; put it back and run the same command again"
            )


def _refuse_changed(task: Task, stamps: tuple[Stamp | None, ...]) -> None:
    """A picture that is half of one file and half of another, or is not that of its mask, is nobody's."""
    for place, found, now in zip(
        (task.source, task.mask, task.truth), stamps, task.stamps(), strict=True
    ):
        if found != now:
            raise UnreadableError(
                f"{place}: changed while it was at work, the result was thrown away; run the same command again"
            )


def failed_entry(name: str, message: str, seconds: float = 0.0) -> Entry:
    """The entry of a photo that could not be done."""
    return report.photo_entry(
        name,
        Outcome(Status.FAILED, message, error=message, seconds=seconds),
        output=None,
        mask=None,
    )
