"""What of a plan is left to do: the journal's rows against the photos, masks and results as they are now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..config import Settings
from ..errors import WeightsError
from ..storage.location import Location, RemotePath, relative_name
from ..storage.stamp import fingerprint
from ..system.atomic import is_file
from ..types import Status
from . import scan
from .output.protocol import Output
from .settings import BatchSettings
from .worker import Facts, Task

if TYPE_CHECKING:
    from ..report.schema import Entry

#: Part of a photo's identity: raise it when the same settings and weights give other pictures, so that they are cleaned again.
PICTURES_VERSION = "0.1.0"


class Ledger:
    """One run's view of the journal. Which engine does the work is no part of a photo's identity: any goes on where another stopped."""

    def __init__(
        self,
        folder: Location,
        output: Output,
        settings: Settings,
        batch: BatchSettings,
        classes: tuple[str, ...],
    ) -> None:
        self.folder, self.output, self.batch, self.journal = folder, output, batch, output.journal()
        self._noted: dict[str, Any] = {}
        self._existing = output.existing()
        self._masks, self._truths = _finder(batch.masks), _finder(batch.truth)
        self._settings = fingerprint(
            PICTURES_VERSION, asdict(settings), classes, batch.save_masks, batch.dry_run, batch.masks is not None, _index_stamp()
        )  # fmt: skip

    def look(self, jobs: Sequence[scan.PlannedPhoto]) -> Iterator[Task | Entry]:
        """For each photo its task, or the entry of an earlier run that still stands."""
        for job in jobs:
            task = self._task(job)
            yield (
                task
                if self.batch.overwrite or (earlier := self._finished(task)) is None
                else earlier
            )

    def add(self, row: dict[str, Any], facts: Facts) -> Entry:
        """Write down a photo that is done, and what is known of who did it where that is new; gives its entry."""
        noted = {"weights": facts.weights, "warnings": list(facts.warnings), "device": facts.device}
        if noted != self._noted:
            self._noted, row = noted, {**row, "facts": noted}
        self._release(self.journal.add(row))
        entry: Entry = row["entry"]
        return entry

    def flush(self) -> None:
        """Write down what is kept back."""
        self._release(self.journal.flush())

    def finish(self) -> None:
        """Write down that the run ended by itself."""
        self._release(self.journal.finish())
        self.output.settle(self.journal.rows)

    def facts(self, now: Facts, *, worked: bool) -> Facts:
        """Of all who did what this run's report tells of: those of now, if they ``worked``, and those of the broken run it goes on from."""
        sides = [
            Facts(f["weights"], tuple(f["warnings"]), f["device"]) for f in self.journal.facts
        ] + [now] * worked
        if not sides:
            return now
        weights = {name: sha for side in sides for name, sha in side.weights.items()}
        warnings, devices = (
            dict.fromkeys(x)
            for x in ((w for s in sides for w in s.warnings), (s.device for s in sides))
        )
        return Facts(weights, tuple(warnings), ", ".join(devices))

    def _release(self, photos: Iterable[str]) -> None:
        """The claim of one that failed stays: what an earlier try wrote may stand there, known to the claim alone."""
        self.output.release(
            [p for p in photos if self.journal.rows[p]["entry"]["status"] != Status.FAILED.value]
        )

    def _task(self, job: scan.PlannedPhoto) -> Task:
        name = str(job.relative)
        mask = (
            None if self.batch.masks is None else self._masks(job.mask_candidates(self.batch.masks))
        )
        truth = (
            None
            if self.batch.truth is None
            else self._truths(job.truth_candidates(self.batch.truth))
        )
        row = self.journal.rows.get(name)
        return Task(
            name, self._settings, job.source, mask, truth, job.relative, relative_name(self.folder, job.mask_target),
            seen=row is not None, written=(row or {}).get("written"), mask_written=(row or {}).get("mask_written"),
        )  # fmt: skip

    def _finished(self, task: Task) -> Entry | None:
        """The entry of an earlier run, if it was the same work on the same file and its result still stands."""
        row = self.journal.rows.get(task.name)
        if (
            row is None
            or row.get("identity") != task.identity(task.stamps())
            or row["entry"]["status"] == Status.FAILED.value
        ):
            return None
        entry: Entry = row["entry"].copy()
        if entry["output"] not in (None, str(task.target), f"{task.target}.png") or entry[
            "mask"
        ] not in (None, str(task.mask_target)):
            return None  # a row of ours names no other file
        if entry["output"] is not None and (
            task.written is None or self._existing(PurePosixPath(entry["output"])) != task.written
        ):
            return None
        if entry["mask"] is not None and self._existing(PurePosixPath(entry["mask"])) is None:
            return None
        if task.name in self.journal.earlier and entry["status"] != Status.SKIPPED.value:
            entry |= {
                "status": Status.SKIPPED.value,
                "earlier_status": entry["status"],
                "reason": f"finished in an earlier run as {entry['status']}: {entry['reason']}",
            }
        return entry


def _finder(folder: Location | None) -> Callable[[Sequence[Location]], Location | None]:
    """Which of several files is there, the first; a folder elsewhere is listed once."""
    if isinstance(folder, RemotePath):
        there = {str(file.relative): file for file in folder.files().values()}
        return lambda candidates: next(
            (
                there[key]
                for c in candidates
                if isinstance(c, RemotePath) and (key := str(c.relative)) in there
            ),
            None,
        )
    return lambda candidates: next(
        (c for c in candidates if isinstance(c, Path) and is_file(c)), None
    )


def _index_stamp() -> str:
    from ...models.checkpoint import CheckpointError
    from ...models.shipped import shipped_index

    try:
        return shipped_index()
    except CheckpointError as error:
        raise WeightsError(str(error)) from error
