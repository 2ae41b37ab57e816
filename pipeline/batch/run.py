"""The pipeline over folders: scan, look what is left, let an engine do each photo (``pipeline.batch.worker``), report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ... import __version__
from ..config import Settings, resolve_classes
from ..errors import OutputError, UnwritableError, UsageError
from ..remover import ObjectRemover
from ..report.files import SCHEMA_VERSION
from ..storage.location import Location, RemotePath, relative_name
from ..system.signals import Stop
from ..types import Status
from . import scan
from .engines.threads import Record, Threads
from .ledger import Ledger
from .output.local import LocalOutput
from .output.protocol import Output
from .output.remote import RemoteOutput
from .settings import BatchSettings
from .worker import Facts, Task, Worker

if TYPE_CHECKING:
    from ..report.schema import Entry, Report, RunEntry

#: Of ``BatchSettings``, what the report's settings leave out: places say nothing about the pictures, and may hold passwords.
_PLACES = ("output", "masks", "truth")


@dataclass(frozen=True)
class FolderResult:
    """What ``remove_folder`` gives: where the report stands, what is in it, and why it ended before its time, if it did."""

    report: Location
    run: RunEntry
    photos: list[Entry]
    warnings: list[str]
    stopped: str | None = None

    def count(self, status: Status) -> int:
        return sum(p["status"] == status.value for p in self.photos)

    def written(self) -> Report:
        """``report.json`` as a reader of the file gets it."""
        photos = sorted(self.photos, key=lambda p: str(p["input"]))
        found: Report = json.loads(
            json.dumps({"schema_version": SCHEMA_VERSION, "run": self.run, "photos": photos})
        )
        return found


class Engine(Protocol):
    """Who does the photos. Closing the generator stops the work."""

    def run(
        self, tasks: Iterable[Task], record: Record, stop: Stop
    ) -> Generator[Entry, None, None]:
        """Entries as they are done, each once, each written down by ``record`` first. Told to ``stop``, no photo is begun any more.

        Raises:
            OutputError, WeightsError, UsageError, ClusterError: what no photo can do without, after those at work are finished.
        """

    def facts(self) -> Facts:
        """Of those who did the work so far."""


def remove_folder(
    inputs: Sequence[Location], settings: Settings | None = None, batch: BatchSettings | None = None, *, command: str = "",
    progress: Callable[[int, Entry | None], None] | None = None, stop: Stop | None = None,
) -> FolderResult:  # fmt: skip
    """Clean files and folders into an output folder, and report there: ``report.json``, ``report.csv``, ``report.html``.

    This is what the command calls.

    Args:
        inputs: files and folders, here or elsewhere (``pipeline.storage.location.parse_location``); folders are searched through.
        settings: of the picture.
        batch: of the folder.
        command: to quote in the report.
        progress: called with (number of photos, None) at the start and (number, entry) after each photo.
        stop: asked to, it ends the run once the photos at work are finished.

    Returns:
        The report. One bad photo is an entry with status ``failed``, never the end. ``stopped`` says why photos are missing in it: the
        run was asked to stop, or the disk is full. The same call goes on from there.

    Raises:
        UsageError: before any work, where the call cannot work or another run writes into the output.
        WeightsError: a network that the settings name is not to be had.
        OutputError: the disk is full, and has no room for the report.
    """
    settings, batch, stop = settings or Settings(), batch or BatchSettings(), stop or Stop()
    classes = resolve_classes(list(batch.classes))
    if not classes and batch.masks is None:
        raise UsageError("name what to remove with --class, or give masks with --masks")
    _refuse_missing_folder(batch.masks, "masks")
    _refuse_missing_folder(batch.truth, "true pictures")
    begun = time.monotonic()
    exclude = [folder for folder in (batch.masks, batch.truth) if folder]
    plan = scan.plan_run(inputs, batch.output, exclude=exclude, lossless=settings.lossless)
    output = open_output(plan.output, overwrite=batch.overwrite)
    engine = _engine(settings, batch, classes, output)
    entries: list[Entry] = []
    if progress:
        progress(len(plan.photos), None)

    def on_result(entry: Entry) -> None:
        entries.append(entry)
        if progress:
            progress(len(plan.photos), entry)

    with output.hold(
        relative_name(plan.output, place)
        for job in plan.photos
        for place in (job.target, job.mask_target)
    ):
        ledger = Ledger(plan.output, output, settings, batch, classes)
        stopped, worked = _work(plan, ledger, engine, on_result, stop)
        facts = ledger.facts(engine.facts(), worked=worked)
        warnings = [*plan.notes, *facts.warnings]
        if stopped:
            stopped += f" after {len(entries)} of {len(plan.photos)} photos; the same command goes on from here"
            warnings.append(stopped)
        run: RunEntry = {
            "version": __version__,
            "command": command,
            "inputs": [_shown_input(given) for given in inputs],
            "settings": {
                **asdict(settings),
                **{k: v for k, v in asdict(batch).items() if k not in _PLACES},
                "classes": list(classes),
            },
            "weights": facts.weights,
            "device": facts.device,
            "seconds": round(time.monotonic() - begun, 3),
            "warnings": warnings,
        }
        try:
            report = output.report(run, entries)
        except UnwritableError as error:
            raise OutputError(f"{stopped}; {error}" if stopped else str(error)) from error
        if not stopped:
            ledger.finish()
    return FolderResult(report, run, entries, warnings, stopped)


def _work(
    plan: scan.Plan,
    ledger: Ledger,
    engine: Engine,
    on_result: Callable[[Entry], None],
    stop: Stop,
) -> tuple[str | None, bool]:
    """Do what is left of a plan: (why it ended before its time, whether there was anything to do)."""
    tasks: list[Task] = []
    for found in ledger.look(plan.photos):
        if isinstance(found, Task):
            tasks.append(found)
        else:
            on_result(found)
    left = len(tasks)
    try:
        with closing(
            engine.run(tasks, lambda row: ledger.add(row, engine.facts()), stop)
        ) as stream:
            for entry in stream:
                on_result(entry)
                left -= 1
    except OutputError as error:
        return f"stopped ({error})", bool(tasks)
    except KeyboardInterrupt:  # of a caller that does not listen to signals
        stop.request()
    finally:
        ledger.flush()
    return ("stopped by the user" if stop() and left else None), bool(tasks)


def open_output(folder: Location, *, overwrite: bool = False) -> Output:
    """The output folder, wherever it is."""
    return (
        RemoteOutput(folder, overwrite=overwrite)
        if isinstance(folder, RemotePath)
        else LocalOutput(folder, overwrite=overwrite)
    )


def _engine(
    settings: Settings, batch: BatchSettings, classes: tuple[str, ...], output: Output
) -> Engine:
    if batch.engine == "ray":
        from .engines.ray_actors import RayActors

        return RayActors(settings, batch, classes, output)
    return Threads(Worker(ObjectRemover(settings), batch, classes, output), batch.workers)


def _shown_input(given: Location) -> str:
    """An input as the report records it: an absolute path, or an address without its secrets."""
    return str(given if isinstance(given, RemotePath) else given.absolute())


def _refuse_missing_folder(folder: Location | None, what: str) -> None:
    if folder is not None and not (folder.is_dir() if isinstance(folder, Path) else folder.files()):
        raise UsageError(f"{folder}: no such folder of {what}")
