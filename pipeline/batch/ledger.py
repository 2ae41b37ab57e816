"""What is left to do: the journal's rows against the current photos, results and settings.

A finished result is never replaced unless the user says so (``--overwrite``, ``--add``) or its
photo has changed. Everything is decided before any work starts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..config import Settings
from ..errors import UsageError, WeightsError
from ..images.suffixes import added_suffix, result_names
from ..report import previews
from ..segmenter_names import digest_of
from ..storage.layout import JOURNAL_NAME, PREVIEWS, REPLACED
from ..storage.location import (
    Location,
    RemotePath,
    is_same_file,
    location_stamp,
)
from ..storage.stamp import Stamp, fingerprint
from ..system.atomic import is_file
from ..system.text import some
from ..types import Status
from . import made_with as made
from .earlier import as_earlier, is_result_of, with_present_mask
from .names import layers_name
from .output.claims import LeftClaim, foreign_file, is_by_a_person, recover
from .output.protocol import Output
from .scan import PlannedPhoto
from .series import SeriesFinder
from .series_photos import Neighbour
from .settings import BatchSettings
from .worker import Facts, Task, failed_entry

if TYPE_CHECKING:
    from ..report.picks import Picks
    from ..report.schema import Entry
    from .journal import Journal, JournalRow, WorkerFacts

#: Names the code that makes pictures. Raise it when the same settings and weights give other
#: pictures: a run then says which results are of another version.
PICTURES_VERSION = "0.2.0"
#: What rows of version 0.1.0 are identified by: its pictures, and the settings that it knew.
_FIRST_PICTURES = "0.1.0"
_FIRST_SETTINGS = frozenset(
    (
        *("segmenter", "threshold", "dilate", "route", "detail", "device", "probe", "lossless"),
        *("offline", "compare", "prefilter", "strip_metadata"),
    )
)

#: A sentence about one photo, and about several.
_Note: TypeAlias = tuple[str, str]

_CHANGED_PHOTO = (
    "{count} photo changed since its result was made: it is cleaned again, and the earlier result "
    "is kept in {kept}",
    "{count} photos changed since their results were made: they are cleaned again, and the earlier "
    "results are kept in {kept}",
)
_CHANGED_MASK = (
    "{count} photo has another mask than its result was made with: it is cleaned again, and the "
    "earlier result is kept in {kept}",
    "{count} photos have other masks than their results were made with: they are cleaned again, "
    "and the earlier results are kept in {kept}",
)
_CHANGED_PICKS = (
    "{count} photo has other picks than its result was made with: it is cleaned again, and the "
    "earlier result is kept in {kept}",
    "{count} photos have other picks than their results were made with: they are cleaned again, "
    "and the earlier results are kept in {kept}",
)
_CHANGED_SERIES = (
    "{count} photo was filled from others of its series that changed since, or are more or fewer "
    "now: it is cleaned again, and the earlier result is kept in {kept}",
    "{count} photos were filled from others of their series that changed since, or are more or "
    "fewer now: they are cleaned again, and the earlier results are kept in {kept}",
)
_CHANGED_WEIGHTS = (
    "{count} photo was cleaned with another file of --weights or --segmenter: it is cleaned again, "
    "and the earlier result is kept in {kept}",
    "{count} photos were cleaned with other files of --weights or --segmenter: they are cleaned "
    "again, and the earlier results are kept in {kept}",
)
_OTHER_VERSION = (
    "{count} result of another version of the program, or of other weights, stays; --overwrite "
    "cleans its photo anew",
    "{count} results of another version of the program, or of other weights, stay; --overwrite "
    "cleans their photos anew",
)


@dataclass(frozen=True, slots=True)
class _Conflict:
    """A result that was made with other settings.

    Attributes:
        name: the photo's name.
        earlier: the settings that differ, with their earlier values; empty if they are unknown.
    """

    name: str
    earlier: dict[str, Any]


@dataclass
class Decided:
    """What a run does with its photos.

    Attributes:
        tasks: the photos to process.
        entries: entries of photos that are not processed: finished, or refused.
        notes: sentences for the user about results that are replaced, or stay.
    """

    tasks: list[Task] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Ledger:
    """One run's view of the journal.

    The engine is not part of what a photo was made with, so any engine resumes another's run.
    """

    def __init__(
        self,
        folder: Location,
        output: Output,
        settings: Settings,
        batch: BatchSettings,
        classes: tuple[str, ...],
        journal: Journal | None = None,
        picks: Picks | None = None,
        series: SeriesFinder | None = None,
    ) -> None:
        self.folder, self.output, self.batch = folder, output, batch
        self._picks = {} if picks is None else picks.photos
        self._series = series
        self._photos: dict[str, PlannedPhoto] = {}
        self.journal = output.journal() if journal is None else journal
        if isinstance(folder, Path):
            recover(folder, self.journal)
        self._last_facts: WorkerFacts | None = None
        self._standing = output.standing()
        self._claims = {claim.photo: claim for claim in output.left_claims()}
        self._find_truth = _finder(batch.truth)
        self._settings, weights = settings, _weights_index()
        self._made_with = made.made_with(
            settings,
            batch,
            classes,
            pictures=PICTURES_VERSION,
            weights=fingerprint(weights),
            models=_own_models(settings),
        )
        self._made_with_name = made.name_of(self._made_with)
        self._identity = fingerprint(
            _FIRST_PICTURES,
            _as_first_version(settings),
            classes,
            batch.save_masks,
            batch.dry_run,
            batch.masks is not None,
            weights,
        )
        self._notes: Counter[_Note] = Counter()
        self._behind_links: list[str] = []

    def decide(self, photos: Sequence[PlannedPhoto]) -> Decided:
        """Decide what happens to every photo.

        Raises:
            UsageError: earlier results were made with other settings.
        """
        decided, conflicts = Decided(), []
        self._photos = {str(photo.relative): photo for photo in photos}
        for photo in photos:
            decision = self._decide(self._task(photo))
            if isinstance(decision, Task):
                decision = self._refused_by_link(decision) or decision
            if isinstance(decision, Task):
                decided.tasks.append(replace(decision, neighbours=self._neighbours(photo)))
            elif isinstance(decision, _Conflict):
                conflicts.append(decision)
            else:
                decided.entries.append(decision)
        is_unknown = any(not conflict.earlier for conflict in conflicts)
        if conflicts:
            damage = self._damage_notes(in_the_way=is_unknown)
            raise UsageError(". ".join([self._conflict_message(conflicts), *damage]))
        refused = [
            entry
            for entry in decided.entries
            if entry["status"] == Status.FAILED.value and entry["input"] not in self._behind_links
        ]
        in_the_way = any(entry["output"] is None for entry in refused)
        damage = self._damage_notes(in_the_way=in_the_way)
        decided.notes += _refusal_notes(refused, self.folder, sure=not damage)
        decided.notes += damage
        decided.notes += _link_notes(self._behind_links, self.folder)
        kept = self.folder / REPLACED
        decided.notes += [
            (one if count == 1 else many).format(count=count, kept=kept)
            for (one, many), count in self._notes.items()
        ]
        return decided

    def add(self, row: JournalRow, facts: Facts) -> Entry:
        """Record a finished photo, with the worker's facts if they are new; returns its entry.

        A failure, or a dry run, does not make the journal forget a result that still stands.
        """
        current: WorkerFacts = {
            "weights": facts.weights,
            "warnings": list(facts.warnings),
            "device": facts.device,
        }
        if current != self._last_facts:
            self._last_facts, row = current, {**row, "facts": current}
        if self.batch.dry_run and row["input"] in self._claims:
            return row["entry"]  # else the journal would forget what only the claim knows
        before, entry = self._untouched_result(row), row["entry"]
        if before is None:
            self._release(self.journal.add(row))
            return entry
        if self.batch.preview and entry["status"] != Status.FAILED.value:
            return as_earlier(with_present_mask(before["entry"], self._standing))
        beside = {key: row.get(key) for key in ("mask_written", "layers_written")}
        if any(before.get(key) != recorded for key, recorded in beside.items()):
            self.journal.update(cast("JournalRow", {**before, **beside}))
        return _naming_result(entry, before)

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

    def _decide(self, task: Task) -> Task | Entry | _Conflict:
        """Decide what happens to one photo."""
        if (owner := self._other_owner(task)) is not None:
            return self._of_another_photo(task, owner["input"])
        row = self._standing_row(task)
        if row is not None and self.batch.preview:
            return task  # it touches nothing of the result
        return self._without_result(task) if row is None else self._with_result(task, row)

    def _standing_row(self, task: Task) -> JournalRow | None:
        """Return a photo's row if the result that it records stands as the row knows it."""
        row = task.row
        output = None if row is None else row["entry"]["output"]
        if row is None or output is None or not is_result_of(task.name, output):
            return None
        stands = self._standing.is_unchanged(PurePosixPath(output), row.get("written"))
        return row if stands else None

    def _refused_by_link(self, task: Task) -> Entry | None:
        """Return the failed entry of a photo if a link has the place of its result or its mask."""
        if self.batch.dry_run:
            return None
        places = [PurePosixPath(place) for place in self._places(task)]
        if self.batch.save_masks:
            places += [task.mask_target, layers_name(task.mask_target)]
        message = next(filter(None, map(self._standing.link, places)), None)
        if message is None:
            return None
        self._behind_links.append(task.name)
        failed, row = failed_entry(task.name, message), self._standing_row(task)
        return failed if row is None else _naming_result(failed, row)

    def _places(self, task: Task) -> list[str]:
        """Return the names that a photo's result may get."""
        places = str(task.target), f"{task.target}{self._ending(task)}"
        return list(dict.fromkeys(places))

    def _other_owner(self, task: Task) -> JournalRow | None:
        """Return the row of another photo whose result stands where this one's would go.

        With ``--lossless``, the result of ``a.jpg`` has the name of the photo ``a.jpg.png``, and
        that of a RAW ``a.dng`` the name of ``a.dng.tif``.
        """
        for place in self._places(task):
            without = str(PurePosixPath(place).with_suffix(""))
            owners = {place, without} if place in result_names(without) else {place}
            for name in owners - {task.name}:
                row = self.journal.rows.get(name)
                if (
                    row is not None
                    and row["entry"]["output"] == place
                    and self._standing.is_unchanged(PurePosixPath(place), row.get("written"))
                ):
                    return row
        return None

    def _ending(self, task: Task) -> str:
        """Return what the name of a changed photo's result has behind the photo's."""
        return added_suffix(
            task.target.name,
            lossless=self._settings.lossless,
            raw_output=self._settings.raw_output,
        )

    def _of_another_photo(self, task: Task, owner: str) -> Entry:
        """Return the entry of a photo whose result would replace another photo's."""
        return failed_entry(
            task.name,
            f"{self.output}/{task.target}: is the result of another photo, {owner}; rename one of "
            "them, or name another folder with --output",
        )

    def _without_result(self, task: Task) -> Task | Entry | _Conflict:
        """Decide about a photo of which no result that the journal knows stands."""
        if self.batch.dry_run:
            entry = self._finished_dry(task)
            return task if entry is None else entry
        claim = self._claims.get(task.name)
        if claim is not None and is_result_of(task.name, str(claim.name)):
            return self._with_claimed_result(task, claim)
        decided_later = bool(self._ending(task))
        if not self.batch.overwrite and not decided_later and self._standing.exists(task.target):
            place = f"{self.output}/{task.target}"
            is_known = task.name not in self.journal.lacking
            foreign = failed_entry(task.name, foreign_file(place, is_known=is_known))
            return self._refused_by_link(task) or foreign
        return task

    def _with_claimed_result(self, task: Task, claim: LeftClaim) -> Task | Entry | _Conflict:
        """Decide about a photo whose result a killed run finished but did not record.

        Classes can be added only to a result whose entry is known, so to the one before.
        """
        row, source = task.row, claim.row.get("source", task.key)
        if source != task.key and not is_same_file(task.source, claim.row.get("source_mark")):
            return self._of_another_photo(task, source)
        if (
            self.batch.add
            and row is not None
            and row["entry"]["output"] == str(claim.name)
            and self.output.put_back(claim.name, row, claim.row)
        ):
            return self._with_result(task, row)
        earlier = claim.row.get("settings") or {}
        differing = self._differences(earlier, claim.row)
        if differing and not self.batch.overwrite:
            return _Conflict(task.name, differing)
        return task

    def _with_result(self, task: Task, row: JournalRow) -> Task | Entry | _Conflict:
        """Decide about a photo whose result stands as the journal knows it."""
        if self.batch.overwrite:
            return task
        if "source_mark" not in row:
            return self._with_old_result(task, row)
        if not is_same_file(task.source, row["source_mark"]):
            if _is_of_another_photo(task, row):
                failed = self._of_another_photo(task, str(row.get("source")))
                return _naming_result(failed, row)
            return self._with_changed_photo(task, row, _CHANGED_PHOTO)
        return self._with_same_photo(task, row)

    def _with_same_photo(self, task: Task, row: JournalRow) -> Task | Entry | _Conflict:
        """Decide about a photo that is as it was when its result was made."""
        earlier = self._earlier_settings(row)
        if earlier is None:
            return _Conflict(task.name, {})
        differing = self._differences(earlier, row, add=self.batch.add)
        if differing:
            return _Conflict(task.name, differing)
        if self.batch.add:
            return self._with_added_classes(task, row, earlier)
        if not is_by_a_person(row) and made.of_other_files(earlier, self._made_with):
            return self._with_changed_photo(task, row, _CHANGED_WEIGHTS)
        mask, truth = _pair(row.get("given_marks"))
        if task.mask_changed(mask):
            return self._with_changed_photo(task, row, _CHANGED_MASK)
        if task.picks_changed(row.get("picks")):
            return self._with_changed_photo(task, row, _CHANGED_PICKS)
        if not is_by_a_person(row) and self._series_changed(task, row):
            return self._with_changed_photo(task, row, _CHANGED_SERIES)
        if not is_by_a_person(row) and self._reports_more(task, row, earlier, truth):
            return task
        if made.is_of_another_version(earlier, self._made_with):
            self._notes[_OTHER_VERSION] += 1
        return self._finished(task, row)

    def _differences(
        self, earlier: made.MadeWith, row: Mapping[str, Any], *, add: bool = False
    ) -> dict[str, Any]:
        """Return the settings that keep the run from taking a row's result for its own."""
        differing = made.differences(earlier, self._made_with, add=add)
        if not add and made.of_other_files(earlier, self._made_with):
            differing.pop(made.OWN_WEIGHTS)
        if self.batch.series == "off" and "borrowed" not in row:
            differing.pop("series", None)  # no other photo was used, as this run wants it
        return differing

    def _neighbours(self, photo: PlannedPhoto) -> tuple[Neighbour, ...]:
        return () if self._series is None else self._series.neighbours(photo)

    def _series_changed(self, task: Task, row: JournalRow) -> bool:
        """Whether photos that a result was filled from changed or are gone, or others came.

        So it is with their own masks, though one that is missing now changes nothing. A photo that
        is not among this run's photos is gone only if its file is: photos of a series lie in one
        folder, so it is asked for there, wherever the folder is now. A run that fills nothing, and
        so looks for no series, does not know of others that came.
        """
        borrowed = row.get("borrowed")
        if not borrowed:
            return False
        known = {*row.get("neighbours", ()), *borrowed}
        folder = self._photos[task.name].source.parent
        for name, (_, mark, own_mask) in borrowed.items():
            planned = self._photos.get(name)
            if planned is None:
                # An address with a query has no folder: nothing else can be asked for beside it.
                if folder and location_stamp(folder / PurePosixPath(name).name) is None:
                    return True
            elif not is_same_file(planned.source, mark) or (
                planned.own_mask is not None and not is_same_file(planned.own_mask, own_mask)
            ):
                return True
        return any(each.name not in known for each in self._neighbours(self._photos[task.name]))

    def _with_changed_photo(self, task: Task, row: JournalRow, note: _Note) -> Task | Entry:
        """Decide about a photo that changed, or got another mask, since its result was made."""
        if self.batch.add or is_by_a_person(row):
            changed = "was picked otherwise" if note == _CHANGED_PICKS else "changed"
            what = (
                "changed since its result was made, so no class can be added to that; the result "
                "stays. Use --overwrite, with all its classes, to clean the photo anew"
                if self.batch.add
                else f"{changed} since its result was saved at the mask board; the result stays. "
                "Use --overwrite to clean the photo anew, or open it at the board"
            )
            failed = failed_entry(task.name, f"{task.source}: {what}")
            return _naming_result(failed, row)
        self._notes[note] += 1
        return task

    def _with_added_classes(
        self, task: Task, row: JournalRow, earlier: made.MadeWith
    ) -> Task | Entry:
        """Decide about a photo from whose result more classes are removed."""
        classes = made.classes_to_add(earlier, self._made_with)
        if not classes:
            return self._finished(task, row)
        stays = [one for one in row["entry"].get("objects") or [] if not one["removed"]]
        if stays:
            who = some([f"{one['class']} {one['number']}" for one in stays])
            failed = failed_entry(
                task.name,
                f"{task.source}: its result keeps {who}, and --add, which sees the new classes "
                "alone, could take a part of it; the result stays. Use --overwrite, with all "
                "classes and the picks, to clean the photo anew",
            )
            return _naming_result(failed, row)
        return task.adding(classes, made.with_added(earlier, classes))

    def _with_old_result(self, task: Task, row: JournalRow) -> Task | Entry | _Conflict:
        """Decide about a result of version 0.1.0, whose row knows only a hash of everything."""
        stamps = [None if f is None else location_stamp(f) for f in task.inputs]
        if self.batch.add or row.get("identity") != fingerprint(self._identity, *stamps):
            return _Conflict(task.name, {})
        if task.picks is not None:
            return self._with_changed_photo(task, row, _CHANGED_PICKS)
        mask = row["entry"]["mask"]
        if self.batch.save_masks and mask and not self._standing.exists(PurePosixPath(mask)):
            return task
        return self._finished(task, row)

    def _reports_more(
        self, task: Task, row: JournalRow, earlier: made.MadeWith, truth: Stamp | None
    ) -> bool:
        """Whether the report, or the files beside the result, lack what this run is asked for."""
        mask = row["entry"]["mask"]
        saved = [] if mask is None else [PurePosixPath(mask)]
        if mask is not None and row.get("layers_written") is not None:
            saved.append(layers_name(PurePosixPath(mask)))
        is_lost = not all(map(self._standing.exists, saved))
        return (
            made.reports_more(earlier, self._made_with)
            or (self.batch.save_masks and is_lost)
            or (task.truth is not None and not is_same_file(task.truth, truth))
        )

    def _finished_dry(self, task: Task) -> Entry | None:
        """Return the entry of an earlier dry run, if it says what this one would."""
        row = task.row
        if (
            row is None
            or row["entry"]["output"] is not None
            or row["entry"]["status"] == Status.FAILED.value
            or not is_same_file(task.source, row.get("source_mark"))
            or task.mask_changed(_pair(row.get("given_marks"))[0])
            or task.picks_changed(row.get("picks"))
        ):
            return None
        earlier = self._earlier_settings(row)
        if self.batch.preview and not self._shows(task, earlier):
            return None
        if earlier is None or made.differences(earlier, self._made_with):
            return None
        if self._reports_more(task, row, earlier, _pair(row.get("given_marks"))[1]):
            return None
        return self._finished(task, row)

    def _shows(self, task: Task, earlier: made.MadeWith | None) -> bool:
        """Whether the page of picks can show a photo by what an earlier dry run left."""
        if self.batch.overwrite or not (earlier or {}).get("preview"):
            return False
        files = [previews.place(Path(), task.name, kind) for kind in previews.CHOICE_KINDS]
        return all(self._standing.exists(PurePosixPath(PREVIEWS, file.name)) for file in files)

    def _earlier_settings(self, row: JournalRow) -> made.MadeWith | None:
        """Return the settings of an earlier result; None if the journal lost them."""
        name = row.get("made_with", "")
        if name == self._made_with_name:
            return self._made_with
        return self.journal.settings.get(name)

    def _finished(self, task: Task, row: JournalRow) -> Entry:
        """Return the entry of a finished photo, and note where the photo lies now."""
        entry = with_present_mask(row["entry"], self._standing)
        # A run that resumes an interrupted one tells of its photos as one undisturbed run would;
        # what a person decided meanwhile is no work of either.
        was_earlier = task.name in self.journal.earlier or bool(entry.get("reviewed"))
        if "source" in row and row["source"] != task.key:
            self.journal.update({**row, "source": task.key})
        return as_earlier(entry) if was_earlier else entry

    def _untouched_result(self, row: JournalRow) -> JournalRow | None:
        """Return the earlier row whose result still stands, if the new row has no result."""
        before = self.journal.rows.get(row["input"])
        if (
            before is None
            or before["entry"]["output"] is None
            or row["entry"]["output"] is not None
            or before.get("written") != row.get("written")
            or not self._standing.is_unchanged(
                PurePosixPath(before["entry"]["output"]), before.get("written")
            )
        ):
            return None
        return before

    def _release(self, photos: Iterable[str]) -> None:
        """Release the claims of photos that did not fail.

        After a failure only the claim may know the file that an earlier attempt wrote.
        """
        self.output.release(
            [p for p in photos if self.journal.rows[p]["entry"]["status"] != Status.FAILED.value]
        )

    def _task(self, photo: PlannedPhoto) -> Task:
        name, truths = str(photo.relative), self.batch.truth
        return Task(
            name=name,
            key=photo.key,
            made_with=self._made_with,
            source=photo.source,
            mask=photo.own_mask,
            truth=None if truths is None else self._find_truth(photo.truth_candidates(truths)),
            target=photo.relative,
            mask_target=photo.mask_name,
            row=self.journal.rows.get(name),
            picks=self._picks.get(name),
        )

    def _damage_notes(self, *, in_the_way: bool) -> list[str]:
        """Return a sentence about damaged rows of the journal, if there are any.

        A crash may cut a line short, whose result a claim still knows. So such lines count only if
        results are ``in_the_way`` that the journal does not know.
        """
        journal = self.journal
        count = journal.unread + len(journal.lacking) + (journal.cut if in_the_way else 0)
        if not count or not (in_the_way or journal.lacking):
            return []
        rows = "1 row cannot be read or lacks parts"
        if count > 1:
            rows = f"{count} rows cannot be read or lack parts"
        return [
            f"{self.folder / JOURNAL_NAME}: {rows}, so results that they described may count as "
            "made with unknown settings, or as files of somebody else"
        ]

    def _conflict_message(self, conflicts: Sequence[_Conflict]) -> str:
        """Say which results stand in the way, how they differ, and what the user can do."""
        names = some([conflict.name for conflict in conflicts])
        differing: dict[str, Any] = {}
        for conflict in conflicts:
            differing |= conflict.earlier
        if differing:
            now = {key: self._made_with[key] for key in differing}
            how = f"other settings ({made.describe(differing)}; now {made.describe(now)})"
        else:
            how = (
                "settings that are unknown here (version 0.1.0 of the program wrote the results, "
                "or their rows of the journal are lost or damaged)"
            )
        only_removed = differing and set(differing) <= set(made.REMOVED)
        add = (
            "--add removes the classes from these results too; "
            if only_removed
            and self._made_with["classes"]
            and not self.batch.add
            and not self._settings.chooses
            else ""
        )
        return (
            f"{self.folder} holds results of these photos that were made with {how}: {names}."
            f" Nothing was done. {add}--overwrite cleans the photos anew and keeps the present "
            f"results in {REPLACED}; or name another folder with --output"
        )


def _as_first_version(settings: Settings) -> dict[str, Any]:
    """Return settings as version 0.1.0 had them, and later ones where they are not the default."""
    default = Settings().recorded()
    return {
        key: value
        for key, value in settings.recorded().items()
        if key in _FIRST_SETTINGS or value != default[key]
    }


def _naming_result(entry: Entry, row: JournalRow) -> Entry:
    """Return an entry without a result that names the earlier row's, which stands."""
    return cast("Entry", {**entry, "output": row["entry"]["output"]})


def _is_of_another_photo(task: Task, row: JournalRow) -> bool:
    """Whether the photo of a row is another one, and not this one before its folder was moved."""
    source = row.get("source")
    return source not in (None, task.key) and (
        not isinstance(task.source, Path) or os.path.lexists(str(source))
    )


def _pair(marks: Sequence[Stamp | None] | None) -> tuple[Stamp | None, Stamp | None]:
    """Return the recorded marks of a photo's own mask and of its ground truth."""
    return (marks[0], marks[1]) if marks is not None and len(marks) == 2 else (None, None)


def _refusal_notes(refused: Sequence[Entry], folder: Location, *, sure: bool) -> Iterator[str]:
    """Yield a sentence about files in the way, and one about results whose photos changed.

    Args:
        refused: the entries of refused photos.
        folder: the output folder.
        sure: whether the journal is undamaged, so that no run made the files in the way.
    """
    in_the_way = [entry["input"] for entry in refused if entry["output"] is None]
    if in_the_way:
        whose = "that a person made or changed" if sure else "that the journal does not know"
        what = f"1 file {whose} stays"
        if len(in_the_way) > 1:
            what = f"{len(in_the_way)} files {whose} stay"
        yield (
            f"{folder}: {what} where results would go ({some(in_the_way)}), and these photos are "
            "not cleaned; move the files away, or use --overwrite"
        )
    changed = [entry["input"] for entry in refused if entry["output"] is not None]
    if changed:
        what = "1 result stays although its photo or mask"
        if len(changed) > 1:
            what = f"{len(changed)} results stay although their photos or masks"
        yield f"{folder}: {what} changed ({some(changed)}); the report says why, and what to do"


def _link_notes(names: Sequence[str], folder: Location) -> Iterator[str]:
    """Yield a sentence about photos of which a link has the result's or the mask's place."""
    if names:
        what = "1 link has the place of a result or a mask"
        if len(names) > 1:
            what = f"{len(names)} photos have links in the places of their results or masks"
        yield (
            f"{folder}: {what} ({some(names)}), and nothing is written there; remove "
            f"{'it' if len(names) == 1 else 'them'}, and run the same command again"
        )


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
    """Return the index of the shipped weights, which is part of what results are made with."""
    from ...models.errors import CheckpointError
    from ...models.shipped import shipped_index

    try:
        return shipped_index()
    except CheckpointError as error:
        raise WeightsError(str(error)) from error


def _own_models(settings: Settings) -> dict[str, str]:
    """Return the hashes of the user's own models' weights, by the models' names.

    Of two folders of one name, as training runs have them, the later one goes by its path.
    """
    from ...models.own_segmenter import WEIGHTS

    found: dict[str, str] = {}
    try:
        for folder in settings.segmenters.models:
            name = f"{made.OWN_MODEL}{folder.name}"
            found[f"{made.OWN_MODEL}{folder}" if name in found else name] = digest_of(
                folder / WEIGHTS
            )
    except OSError as error:
        raise WeightsError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return found
