"""A run over folders: plan it, skip finished photos, let an engine process the others, report.

``pipeline.batch.worker`` processes one photo.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from ... import __version__
from ..config import Settings, resolve_classes
from ..errors import OutputError, UnreadableError, UnwritableError, UsageError
from ..given import shown
from ..images import DROPPED
from ..remover import ObjectRemover
from ..report.entry_metrics import told_of
from ..report.files import REPORTS, SCHEMA_VERSION
from ..report.terminal import counted
from ..storage.layout import PREVIEW_PAGE, REPLACED
from ..storage.location import AnyPath, Location, RemotePath, relative_name
from ..system.signals import Stop, stop_on_first_interrupt
from ..system.text import printable, some
from ..types import Status
from . import own_masks
from .call import Call
from .earlier import earlier_entries
from .engines.threads import Record, Threads
from .journal import Journal
from .ledger import Decided, Ledger
from .memory_need import memory_note
from .names import layers_name
from .output.local import LocalOutput
from .output.protocol import Output
from .output.remote import RemoteOutput
from .picked import idle_picks, load_picks, unfit_note
from .scan import Plan, plan_run
from .series import SeriesFinder
from .settings import BatchSettings, FolderOptions
from .sources import KnownPhotos, source_of_each
from .worker import Facts, Task, Worker, failed_entry

if TYPE_CHECKING:
    from ..report.page_memory import PageMemory
    from ..report.picks import Picks
    from ..report.schema import Entry, Report, RunEntry

log = logging.getLogger(__name__)
#: For what the entries of the photos tell too.
log_of_photos = logging.getLogger(f"{__name__}.photos")

#: Keys of ``BatchSettings`` that the report's settings leave out: folders do not change the
#: pictures, and their addresses may hold passwords.
_FOLDERS = ("output", "masks", "picks", "truth")
#: So many kinds of dropped metadata are named.
_NAMES = 4


@dataclass(frozen=True)
class FolderResult:
    """The result of ``remove_folder``.

    Attributes:
        report: the location of ``report.json``.
        run: the report's ``run``.
        photos: the entries of this run's photos, in the order in which they were finished.
        warnings: sentences for the user.
        stopped: why the run ended early; None if it is complete.
        others: entries of earlier runs' photos, which the report holds too: it tells of everything
            that stands in the output folder.
        preview: the location of ``preview.html``; None without ``BatchSettings.preview``.
    """

    report: Location
    run: RunEntry
    photos: list[Entry]
    warnings: list[str]
    stopped: str | None = None
    others: list[Entry] = field(default_factory=list)
    preview: Location | None = None

    @property
    def mask_fits_none(self) -> bool:
        """Whether the one mask for all photos has the shape of none of them."""
        return own_masks.fits_none(self.photos)

    def count(self, status: Status | str) -> int:
        """Count the photos with a status.

        Raises:
            UsageError: there is no such status.
        """
        if status not in list(Status):
            raise UsageError(f"status must be one of {', '.join(Status)}; got {shown(status)}")
        return sum(p["status"] == status for p in self.photos)

    def written(self) -> Report:
        """Return ``report.json`` as a reader of the file gets it."""
        return self._report([*self.photos, *self.others])

    def of_this_run(self) -> Report:
        """Return the report without the photos of earlier runs."""
        return self._report(self.photos)

    def _report(self, entries: Sequence[Entry]) -> Report:
        photos = sorted(entries, key=lambda p: str(p["input"]))
        report: Report = json.loads(
            json.dumps({"schema_version": SCHEMA_VERSION, "run": self.run, "photos": photos})
        )
        return report


@dataclass
class Round:
    """One run of many over the same folder, as a watch makes them.

    The journal takes all of them for one run that goes on: the report of each tells of the photos
    of those before as of its own, and ``finish_rounds`` ends them.

    Attributes:
        remover: has the networks, which load once for all rounds.
        wanted: whether a photo's file is one of this round's; the others count as if they were not
            there, and their results of earlier rounds stay.
        failed: entries of photos that failed in earlier rounds and are not tried again, because
            they have not changed; the report goes on telling of them.
        pages: what is remembered of the report's page from round to round.
        tasks: filled by the run: the files that it worked on, by the photos' names.
    """

    remover: ObjectRemover
    wanted: Callable[[Location], bool]
    failed: Sequence[Entry] = ()
    pages: PageMemory | None = None
    tasks: dict[str, Location] = field(default_factory=dict)


@dataclass(frozen=True)
class Begun:
    """What is known of a run when it begins.

    Attributes:
        photos: the number of photos.
        output: the output folder.
    """

    photos: int
    output: Location


class Engine(Protocol):
    """Processes the photos. Closing its generator stops the work."""

    def run(
        self, tasks: Iterable[Task], record: Record, stop: Stop
    ) -> Generator[Entry, None, None]:
        """Yield every photo's entry once, as it finishes and after ``record`` has recorded it.

        After a request to ``stop`` no further photo begins.

        Raises:
            OutputError, WeightsError, UsageError, ClusterError: an error that every photo would
                meet, after the photos in progress are finished.
        """

    def facts(self) -> Facts:
        """Return the facts about the workers so far."""


def refuse_vain(settings: Settings, batch: BatchSettings, classes: Sequence[str]) -> None:
    """Refuse a call that names nothing to remove, or chooses where it cannot."""
    if not classes and batch.masks is None:
        raise UsageError(
            "name what to remove: --class person, in Python classes='person'; or give masks: "
            "--masks, in Python masks="
        )
    if batch.masks is not None and settings.chooses:
        raise UsageError(
            "--keep, --min-size and --max-size choose among objects that --class finds; --masks "
            "says itself what goes: leave out one of the two"
        )
    if batch.masks is None and settings.keep in ("main", "faces") and "person" not in classes:
        raise UsageError(
            f"--keep {settings.keep} chooses among people, and without --class person nobody is "
            "found: add that class, or leave --keep out"
        )
    if batch.add and settings.chooses:
        raise UsageError(
            "--keep, --min-size and --max-size choose among all objects of a photo, and --add sees "
            "only those of the new classes: name all classes, and give --overwrite instead of --add"
        )


def remove_folder(
    inputs: AnyPath | Iterable[AnyPath],
    settings: Settings | None = None,
    batch: BatchSettings | None = None,
    *,
    classes: str | Iterable[str] | None = None,
    output: AnyPath | None = None,
    listed: AnyPath | Iterable[AnyPath] = (),
    command: str = "",
    settings_from: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Callable[[int, Entry | None], None] | None = None,
    stop: Stop | None = None,
    **options: Unpack[FolderOptions],
) -> FolderResult:
    """Clean files and folders into an output folder, and write the reports there.

    The reports are ``report.json``, ``report.csv`` and ``report.html``. The command
    ``remove-objects`` calls this function.

    Args:
        inputs: local or remote files and folders, or a single one, as paths or text; folders are
            searched recursively.
        settings: the settings of the picture.
        batch: the settings of the folder.
        classes: the class to remove, or several, as in ``batch``, whose classes they replace.
        output: the output folder, likewise.
        listed: further files and folders, such as those of a list; one that is missing becomes a
            failed entry, where a missing one of ``inputs`` raises.
        command: the command line, which the report quotes.
        settings_from: options that settings files set, by the files' addresses, for the report.
        progress: called with (number of photos, None) at the start and with (number, entry) after
            each photo.
        stop: a request ends the run once the photos in progress are finished.
        options: any fields of ``Settings`` and ``BatchSettings``, which they replace.

    Returns:
        The report. A photo that fails is an entry with status ``failed`` and does not end the run.
        ``stopped`` says why photos are missing from the report: a stop was requested, or the disk
        is full. The same call resumes the run.

    Raises:
        UsageError: the call cannot work, or another run writes into the output folder; raised
            before any work.
        WeightsError: a network that the settings name is unavailable.
        OutputError: the disk is full and has no room for the report.
        TypeError: there is no option of that name.
    """
    if progress is not None and not callable(progress):
        raise UsageError(
            f"progress takes a function of (number of photos, entry or None); got {shown(progress)}"
        )
    if stop is not None and not isinstance(stop, Stop):
        raise UsageError(f"stop is for the command line; leave it out; got {shown(stop)}")
    call = Call.of(
        "remove_folder()",
        inputs,
        settings,
        batch,
        classes=classes,
        output=output,
        listed=listed,
        command=command,
        settings_from=settings_from,
        options=options,
    )
    return clean_folder(call, progress, stop or Stop())


def clean_folder(
    call: Call,
    progress: Callable[[int, Entry | None], None] | None,
    stop: Stop,
    one_of_many: Round | None = None,
) -> FolderResult:
    """As ``remove_folder``; ``one_of_many`` is what the rounds of a watch share."""
    steps = run_steps(call, progress, stop, one_of_many)
    with stop_on_first_interrupt(stop):
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: FolderResult = end.value
                return result


def run_steps(
    call: Call,
    progress: Callable[[int, Entry | None], None] | None,
    stop: Stop,
    one_of_many: Round | None = None,
) -> Generator[Begun | Entry, None, FolderResult]:
    """As ``clean_folder``, step by step.

    To end it early, request the stop and take the remaining steps.

    Yields:
        What has begun, once all is planned and the output folder is locked, and then each photo's
        entry.
    """
    settings, batch = call.settings, call.batch
    known = settings.known_classes
    classes = resolve_classes(batch.classes, known)
    refuse_vain(settings, batch, classes)
    begun = time.monotonic()
    picks = load_picks(batch.picks, classes, known)
    plan, journal = _plan(call, one_of_many)
    idle = idle_picks(picks, plan)
    if batch.masks is not None and any(p.own_mask == batch.masks for p in plan.photos):
        own_masks.refuse_bad_file(batch.masks, batch.max_pixels)
    output = open_output(plan.output, overwrite=batch.overwrite)
    engine = _engine(settings, batch, classes, output, one_of_many)
    entries: list[Entry] = []

    def on_result(entry: Entry) -> None:
        entries.append(entry)
        log.info("%s", printable(_line(entry)))
        if progress:
            progress(len(plan.photos), entry)

    with output.hold(_output_names(plan)):
        _refuse_changed(journal, output)
        series = SeriesFinder(plan.photos, batch, stop) if batch.uses_series else None
        ledger = Ledger(plan.output, output, settings, batch, classes, journal, picks, series)
        decided = ledger.decide([photo for photo in plan.photos if not photo.missing])
        decided.entries += _missing_entries(plan)
        if one_of_many is not None:
            one_of_many.tasks.update((task.name, task.source) for task in decided.tasks)
        of_options = (
            memory_note(batch, len(decided.tasks)),
            _classes_note(batch, classes),
            picks and picks.differences(settings),
        )
        known_before = [note for note in of_options if note]
        for note in (*plan.told, *known_before, *decided.notes):
            log.warning("%s", printable(note))
        if progress:
            progress(len(plan.photos), None)
        log.info(
            "%d photos, %d of them to clean; results in %s",
            len(plan.photos),
            len(decided.tasks),
            printable(str(plan.output)),
        )
        kept_before = output.kept()
        yield Begun(len(plan.photos), plan.output)
        stopped = yield from _process(decided, ledger, engine, on_result, stop)
        entries[:] = _entries_of_lasting_results(entries, output)
        failed_before = () if one_of_many is None else one_of_many.failed
        told = {str(photo.relative) for photo in plan.photos}
        told |= {entry["input"] for entry in failed_before}
        others = [*earlier_entries(ledger.journal, output.standing(), told), *failed_before]
        facts = ledger.facts(engine.facts(), worked=bool(decided.tasks))
        foreign_reports = _keep_foreign_reports(output, stopped, preview=batch.preview)
        kept = _kept_notes(output, kept_before)
        notes = [*_metadata_notes(settings), *plan.notes, *known_before]
        of_picks = _picks_notes(picks, idle, facts, entries)
        of_files = [*_photo_notes(entries), *of_picks, *foreign_reports, *kept]
        warnings = [*notes, *decided.notes, *facts.warnings, *of_files]
        if stopped:
            stopped += (
                f" after {len(entries)} of {len(plan.photos)} photos; "
                "the same command resumes from here"
            )
            warnings.append(stopped)
        run: RunEntry = {
            "version": __version__,
            "command": call.command,
            "inputs": [_shown_input(given) for given in (*call.inputs, *call.listed)],
            "settings": _shown_settings(settings, batch, classes),
            "weights": facts.weights,
            "device": facts.device,
            "seconds": round(time.monotonic() - begun, 3),
            "warnings": warnings,
        }
        if call.settings_from:
            run["settings_from"] = {file: dict(said) for file, said in call.settings_from.items()}
        with _ending_the_run(stopped):
            planned = {str(photo.relative): photo.key for photo in plan.photos}
            sources = source_of_each(ledger.journal.rows) | planned
            pages = None if one_of_many is None else one_of_many.pages
            report = output.report(run, [*entries, *others], sources, pages)
            preview = output.preview(run, entries) if batch.preview else None
        if not stopped and one_of_many is None:
            ledger.finish()
    told_counts = counted(Counter(entry["status"] for entry in entries)) or "no photo"
    log.info("%s in %.1f s; report: %s", told_counts, run["seconds"], printable(str(report)))
    return FolderResult(report, run, entries, warnings, stopped, others, preview)


def finish_rounds(folder: Path) -> None:
    """Record that the rounds over an output folder ended by themselves.

    Raises:
        OutputError: the journal cannot be written.
        UsageError: another run or board writes there.
    """
    output = LocalOutput(folder)
    with output.hold([]):
        journal = output.journal()
        journal.finish()
        output.remove_redundant_claims(journal.rows)


def _plan(call: Call, one_of_many: Round | None) -> tuple[Plan, Journal]:
    """Plan the run; returns the plan and the output folder's journal, which it relies on."""
    settings, batch = call.settings, call.batch
    _refuse_missing_folder(batch.truth, "ground truth")
    journals: list[Journal] = []

    def known(folder: Location) -> KnownPhotos:
        output = open_output(folder)
        journal = output.journal()
        journals.append(journal)
        return KnownPhotos.of(journal.rows, output.left_claims())

    plan = plan_run(
        call.inputs,
        batch.output,
        listed=call.listed,
        exclude=[] if batch.truth is None else [batch.truth],
        masks=batch.masks,
        patterns=batch.exclude,
        lossless=settings.lossless,
        raw_output=settings.raw_output,
        known=known,
        wanted=None if one_of_many is None else one_of_many.wanted,
    )
    return plan, journals[0]


def _missing_entries(plan: Plan) -> list[Entry]:
    """Return failed entries for the photos of a list that do not exist."""
    return [
        failed_entry(str(photo.relative), f"{photo.source}: {photo.missing}; it is in the list")
        for photo in plan.photos
        if photo.missing
    ]


def _refuse_changed(journal: Journal, output: Output) -> None:
    """Refuse a plan that relies on a journal that another run has written since."""
    if journal.has_changed():
        raise UsageError(
            f"{output}: another run wrote there since this one began; run the same command again"
        )


def _line(entry: Entry) -> str:
    """Return what the log says of a finished photo."""
    told = told_of(entry)
    return f"{entry['input']}: {Status(entry['status']).words}{told and f', {told}'}"


def _photo_notes(entries: Sequence[Entry]) -> list[str]:
    """Return, and log, sentences about what the entries of several photos say alike."""
    notes = [*own_masks.told_of(entries), *_dropped_notes(entries)]
    for note in notes:
        log_of_photos.warning("%s", printable(note))
    return notes


def _dropped_notes(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield a sentence about the metadata that this run dropped, the commonest first."""
    names: Counter[str] = Counter()
    photos = 0
    for entry in entries:
        dropped = [w.removeprefix(DROPPED) for w in entry["warnings"] if w.startswith(DROPPED)]
        if dropped and entry["status"] != Status.SKIPPED.value:
            photos += 1
            names.update(name for text in dropped for name in text.split(" and ")[0].split(", "))
    if photos:
        shown = ", ".join(name for name, _ in names.most_common(_NAMES))
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        whose = "a photo" if photos == 1 else f"{photos} photos"
        yield (
            f"metadata of {whose} were dropped, because they may still show what was removed: "
            f"{shown}{more} (--keep-metadata all keeps them)"
        )


def _kept_notes(output: Output, before: tuple[int, int]) -> list[str]:
    """Return a sentence about the replaced files that are kept, if there are any.

    It is logged too if this run kept further ones: ``before`` is what was kept when it began.
    """
    count, size = output.kept()
    if not count:
        return []
    note = (
        f"{count} replaced {'file is' if count == 1 else 'files are'} kept in "
        f"{output}/{REPLACED} ({size / 1e6:.1f} MB): delete the folder when you need none of them"
    )
    if (count, size) != before:
        log.warning("%s", note)
    return [note]


def _classes_note(batch: BatchSettings, classes: Sequence[str]) -> str | None:
    """Say what the classes are for beside the user's own masks; None without one of the two."""
    if batch.masks is None or not classes:
        return None
    return (
        "the masks alone say what is removed: --class only measures whether the class is still "
        "seen there; to remove both, clean with --masks, then with --class and --add"
    )


def _metadata_notes(settings: Settings) -> list[str]:
    """Return what somebody must know who keeps all metadata, if it is so."""
    if settings.keep_metadata != "all":
        return []
    note = (
        "with --keep-metadata all a picture of what was removed may survive in metadata that "
        "this program does not know (maker notes, private tags, texts): "
        "look at the files before you hand them on"
    )
    log.warning("%s", note)
    return [note]


def _picks_notes(
    picks: Picks | None, idle: Sequence[str], facts: Facts, entries: Sequence[Entry]
) -> list[str]:
    """Return, and log, what is to be known of the picks when the run ends."""
    if picks is None:
        return []
    notes = [picks.other_weights(facts.weights), unfit_note(picks, entries)]
    if idle:
        whose = "1 photo that is" if len(idle) == 1 else f"{len(idle)} photos that are"
        notes.append(f"{picks.shown}: has picks of {whose} not here: {some(idle)}")
    notes = [note for note in notes if note]
    for note in notes:
        log.warning("%s", printable(note))
    return notes


def _keep_foreign_reports(output: Output, stopped: str | None, *, preview: bool) -> list[str]:
    """Keep files that are no reports where reports go; returns a sentence about each."""
    with _ending_the_run(stopped):
        notes = output.keep_foreign_reports((*REPORTS, *([PREVIEW_PAGE] if preview else [])))
    for note in notes:
        log.warning("%s", printable(note))
    return notes


@contextmanager
def _ending_the_run(stopped: str | None) -> Iterator[None]:
    """Let an error of the report's files end the run; ``stopped``: why it ended before."""
    try:
        yield
    except (UnreadableError, UnwritableError) as error:
        raise OutputError(f"{stopped}; {error}" if stopped else str(error)) from error


def _entries_of_lasting_results(entries: Iterable[Entry], output: Output) -> list[Entry]:
    """Return the entries, with a failed one for each result that was removed during the run."""
    standing = output.standing()
    return [
        entry
        if entry["output"] is None or standing.exists(PurePosixPath(entry["output"]))
        else failed_entry(
            entry["input"],
            f"{output}/{entry['output']}: was removed before the run ended; "
            "run the same command again",
        )
        for entry in entries
    ]


def open_output(folder: Location, *, overwrite: bool = False) -> Output:
    """Return the output folder, local or remote."""
    return (
        RemoteOutput(folder, overwrite=overwrite)
        if isinstance(folder, RemotePath)
        else LocalOutput(folder, overwrite=overwrite)
    )


def _process(
    decided: Decided,
    ledger: Ledger,
    engine: Engine,
    on_result: Callable[[Entry], None],
    stop: Stop,
) -> Generator[Entry, None, str | None]:
    """Process the photos that are left to do.

    Yields:
        Every photo's entry, after ``on_result`` was called with it.

    Returns:
        Why the work ended early, or None.
    """
    for entry in decided.entries:
        on_result(entry)
        yield entry
    remaining, process = len(decided.tasks), os.getpid()
    try:
        with closing(
            engine.run(decided.tasks, lambda row: ledger.add(row, engine.facts()), stop)
        ) as entries:
            for entry in entries:
                on_result(entry)
                remaining -= 1
                yield entry
    except OutputError as error:
        return f"stopped ({error})"
    except KeyboardInterrupt:  # the second Ctrl-C, or of a caller's own handler
        stop.request()
    finally:
        if os.getpid() == process:  # a fork that ends writes nothing
            ledger.flush()
    return stop.why if stop() and remaining else None


def _engine(
    settings: Settings,
    batch: BatchSettings,
    classes: tuple[str, ...],
    output: Output,
    one_of_many: Round | None,
) -> Engine:
    if batch.engine == "ray":
        from .engines.ray_actors import RayActors

        return RayActors(settings, batch, classes, output)
    remover = ObjectRemover(settings) if one_of_many is None else one_of_many.remover
    return Threads(Worker(remover, batch, classes, output), batch.workers)


def _output_names(plan: Plan) -> Iterator[PurePosixPath]:
    """Yield the names that the run may write in its output folder."""
    for photo in plan.photos:
        yield relative_name(plan.output, photo.target)
        yield relative_name(plan.output, photo.mask_target)
        yield layers_name(photo.mask_name)


def _shown_input(given: Location) -> str:
    """Return an input as the report records it: an absolute path, or an address without secrets."""
    return str(given if isinstance(given, RemotePath) else given.absolute())


def _shown_settings(
    settings: Settings, batch: BatchSettings, classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the settings as the report records them."""
    of_folder = {key: value for key, value in asdict(batch).items() if key not in _FOLDERS}
    exclude = list(batch.exclude)
    return {**settings.recorded(), **of_folder, "exclude": exclude, "classes": list(classes)}


def _refuse_missing_folder(folder: Location | None, what: str) -> None:
    if folder is not None and not (folder.is_dir() if isinstance(folder, Path) else folder.files()):
        raise UsageError(f"{folder}: no such folder of {what}")
