"""The pipeline over folders: scan, look what is left, let an engine do each photo (``pipeline.worker``), report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline import scan
from pipeline.config import BatchSettings, Settings, resolve_classes
from pipeline.errors import UsageError
from pipeline.ledger import Ledger, package_version
from pipeline.output import LocalOutput, Output
from pipeline.output_remote import RemoteOutput
from pipeline.remote import Location, Remote
from pipeline.remover import ObjectRemover
from pipeline.report import SCHEMA_VERSION
from pipeline.threads import Record, Threads
from pipeline.types import Status
from pipeline.worker import Facts, Task, Worker

#: Of ``BatchSettings``, what the report's settings leave out: places say nothing about the pictures, and may hold passwords.
_PLACES = ("output", "masks", "truth")


@dataclass(frozen=True)
class FolderResult:
    """What ``remove_folder`` gives: where the report stands, what is in it, and how many photos failed."""

    report: Location
    run: dict[str, Any]
    photos: list[dict[str, Any]]
    warnings: list[str]

    def count(self, status: Status) -> int:
        return sum(p["status"] == status.value for p in self.photos)

    def written(self) -> dict[str, Any]:
        """``report.json`` as a reader of the file gets it."""
        photos = sorted(self.photos, key=lambda p: str(p["input"]))
        found: dict[str, Any] = json.loads(json.dumps({"schema_version": SCHEMA_VERSION, "run": self.run, "photos": photos}))
        return found


class Engine(Protocol):
    """Who does the photos. Closing the generator stops the work."""

    def run(self, tasks: Iterable[Task], record: Record) -> Generator[dict[str, Any], None, None]:
        """Entries as they are done, each once, each written down by ``record`` first."""

    def facts(self) -> Facts:
        """Of those who did the work so far."""


def remove_folder(
    inputs: Sequence[Location], settings: Settings | None = None, batch: BatchSettings | None = None, *, command: str = "",
    progress: Callable[[int, dict[str, Any] | None], None] | None = None,
) -> FolderResult:  # fmt: skip
    """Clean files and folders into an output folder, and report there: ``report.json``, ``report.csv``, ``report.html``.

    This is what the command calls.

    Args:
        inputs: files and folders, here or elsewhere (``pipeline.remote.located``); folders are searched through.
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
    _refuse_missing_folder(batch.masks, "masks")
    _refuse_missing_folder(batch.truth, "true pictures")
    begun = time.monotonic()
    exclude = [folder for folder in (batch.masks, batch.truth) if folder]
    plan = scan.scan(inputs, batch.output, exclude=exclude, lossless=settings.lossless)
    output = open_output(plan.output, overwrite=batch.overwrite)
    engine = _engine(settings, batch, classes, output)
    ledger = Ledger(plan.output, output, settings, batch, classes)
    entries: list[dict[str, Any]] = []
    if progress:
        progress(len(plan.jobs), None)

    def took(entry: dict[str, Any]) -> None:
        entries.append(entry)
        if progress:
            progress(len(plan.jobs), entry)

    interrupted = False
    tasks: list[Task] = []
    try:
        for found in ledger.look(plan.jobs):
            if isinstance(found, Task):
                tasks.append(found)
            else:
                took(found)
        with closing(engine.run(tasks, ledger.add)) as stream:
            for entry in stream:
                took(entry)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        ledger.flush()
    facts = engine.facts()
    warnings = [*plan.notes, *facts.warnings]
    if interrupted:
        warnings.append(f"stopped by the user after {len(entries)} of {len(plan.jobs)} photos; the same command goes on from here")
    run = {
        "version": package_version(),
        "command": command,
        "settings": {**asdict(settings), **{k: v for k, v in asdict(batch).items() if k not in _PLACES}, "classes": list(classes)},
        "weights": facts.weights,
        "device": facts.device,
        "seconds": round(time.monotonic() - begun, 3),
        "warnings": warnings,
    }
    report = output.report(run, entries)
    if interrupted:
        raise KeyboardInterrupt
    ledger.finish()
    return FolderResult(report, run, entries, warnings)


def open_output(folder: Location, *, overwrite: bool = False) -> Output:
    """The output folder, wherever it is."""
    return RemoteOutput(folder, overwrite=overwrite) if isinstance(folder, Remote) else LocalOutput(folder, overwrite=overwrite)


def _engine(settings: Settings, batch: BatchSettings, classes: tuple[str, ...], output: Output) -> Engine:
    if batch.engine == "ray":
        from pipeline.distributed import RayActors

        return RayActors(settings, batch, classes, output)
    return Threads(Worker(ObjectRemover(settings), batch, classes, output), batch.workers)


def _refuse_missing_folder(folder: Location | None, what: str) -> None:
    if folder is not None and not (folder.is_dir() if isinstance(folder, Path) else folder.files()):
        raise UsageError(f"{folder}: no such folder of {what}")
