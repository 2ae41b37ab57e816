"""The pipeline over folders: scan, read, remove (``pipeline.remover``), write, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import images, previews, report, scan
from pipeline.config import BatchSettings, Settings, resolve_classes
from pipeline.errors import PhotoError, UnwritableError, UsageError
from pipeline.journal import Journal, fingerprint, stamp
from pipeline.remover import ObjectRemover
from pipeline.reports import write_reports
from pipeline.stopwatch import Stopwatch, summed
from pipeline.types import Fidelity, Outcome, Photo, Status


@dataclass(frozen=True)
class FolderResult:
    """What ``remove_folder`` gives: the report as written, where it stands, and how many photos failed."""

    report: Path
    photos: list[dict[str, Any]]
    warnings: list[str]

    def count(self, status: Status) -> int:
        return sum(p["status"] == status.value for p in self.photos)


def remove_folder(
    inputs: Sequence[Path], settings: Settings | None = None, batch: BatchSettings | None = None, *, command: str = "",
    progress: Callable[[int, dict[str, Any] | None], None] | None = None,
) -> FolderResult:  # fmt: skip
    """Clean files and folders into an output folder, and report there: ``report.json``, ``report.csv``, ``report.html``.

    This is what the command calls.

    Args:
        inputs: files and folders; folders are searched through.
        settings: of the picture.
        batch: of the folder.
        command: to quote in the report.
        progress: called with (number of photos, None) at the start and (number, entry) after each photo.

    Returns:
        The report. One bad photo is an entry with status ``failed``, never the end.

    Raises:
        UsageError: before any work, where the call cannot work.
        WeightsError: a network that the settings name is not to be had.
    """
    settings, batch = settings or Settings(), batch or BatchSettings()
    classes = resolve_classes(list(batch.classes))
    if not classes and batch.masks is None:
        raise UsageError("name what to remove with --class, or give masks with --masks")
    if batch.masks is not None and not batch.masks.is_dir():
        raise UsageError(f"{batch.masks}: no such folder of masks")
    if batch.truth is not None and not batch.truth.is_dir():
        raise UsageError(f"{batch.truth}: no such folder of true pictures")
    begun = time.monotonic()
    plan = scan.scan(inputs, batch.output, exclude=[folder for folder in (batch.masks, batch.truth) if folder], lossless=settings.lossless)
    remover = ObjectRemover(settings)
    remover.device  # noqa: B018 (an impossible device is the caller's mistake, and said before any work)
    journal = Journal(plan.output)
    worker = _Worker(remover, batch, classes, plan.output, journal)
    entries: list[dict[str, Any]] = []
    if progress:
        progress(len(plan.jobs), None)
    interrupted = False
    stream = worker.run(plan.jobs)
    try:
        for entry in stream:
            entries.append(entry)
            if progress:
                progress(len(plan.jobs), entry)
    except KeyboardInterrupt:
        interrupted = True
        stream.close()
    warnings = [*plan.notes, *remover.warnings()]
    if interrupted:
        warnings.append(f"stopped by the user after {len(entries)} of {len(plan.jobs)} photos; the same command goes on from here")
    run = {
        "version": package_version(),
        "command": command,
        "settings": {
            **asdict(settings),
            **{k: v for k, v in asdict(batch).items() if k not in ("output", "masks", "truth")},
            "classes": list(classes),
        },
        "weights": remover.weights(),
        "device": str(remover.device),
        "seconds": round(time.monotonic() - begun, 3),
        "warnings": warnings,
    }
    path = write_reports(plan.output, run, entries)
    if interrupted:
        raise KeyboardInterrupt
    journal.finish()
    return FolderResult(path, entries, warnings)


class _Worker:
    """One job at a time through reading, cleaning and writing; several at once through a pool that never holds more than it needs."""

    def __init__(self, remover: ObjectRemover, batch: BatchSettings, classes: tuple[str, ...], output: Path, journal: Journal) -> None:
        self.remover, self.batch, self.classes, self.output, self.journal = remover, batch, classes, output, journal
        self.resuming = not journal.complete
        self.settings = fingerprint(
            package_version(), asdict(remover.settings), classes, batch.save_masks, batch.dry_run, batch.masks is not None, _index_stamp()
        )  # fmt: skip

    def run(self, jobs: Sequence[scan.Job]) -> Generator[dict[str, Any], None, None]:
        """Entries as they are done. At most ``workers`` photos are in memory at a time."""
        waiting = iter(jobs)
        with ThreadPoolExecutor(max(1, self.batch.workers)) as pool:
            running: set[Future[dict[str, Any]]] = set()
            try:
                while True:
                    for job in waiting:
                        running.add(pool.submit(self.job, job))
                        if len(running) >= max(1, self.batch.workers):
                            break
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                for future in running:
                    future.cancel()

    def job(self, job: scan.Job) -> dict[str, Any]:
        """One photo: skipped if it is done, cleaned otherwise; any failure of the photo itself becomes its entry."""
        name = str(job.relative)
        mask_file = self._mask_file(job)
        identity = fingerprint(self.settings, *(stamp(f) if f else None for f in (job.source, mask_file, self._truth_file(job))))
        if not self.batch.overwrite and (earlier := self._finished(name, job, identity)) is not None:
            return earlier
        begun = time.monotonic()
        target: Path | None = None
        previews.discard(self.output, name)
        try:
            entry, target = self._clean(job, mask_file, name)
        except (PhotoError, OSError, MemoryError) as error:
            message = str(error) or type(error).__name__
            failed = Outcome(Status.FAILED, message, error=message, seconds=time.monotonic() - begun)
            entry = report.photo_entry(name, failed, output=None, mask=None)
        written = stamp(target) if target else None
        self.journal.add({"input": name, "identity": identity, "written": written, "entry": entry})
        return entry

    def _clean(self, job: scan.Job, mask_file: Path | None, name: str) -> tuple[dict[str, Any], Path | None]:
        watch = Stopwatch()
        with watch("read"):
            photo = images.read_photo(job.source)
            given = None
            if self.batch.masks is not None:
                given = images.read_mask(mask_file, photo.size) if mask_file else np.zeros(photo.size, bool)
        outcome = self.remover.clean(photo, self.classes, given, dry_run=self.batch.dry_run)
        if self.batch.masks is not None and mask_file is None:
            outcome = replace(outcome, reason=f"no mask for it in {self.batch.masks}")
        truth_file = self._truth_file(job)
        if truth_file is not None and outcome.result is not None:
            with watch("measure"):
                outcome = replace(outcome, truth=self.remover.error_in_holes(outcome, images.read_photo(truth_file)))
        with watch("preview"):
            outcome = self._preview(photo, outcome, name)
        with watch("write"):
            outcome, target, mask_name = self._write(job, photo, outcome, name)
        outcome = replace(outcome, stages=summed([outcome.stages, watch.stages]), seconds=watch.elapsed)
        output = None if target is None else str(target.relative_to(self.output).as_posix())
        return report.photo_entry(name, outcome, output=output, mask=mask_name), target

    def _preview(self, photo: Photo, outcome: Outcome, name: str) -> Outcome:
        """The report's small pictures. A photo whose previews cannot be written is cleaned all the same, and says so."""
        try:
            previews.write(self.output, name, photo, outcome)
        except UnwritableError as error:
            return replace(outcome, warnings=(*outcome.warnings, f"the report has no picture of it: {error}"))
        return outcome

    def _write(self, job: scan.Job, photo: Photo, outcome: Outcome, name: str) -> tuple[Outcome, Path | None, str | None]:
        """Mask and photo to the disk: (outcome with its fidelity, the photo's file, the mask's name in the report)."""
        mask_name = None
        if self.batch.save_masks and outcome.mask is not None and outcome.holes:
            images.write_mask(outcome.mask, job.mask_target)
            mask_name = str(job.mask_target.relative_to(self.output).as_posix())
        if self.batch.dry_run or outcome.status is Status.FAILED:
            return outcome, None, mask_name
        self._refuse_foreign(name, job.target)
        if outcome.result is None or outcome.mask is None:
            images.copy_photo(job.source, job.target)
            return replace(outcome, fidelity=Fidelity(0, None)), job.target, mask_name
        written = images.write_photo(photo, outcome.result, outcome.mask, job.target, lossless=self.remover.settings.lossless)
        return replace(outcome, fidelity=Fidelity(written.changed_outside, written.psnr_outside)), written.path, mask_name

    def _mask_file(self, job: scan.Job) -> Path | None:
        if self.batch.masks is None:
            return None
        return next((p for p in job.mask_candidates(self.batch.masks) if p.is_file()), None)

    def _truth_file(self, job: scan.Job) -> Path | None:
        if self.batch.truth is None:
            return None
        return next((p for p in job.truth_candidates(self.batch.truth) if p.is_file()), None)

    def _finished(self, name: str, job: scan.Job, identity: str) -> dict[str, Any] | None:
        """The entry of an earlier run, if it was the same work on the same file and its result still stands."""
        row = self.journal.rows.get(name)
        if row is None or row.get("identity") != identity or row["entry"]["status"] == Status.FAILED.value:
            return None
        entry: dict[str, Any] = dict(row["entry"])
        if entry["output"] is not None and not self.journal.owns(name, self.output / entry["output"]):
            return None
        if entry["mask"] is not None and not (self.output / entry["mask"]).is_file():
            return None
        if not self.resuming and entry["status"] != Status.SKIPPED.value:
            entry |= {"status": Status.SKIPPED.value, "reason": f"finished in an earlier run as {entry['status']}: {entry['reason']}"}
        return entry

    def _refuse_foreign(self, name: str, target: Path) -> None:
        if target.exists() and not self.batch.overwrite and not self.journal.owns(name, target):
            raise UnwritableError(f"{target}: exists and is not what an earlier run wrote here; move it away or use --overwrite")


def package_version() -> str:
    """The installed package's version; ``0`` in a checkout that was never installed."""
    try:
        return version("remove-objects")
    except PackageNotFoundError:
        return "0"


def _index_stamp() -> str:
    from models.weights import FOLDER

    return (FOLDER / "index.json").read_text(encoding="utf-8")
