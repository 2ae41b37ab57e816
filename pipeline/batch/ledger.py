"""The photos that are left to do: the journal's rows against the current photos and results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import WeightsError
from ..report.entry_metrics import EARLIER
from ..storage.location import Location, RemotePath, relative_name
from ..storage.stamp import fingerprint
from ..system.atomic import is_file
from ..types import Status
from .output.protocol import Output
from .scan import PlannedPhoto
from .settings import BatchSettings
from .worker import Facts, Task

if TYPE_CHECKING:
    from ..report.schema import Entry
    from .journal import JournalRow, WorkerFacts

#: Part of a photo's identity. Raise it when the same settings and weights give other pictures, so
#: that finished photos are processed again.
PICTURES_VERSION = "0.1.0"


class Ledger:
    """One run's view of the journal.

    The engine is not part of a photo's identity, so any engine resumes another's run.
    """

    def __init__(
        self,
        folder: Location,
        output: Output,
        settings: Settings,
        batch: BatchSettings,
        classes: tuple[str, ...],
    ) -> None:
        self.folder, self.output, self.batch, self.journal = folder, output, batch, output.journal()
        self._last_facts: WorkerFacts | None = None
        self._stamp = output.stamp_lookup()
        self._find_mask, self._find_truth = _finder(batch.masks), _finder(batch.truth)
        self._settings = fingerprint(
            PICTURES_VERSION,
            asdict(settings),
            classes,
            batch.save_masks,
            batch.dry_run,
            batch.masks is not None,
            _weights_index(),
        )

    def tasks_and_entries(self, photos: Sequence[PlannedPhoto]) -> Iterator[Task | Entry]:
        """Yield each photo's task, or the still valid entry of an earlier run."""
        for photo in photos:
            task = self._task(photo)
            entry = None if self.batch.overwrite else self._finished(task)
            yield task if entry is None else entry

    def add(self, row: JournalRow, facts: Facts) -> Entry:
        """Record a finished photo, with the worker's facts if they are new; returns its entry."""
        current: WorkerFacts = {
            "weights": facts.weights,
            "warnings": list(facts.warnings),
            "device": facts.device,
        }
        if current != self._last_facts:
            self._last_facts, row = current, {**row, "facts": current}
        self._release(self.journal.add(row))
        entry: Entry = row["entry"]
        return entry

    def flush(self) -> None:
        """Make all recorded photos durable."""
        self._release(self.journal.flush())

    def finish(self) -> None:
        """Record that the run ended by itself."""
        self._release(self.journal.finish())
        self.output.remove_redundant_claims(self.journal.rows)

    def facts(self, now: Facts, *, worked: bool) -> Facts:
        """Merge the facts about every worker behind this report.

        Args:
            now: facts of this run's workers, used if any work was done.
            worked: whether any work was done.

        Returns:
            Facts of this run's workers and of those of the interrupted run that it resumes.
        """
        runs = [
            Facts(f["weights"], tuple(f["warnings"]), f["device"]) for f in self.journal.facts
        ] + [now] * worked
        if not runs:
            return now
        weights = {name: sha256 for facts in runs for name, sha256 in facts.weights.items()}
        warnings = dict.fromkeys(warning for facts in runs for warning in facts.warnings)
        devices = dict.fromkeys(facts.device for facts in runs)
        return Facts(weights, tuple(warnings), ", ".join(devices))

    def _release(self, photos: Iterable[str]) -> None:
        """Release the claims of photos that did not fail.

        After a failure only the claim may know the file that an earlier attempt wrote.
        """
        self.output.release(
            [p for p in photos if self.journal.rows[p]["entry"]["status"] != Status.FAILED.value]
        )

    def _task(self, photo: PlannedPhoto) -> Task:
        name, masks, truths = str(photo.relative), self.batch.masks, self.batch.truth
        row = self.journal.rows.get(name)
        return Task(
            name=name,
            settings=self._settings,
            source=photo.source,
            mask=None if masks is None else self._find_mask(photo.mask_candidates(masks)),
            truth=None if truths is None else self._find_truth(photo.truth_candidates(truths)),
            target=photo.relative,
            mask_target=relative_name(self.folder, photo.mask_target),
            seen=row is not None,
            written=None if row is None else row.get("written"),
            mask_written=None if row is None else row.get("mask_written"),
        )

    def _finished(self, task: Task) -> Entry | None:
        """Return an earlier run's entry if its work was the same and its result still exists."""
        row = self.journal.rows.get(task.name)
        if (
            row is None
            or row.get("identity") != task.identity(task.stamps())
            or row["entry"]["status"] == Status.FAILED.value
        ):
            return None
        entry: Entry = row["entry"].copy()
        if not self._files_are_unchanged(task, entry):
            return None
        if task.name in self.journal.earlier and entry["status"] != Status.SKIPPED.value:
            entry |= {
                "status": Status.SKIPPED.value,
                "earlier_status": entry["status"],
                "reason": f"{EARLIER}{entry['status']}: {entry['reason']}",
            }
        return entry

    def _files_are_unchanged(self, task: Task, entry: Entry) -> bool:
        """Whether an entry's files are the task's own, exist, and are unchanged since."""
        output, mask = entry["output"], entry["mask"]
        # A damaged or forged row may name any other file.
        if output not in (None, str(task.target), f"{task.target}.png"):
            return False
        if mask not in (None, str(task.mask_target)):
            return False
        if output is not None and (
            task.written is None or self._stamp(PurePosixPath(output)) != task.written
        ):
            return False
        return mask is None or self._stamp(PurePosixPath(mask)) is not None


def _finder(folder: Location | None) -> Callable[[Sequence[Location]], Location | None]:
    """Return a function that gives the first existing of several files in ``folder``.

    A remote folder is listed only once.
    """
    if isinstance(folder, RemotePath):
        existing = {str(file.relative): file for file in folder.files().values()}
        return lambda candidates: next(
            (
                existing[key]
                for c in candidates
                if isinstance(c, RemotePath) and (key := str(c.relative)) in existing
            ),
            None,
        )
    return lambda candidates: next(
        (c for c in candidates if isinstance(c, Path) and is_file(c)), None
    )


def _weights_index() -> str:
    """Return the index of the shipped weights, which is part of every identity."""
    from ...models.checkpoint import CheckpointError
    from ...models.shipped import shipped_index

    try:
        return shipped_index()
    except CheckpointError as error:
        raise WeightsError(str(error)) from error
