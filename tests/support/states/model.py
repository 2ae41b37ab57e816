"""What must be true of the output folders, from what the commands said and what pictures show.

The model reads no journal and no claim. It knows of every result and mask who made it, from which
photo, and by which command; and what was replaced and must still be in the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from remove_objects.pipeline import types
from tests.support.states.commands import Command
from tests.support.states.disk import CONTENTS, State
from tests.support.states.pictures import pixels_of
from tests.support.states.world import Given, content_of

#: The store of replaced files, and how many versions a run's results of one photo keep.
STORE, KEPT = ".remove-objects-replaced", 3
LAYERS = ".layers.png"
REPORTS = ("report.json", "report.csv", "report.html", "preview.html")

Look = dict[str, State]


class FoundError(AssertionError):
    """The program broke a promise.

    Attributes:
        kind: which one, in a few words.
    """

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind = kind


@dataclass(frozen=True)
class Record:
    """A result or a mask that stands.

    Attributes:
        maker: ``run``, ``board`` or ``user``.
        source: the photo's file; None for a file of which only the user knows where it is from.
        made_from: the digest of the photo's content.
        removed: the objects that the photo shows and the result does not.
        command: the command that made it.
        chained: whether it was made from an earlier result.
        sure: whether the program must know that it made the file: no kill and no change of its
            own notes came between.
        lost: whether the user took the program's notes about it away: it is a file of which nobody
            can tell whose it is, and as every such file it is replaced by --overwrite alone.
        superseded: whether the same photo has a newer result under another name.
        mended: whether it continues a result that a person made, who may have left objects there.
    """

    maker: str
    source: str | None = None
    made_from: str | None = None
    removed: frozenset[str] = frozenset()
    command: Command | None = None
    chained: bool = False
    sure: bool = True
    lost: bool = False
    superseded: bool = False
    mended: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether a person made it."""
        return self.maker != "run"


@dataclass(frozen=True)
class Kept:
    """A replaced file that must be in the store."""

    name: str
    content: str
    made_from: str | None  # None: a person made it
    record: Record


@dataclass
class Model:
    """The model of all output folders.

    Attributes:
        roots: the output folders.
        records: results and masks by their path.
        kept: what the stores must hold, by output folder, oldest first.
        ignored: kinds of findings that are only counted.
        findings: how often each kind was found.
        dry: the output folders whose report a dry run wrote.
        save_was_killed: whether a save at the board was cut short.
    """

    roots: list[Path]
    ignored: frozenset[str] = frozenset()
    records: dict[str, Record] = field(default_factory=dict)
    kept: dict[str, list[Kept]] = field(default_factory=dict)
    findings: Counter[str] = field(default_factory=Counter)
    dry: set[str] = field(default_factory=set)
    save_was_killed: bool = False
    _shown: dict[str, bool] = field(default_factory=dict, repr=False)

    def found(self, kind: str, what: str) -> None:
        """Report a broken promise."""
        self.findings[kind] += 1
        if kind not in self.ignored:
            raise FoundError(kind, what)

    def root_of(self, path: str) -> Path | None:
        """Return the output folder that a file lies in."""
        return next((root for root in self.roots if Path(path).is_relative_to(root)), None)

    def is_shown(self, path: str) -> bool:
        """Whether a path is that of a result or a mask: in an output folder, not the program's."""
        if path not in self._shown:  # each step asks about every file
            root = self.root_of(path)
            parts = () if root is None else Path(path).relative_to(root).parts
            hidden = not parts or any(part.startswith(".") for part in parts)
            self._shown[path] = not hidden and parts[0] not in (*REPORTS, "report_files")
        return self._shown[path]

    def is_mask(self, path: str) -> bool:
        """Whether a path is that of a mask."""
        root = self.root_of(path)
        return root is not None and Path(path).relative_to(root).parts[0] == "masks"

    def is_layers(self, path: str) -> bool:
        """Whether a path is that of the layers of a mask."""
        return self.is_mask(path) and path.endswith(LAYERS)

    def results(self, root: Path) -> dict[str, Record]:
        """Return the results of a folder, by their name in it."""
        return {
            Path(path).relative_to(root).as_posix(): record
            for path, record in self.records.items()
            if Path(path).is_relative_to(root) and not self.is_mask(path)
        }

    def changes(self, before: Look, after: Look) -> list[str]:
        """Return the results and masks that appeared, changed or vanished."""
        return sorted(
            path
            for path in {*before, *after}
            if self.is_shown(path) and _content(before, path) != _content(after, path)
        )

    # What the user does.

    def user_changed(self, before: Look, after: Look) -> None:
        """Note what the user did: a new file is the user's, a missing one the user's will."""
        for path in self.changes(before, after):
            if path in after:
                self.records[path] = Record("user")
            else:
                self.records.pop(path, None)
        for root in self.roots:  # cleared stores
            self._forget_cleared(root, before, after)

    def _forget_cleared(self, root: Path, before: Look, after: Look) -> None:
        store = f"{root / STORE}/"
        if any(p.startswith(store) for p in before) and not any(p.startswith(store) for p in after):
            self.kept.pop(str(root), None)

    def notes_changed(self, root: Path) -> None:
        """The program's own notes were changed: it may take its own files for foreign ones."""
        for path, record in self.records.items():
            if Path(path).is_relative_to(root):
                self.records[path] = replace(record, sure=False, lost=True)

    def may_have_made(self, root: Path, given: list[Given]) -> None:
        """A run was killed that may have made the same bytes again: whose they are is unknown."""
        for path, record in self.records.items():
            if Path(path).is_relative_to(root) and same_photo(record, given) is not None:
                self.records[path] = replace(record, sure=False)

    def album_moved(self, old: Path, new: Path) -> None:
        """The user moved or renamed an album: its photos are the same photos, changed or not."""
        for path, record in self.records.items():
            if new != old and record.source is not None and Path(record.source).is_relative_to(old):
                moved = new / Path(record.source).relative_to(old)
                self.records[path] = replace(record, source=str(moved))

    def folder_removed(self, root: Path) -> None:
        """The user removed an output folder."""
        for path in [path for path in self.records if Path(path).is_relative_to(root)]:
            del self.records[path]
        self.kept.pop(str(root), None)

    # What the program does.

    def nothing_outside(self, root: Path | None, before: Look, after: Look) -> None:
        """Check that nothing outside the output folder changed: content, name, mode, time."""
        for path in sorted({*before, *after}):
            if root is not None and Path(path).is_relative_to(root):
                continue
            if before.get(path) != after.get(path):
                self.found("changed outside", f"{path}: {before.get(path)} -> {after.get(path)}")

    def nothing_changed(self, root: Path, before: Look, after: Look) -> None:
        """Check that a refused command changed no result, mask or report."""
        for path in sorted({*before, *after}):
            known = self.is_shown(path) or Path(path).name in REPORTS
            if self.save_was_killed and self.is_mask(path):
                continue  # the mask of a save that a kill cut short takes its name
            if known and _content(before, path) != _content(after, path):
                self.found("refused but worked", f"{path} changed")

    def run_changed(
        self, command: Command, given: list[Given], before: Look, after: Look, *, sure: bool
    ) -> None:
        """Check every change of a run, and note it."""
        gone: list[tuple[str, Record | None]] = []
        for path in self.changes(before, after):
            record = self.records.pop(path, None)
            if path in before and record is not None:
                self._judge_run(path, record, command, given)
                self.keep(path, before[path], record)
            elif path in before:
                record = Record("user")
            if path not in after:
                gone.append((path, record))
            elif self.is_mask(path):
                self.records[path] = self._mask_record(path, command, given, sure)
            else:
                self.records[path] = self._result_record(path, after, record, command, given, sure)

        for path, record in gone:
            # With or without --lossless, --overwrite gives a result another name.
            told = command.has("overwrite")
            if record is None or not (told or self.has_other(path, record)):
                self.found("vanished", f"{path} was removed by a run")

    def has_other(self, path: str, record: Record) -> bool:
        """Whether a result was only put away, because its photo has a new one of another name."""
        return any(
            other.source == record.source and self.root_of(name) == self.root_of(path)
            for name, other in self.records.items()
            if record.source is not None and self._kind(name) == self._kind(path)
        )

    def _kind(self, path: str) -> tuple[bool, bool]:
        return self.is_mask(path), self.is_layers(path)

    def layers_are_of_their_masks(self, root: Path) -> None:
        """Check that layers that stand beside a mask say why its pixels went, and no others."""
        for path, record in self.records.items():
            mask = self.records.get(path.removesuffix(LAYERS) + ".png")
            known = (record, mask) if self.is_layers(path) and mask is not None else ()
            if not known or not Path(path).is_relative_to(root):
                continue
            if not all(each.sure and each.maker in ("run", "board") for each in known):
                continue
            with (
                Image.open(path) as layers,
                Image.open(f"{path.removesuffix(LAYERS)}.png") as drawn,
            ):
                why = np.asarray(layers)
                if not np.array_equal((why > 0) & (why != types.KEPT), np.asarray(drawn)):
                    self.found("layers of another mask", path)

    def _judge_run(self, path: str, record: Record, command: Command, given: list[Given]) -> None:
        """Check that a run may replace a result or a mask."""
        photo = same_photo(record, given)
        told = command.has("overwrite") or command.has("add")
        if command.is_dry and not self.is_mask(path):
            self.found("dry run wrote", path)
        elif (
            record.source is not None
            and photo is None
            and _stands(record)
            and not (record.lost and command.has("overwrite"))
        ):
            self.found("another photo's", f"{path} was made from {record.source}")
        elif record.by_hand and not told and not self._is_left_over(path, record):
            self.found("a person's file", f"{path} was made by the {record.maker}")
        elif not told and photo is None and not self.is_mask(path):
            self.found("replaced unasked", f"{path}, made from {record.source}, which is gone")
        elif (
            not told
            and photo is not None
            and photo.digest == record.made_from
            and not _is_ambiguous(record, photo, given)
            and not self.is_mask(path)
            and not _by_other_masks(command, record)
            and not self._by_other_picks(path, command, record)
        ):
            self.found("replaced unasked", f"{path}, made by {record.command}")

    def _by_other_picks(self, path: str, command: Command, record: Record) -> bool:
        """Whether the user decided otherwise about a photo than when its result was made."""
        name, before = self.name_of(path), record.command
        return before is not None and before.picks_of(name) != command.picks_of(name)

    def _is_left_over(self, path: str, record: Record) -> bool:
        """Whether a board's mask belongs to a result that was replaced on the user's word."""
        return (
            self.is_mask(path)
            and record.maker == "board"
            and not any(
                other.by_hand and other.source == record.source
                for name, other in self.records.items()
                if not self.is_mask(name) and self.root_of(name) == self.root_of(path)
            )
        )

    def _result_record(
        self,
        path: str,
        after: Look,
        earlier: Record | None,
        command: Command,
        given: list[Given],
        sure: bool,
    ) -> Record:
        """Return a new result's record, after checking that it is one of a given photo."""
        seen = content_of(after[path])
        photos = [g for g in given if seen is not None and g.facts.shot == seen.shot]
        if not photos or seen is None:
            self.found("wrong photo", f"{path} shows none of the given photos: {seen}")
            return Record("run", sure=False)
        photo = max(photos, key=lambda g: path.endswith(f"/{g.name}"))
        chained = command.has("add")
        mended = chained and earlier is not None and (earlier.by_hand or earlier.mended)
        picked = command.picks_of(self.name_of(path))
        may_stay = command.targets if command.has("keep") else frozenset()
        must_go = command.targets - picked.stays - (may_stay - picked.goes)
        if seen.objects & must_go and not command.has("masks") and not mended:
            self.found("not removed", f"{path} still shows {sorted(seen.objects)}")
        removed = photo.facts.objects - seen.objects
        if not chained and not removed <= command.targets:
            self.found("wrong pixels", f"{path} lacks {sorted(removed)}")
        if not chained:
            kept = picked.stays & command.targets & photo.facts.objects
            self.stays_untouched(path, after[path], photo, kept)
        self.time_and_rights(path, after[path], photo, strip=command.has("strip"))
        self._supersede(path, photo)
        made = Record("run", photo.path, photo.digest, removed, command, chained, sure)
        return replace(made, mended=mended)

    def name_of(self, path: str) -> str:
        """Return a result's name in its output folder."""
        root = self.root_of(path)
        assert root is not None
        return Path(path).relative_to(root).as_posix()

    def stays_untouched(self, path: str, state: State, photo: Given, names: Iterable[str]) -> None:
        """Check that a result shows objects of its photo with every pixel as it was."""
        for name in sorted(names):
            before, after = (CONTENTS[key] for key in (photo.digest, state.content))
            if not np.array_equal(pixels_of(before, name), pixels_of(after, name)):
                self.found("kept object changed", f"{path}: {name}")

    def time_and_rights(self, path: str, state: State, photo: Given, *, strip: bool) -> None:
        """Check that a new result keeps its photo's time, and has at most its rights."""
        if state.mode & ~photo.mode:
            self.found("wider rights", f"{path}: {state.mode:o}, the photo has {photo.mode:o}")
        if not strip and state.mtime != photo.mtime:
            self.found("another time", f"{path}: {state.mtime}, the photo has {photo.mtime}")

    def _supersede(self, path: str, photo: Given) -> None:
        for other, record in self.records.items():
            same = record.source == photo.path and self.root_of(other) == self.root_of(path)
            if same and other != path and not self.is_mask(other):
                self.records[other] = replace(record, superseded=True)

    def _mask_record(self, path: str, command: Command, given: list[Given], sure: bool) -> Record:
        stem = PurePosixPath(path).name.removesuffix(LAYERS).removesuffix(".png")
        named = [
            g for g in given if stem in (PurePosixPath(g.name).stem, PurePosixPath(g.name).name)
        ]
        photo = named[0] if len(named) == 1 else None
        source = None if photo is None else photo.path
        return Record("run", source, None, command=command, sure=sure)

    def keep(self, path: str, state: State, record: Record) -> None:
        """Note that a replaced file must be in the store."""
        if self.is_mask(path) and not record.by_hand:
            return  # a run makes it again
        root = self.root_of(path)
        made_from = None if record.by_hand else record.made_from
        kept = self.kept.setdefault(str(root), [])
        new = Kept(path, state.content, made_from, record)
        kept[:] = [k for k in kept if (k.name, k.content) != (path, state.content)] + [new]
        versions = [k for k in kept if (k.name, k.made_from) == (path, made_from)]
        if made_from is not None:
            for old in versions[:-KEPT]:
                kept.remove(old)

    def earlier(self, path: str, content: str) -> Record | None:
        """Return the record of a kept file of this name and content."""
        kept = self.kept.get(str(self.root_of(path)), [])
        return next((k.record for k in kept if (k.name, k.content) == (path, content)), None)

    def store_is_whole(self, after: Look) -> None:
        """Check that every replaced file that must be kept is kept."""
        for root, kept in self.kept.items():
            there = {state.content for path, state in after.items() if path.startswith(f"{root}/")}
            for file in list(kept):
                if file.content not in there:
                    kept.remove(file)
                    self.found("not in the store", f"the earlier {file.name} is gone")

    def confirm(self, root: Path, entries: list[dict[str, Any]], command: Command | None) -> None:
        """A run's report names these results: the program knows them.

        The board's report may tell of what only the report before it knew. Of a review that the
        user cut from the journal no run can know.
        """
        for entry in entries if command is not None else ():
            path = str(root / (entry["output"] or ""))
            record = self.records.get(path)
            if record is not None and (record.maker != "board" or entry.get("reviewed")):
                self.records[path] = replace(record, sure=True, lost=False)


def same_photo(record: Record, given: list[Given]) -> Given | None:
    """Return the given photo that a result was made from: by its file, or moved."""
    for photo in given:
        if photo.path == record.source:
            return photo
    for photo in given:
        if photo.digest == record.made_from and not _stands(record):
            return photo
    return None


def _is_ambiguous(record: Record, photo: Given, given: list[Given]) -> bool:
    """Whether two photos of one name may be a record's, after a swap and a renamed folder."""
    name = Path(photo.path).name
    return photo.path != record.source and sum(Path(g.path).name == name for g in given) > 1


def _by_other_masks(command: Command, record: Record) -> bool:
    """Whether the photo may have another mask of the user's now: a changed input, like a photo."""
    return command.has("masks") and record.command is not None and record.command.has("masks")


def _stands(record: Record) -> bool:
    return record.source is not None and Path(record.source).is_file()


def _content(look: Look, path: str) -> str | None:
    return look[path].content if path in look else None
