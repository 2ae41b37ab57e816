"""The watch: look for photos that have arrived, clean them as a run does, and wait.

Each round is a run of the batch over the settled photos of the folder: so results, journal and
report are a run's, and a watch that was stopped or killed goes on from the journal. The networks
load once for all rounds.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..batch.call import Call
from ..batch.find import why_missing
from ..batch.run import Round, clean_folder, finish_rounds, refuse_vain
from ..batch.scan import output_folder, refuse_overlap
from ..batch.stream import without_sentences_about_photos
from ..config import Settings, resolve_classes
from ..errors import OutputError, UsageError
from ..remover import ObjectRemover
from ..report.page_memory import PageMemory
from ..system.lock import WATCH, folder_lock
from ..system.signals import Stop
from ..system.text import some
from .arrivals import Arrivals, Seen, unchanged
from .options import INTERVAL, SETTLE

if TYPE_CHECKING:
    from ..batch.run import FolderResult
    from ..batch.settings import BatchSettings
    from ..report.schema import Entry

#: After a round that could not end, in seconds: a full disk, or a folder in use.
PAUSE = 30.0
#: Of its time, a watch spends at most one part in so many on looking: a slow share is not to be
#: asked without end.
_SHARE = 10


@dataclass(frozen=True)
class Times:
    """Seconds: ``settle`` without a change, ``interval`` between looks, ``pause`` after trouble."""

    settle: float = SETTLE
    interval: float = INTERVAL
    pause: float = PAUSE


@dataclass
class _Failed:
    """A photo that failed: how its file was then, and its entry."""

    seen: Seen
    entry: Entry


class _WhileThere(Stop):
    """A stop that a vanished folder requests too, so that no further photo fails by it.

    Nor is one cleaned into an empty mount point, where the output folder was.
    """

    def __init__(self, stop: Stop, why_gone: Callable[[], str]) -> None:
        super().__init__()
        self._outer, self._why_gone = stop, why_gone

    def __call__(self) -> bool:
        """Whether the user asked for a stop, or one of the folders is gone."""
        if not super().__call__():
            if self._outer():
                self.request()
            elif why := self._why_gone():
                self.why = f"stopped ({why})"
                self.request()
        return super().__call__()


def _refuse_of_one_run(batch: BatchSettings) -> None:
    """Refuse what makes sense for one run and not for rounds without end."""
    given = {
        "--overwrite": batch.overwrite,
        "--add": batch.add,
        "--preview": batch.preview,
        "--dry-run": batch.dry_run,
        f"--engine {batch.engine}": batch.engine != "local",
    }
    if option := next((option for option, is_given in given.items() if is_given), None):
        raise UsageError(
            f"watch cleans each photo once, as it arrives; {option} belongs to a run: "
            "give it to remove-objects without watch"
        )
    if batch.masks is not None and not (isinstance(batch.masks, Path) and batch.masks.is_file()):
        raise UsageError(
            f"--masks {batch.masks}: watch takes one mask file for every photo, such as that of a "
            "date that a camera prints; clean with a folder of masks in a run"
        )


class Watch:
    """Cleans what arrives in a folder.

    What it remembers is bounded by the photos that are in the folder; what of the report's page,
    by ``PageMemory``.

    Attributes:
        counts: the photos that it has worked on, by status.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        batch: BatchSettings,
        *,
        times: Times | None = None,
        command: str = "",
        settings_from: Mapping[str, Mapping[str, Any]] | None = None,
        tell: Callable[[str], None] = lambda _: None,
        cleaned: Callable[[Entry], None] = lambda _: None,
    ) -> None:
        """Check the call.

        Args:
            folder: the watched folder.
            settings: the settings of the picture.
            batch: the settings of the folder.
            times: how often it looks.
            command: the command line, which the report quotes.
            settings_from: options that settings files set, by the files' addresses.
            tell: called with sentences about what it waits for.
            cleaned: called with the entry of each photo that it worked on.

        Raises:
            UsageError: the folder is missing, the output folder is it or holds it, or the settings
                cannot work, or not again and again.
        """
        refuse_vain(settings, batch, resolve_classes(batch.classes, settings.known_classes))
        _refuse_of_one_run(batch)
        if (why := why_missing(folder)) or not folder.is_dir():
            raise UsageError(f"{folder}: {why or 'a file; watch cleans what arrives in a folder'}")
        output = output_folder([folder], batch.output)
        refuse_overlap(folder, output)
        if not isinstance(output, Path):
            raise UsageError(f"{output}: watch writes into a folder of this machine or a share")
        self.folder, self.output, self.settings = folder, output, settings
        self.batch = replace(batch, output=output)
        self.times, self.command, self.settings_from = times or Times(), command, settings_from
        self._tell, self._cleaned = tell, cleaned
        self.counts: Counter[str] = Counter()
        self._arrivals = Arrivals(folder, [output], batch.exclude, settle=self.times.settle)
        self._remover, self._pages = ObjectRemover(settings), PageMemory()
        self._done: dict[Path, Seen] = {}
        self._failed: dict[Path, _Failed] = {}
        self._mask = batch.masks if isinstance(batch.masks, Path) else None
        self._had_a_round = self._is_complete = False
        self._told_of: set[Path] = set()
        self._looked_for = 0.0
        self._is_gone: Path | None = None
        self._is_marked = False
        self._told = ""

    def run(self, stop: Stop) -> None:
        """Watch until the stop is requested; the photos in progress are finished then.

        Raises:
            UsageError: another watch has this output folder; or the first round cannot work.
            WeightsError: a network that the settings name is unavailable.
        """
        with folder_lock(self.output, lambda: None, name=WATCH):
            self._is_marked = os.path.lexists(self.output / WATCH)
            while not stop():
                stop.wait(max(self._look(stop), _SHARE * self._looked_for))
            if self._is_complete:
                # If it cannot be recorded, the next watch goes on as after a crash.
                with suppress(UsageError, OutputError):
                    finish_rounds(self.output)

    def _look(self, stop: Stop) -> float:
        """Look once, and clean what has settled; returns for how long to wait then."""
        if gone := self._gone():
            place, why = gone
            what = "the output folder " if place == self.output else ""
            self._tell_once(f"{what}{place}: {why}; waiting until it is back")
            self._is_gone = place
            return self.times.interval
        if self._is_gone is not None:
            self._tell_once(f"{self._is_gone}: is there again")
            self._is_gone = None
        before, begun = len(self._arrivals), time.monotonic()
        settled = self._arrivals.look()
        self._looked_for = time.monotonic() - begun
        if self._mask is not None:
            settled.pop(self._mask, None)
        self._tell_of_blocked()
        if before and not len(self._arrivals):
            self._tell_once(f"{self.folder}: holds no photo any more; the results stay")
        self._forget(settled)
        finished = self._done.keys() | self._failed.keys()
        return self._round(settled, stop) if settled.keys() - finished else self.times.interval

    def _is_another_output(self) -> bool:
        """Whether the output folder is not the one that this watch has locked.

        A photo that was in progress as the folder vanished may have made it anew, in an empty mount
        point for example.
        """
        return self._is_marked and not os.path.lexists(self.output / WATCH)

    def _gone(self) -> tuple[Path, str] | None:
        """Return the folder that vanished, and how; None if both are there."""
        for place in (self.folder, self.output):
            if why := why_missing(place) or ("" if place.is_dir() else "no folder"):
                return place, why
        if self._is_another_output():
            return self.output, "another folder than that into which this watch cleaned"
        return None

    def _why_gone(self) -> str:
        """Say why no further photo begins: a folder vanished; empty if both are there."""
        gone = self._gone()
        return "" if gone is None else f"{gone[0]} is not there any more"

    def _tell_of_blocked(self) -> None:
        """Tell, once, of photos that wait for long because of a part beside them."""
        blocked = self._arrivals.blocked
        if new := sorted(str(path) for path in blocked - self._told_of):
            whose = "a part of it lies" if len(new) == 1 else "parts of them lie"
            self._tell(
                f"{some(new)}: not cleaned as long as {whose} beside (.part, .tmp, .crdownload …); "
                "remove what is left over"
            )
        self._told_of = blocked

    def _forget(self, settled: dict[Path, Seen]) -> None:
        """Forget photos that are gone, or have changed since they were cleaned."""
        self._done = {path: seen for path, seen in self._done.items() if settled.get(path) == seen}
        self._failed = {
            path: failed
            for path, failed in self._failed.items()
            if settled.get(path) == failed.seen
        }

    def _round(self, settled: dict[Path, Seen], stop: Stop) -> float:
        """Clean the settled photos that are not finished; returns for how long to wait then."""
        wanted = settled.keys() - self._failed.keys()
        shared = Round(
            self._remover,
            lambda source: source in wanted,
            [failed.entry for failed in self._failed.values()],
            self._pages,
        )
        until = _WhileThere(stop, self._why_gone)
        call = Call((self.folder,), (), self.settings, self.batch, self.command, self.settings_from)
        try:
            with without_sentences_about_photos():  # each round would tell of all photos again
                result = clean_folder(
                    call, lambda _, entry: self._note(entry, shared), until, shared
                )
        except OutputError as error:
            return self._in_trouble(str(error))
        except UsageError as error:
            # What is wrong with the call shows in the first round; later it is about the photos
            # that came, or about another program that has the folder now.
            if not self._had_a_round:
                raise
            return self._in_trouble(str(error))
        self._had_a_round, self._is_complete = True, result.stopped is None
        self._note_round(result, shared, settled)
        if result.stopped is not None and not stop():
            return self._in_trouble(result.stopped)
        self._told = ""
        return self.times.interval

    def _note(self, entry: Entry | None, shared: Round) -> None:
        """Tell of a photo that was worked on, and not of one that an earlier round finished."""
        if entry is not None and entry["input"] in shared.tasks:
            self.counts[entry["status"]] += 1
            self._cleaned(entry)

    def _note_round(self, result: FolderResult, shared: Round, seen: dict[Path, Seen]) -> None:
        """Remember which photos are finished, so that the next round leaves them alone.

        A photo that has changed meanwhile, or vanished with the folder, is not: it comes again.
        """
        lasting = unchanged(seen)
        for entry in result.photos:
            source = shared.tasks.get(entry["input"])
            if entry["status"] == "failed" and isinstance(source, Path) and source in lasting:
                self._failed[source] = _Failed(lasting[source], entry)
        if result.stopped is None:
            self._done |= lasting

    def _in_trouble(self, why: str) -> float:
        """Tell why a round could not end; returns for how long to wait until the next."""
        self._tell_once(f"{why}; trying again")
        return self.times.pause

    def _tell_once(self, text: str) -> None:
        """Tell a sentence unless it was the last one."""
        if text != self._told:
            self._told = text
            self._tell(text)
