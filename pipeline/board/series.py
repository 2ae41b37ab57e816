"""What other photos of the place show, for a fill at the board: found as a run finds it.

Nothing is looked for before the first fill. Which photos are neighbours, and where a neighbour does
not show the place, is remembered; the neighbours are decoded at each fill, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .. import images
from ..batch.journal import Journal
from ..batch.scan import PlannedPhoto
from ..batch.series import SeriesFinder
from ..batch.series_photos import Memory, Neighbour, NeighbourPhotos, clean_by_series, hidden_in
from ..batch.settings import BatchSettings
from ..batch.sources import source_keys
from ..removal.recall import Recall
from ..removal.request import Removal
from ..removal.series import Hidden
from ..remover import ObjectRemover
from ..storage.location import Location, local_path
from ..types import Mask, Outcome, Photo
from .catalog import Item, Opened, is_inside
from .job import Job
from .run_settings import classes_of, recorded_settings, series_of
from .session import Session


class _Run(NamedTuple):
    """What the run of a photo says about neighbours.

    Attributes:
        series: one of ``batch.settings.SERIES``.
        classes: what it removed; empty if that is unknown.
        by_masks: whether masks alone said what goes.
    """

    series: str
    classes: tuple[str, ...]
    by_masks: bool


class BoardSeries:
    """Fills photos of the board with what their neighbours show. One job at a time uses it."""

    def __init__(self, opened: Opened, job: Job, listed: Callable[[], Iterable[Item]]) -> None:
        """Begin without having looked for any series.

        Args:
            opened: what the board has opened.
            job: the fill that asks; if it is cancelled, it ends before the next neighbour.
            listed: returns the board's photos.
        """
        self._opened, self._job, self._listed = opened, job, listed
        self._photos: dict[str, PlannedPhoto] = {}
        self._finder: SeriesFinder | None = None
        self._found_for: object = None
        self._memory = Memory()

    def clean(
        self, remover: ObjectRemover, session: Session, removal: Removal, mask: Mask
    ) -> tuple[Outcome, dict[str, Any]]:
        """Fill a photo.

        Args:
            remover: the job's.
            session: the photo.
            removal: how it is filled.
            mask: HW bool, the pixels that go.

        Returns:
            The outcome, and what the journal's row says of the photos that lent something.

        Raises:
            CancelledError: the job was cancelled.
        """
        items = {item.name: item for item in self._listed() if item.root is not None}
        run = self._run_of(session.item)
        neighbours = self._neighbours(session.item, run, items)
        if not neighbours:
            return remover.clean(session.photo, removal, progress=self._job.step), {}
        classes = (*run.classes, *session.named_classes(mask))
        others = self._others(remover, neighbours, items, run, tuple(dict.fromkeys(classes)))
        result = clean_by_series(remover, session.photo, removal, others, self._job.step)
        if others.warnings:
            self._finder = None  # what changed may be a neighbour as it is now
        return result

    def _run_of(self, item: Item) -> _Run:
        """What the run that made a photo's result says, else the run that is opened."""
        opened = self._opened
        run = _Run(opened.series, opened.classes, False)
        if item.output is not None:
            recorded = recorded_settings(Journal(item.output), item.name)
            if recorded is not None:
                by_masks = recorded.get("masks") is True
                classes = classes_of(recorded, opened.given.segmenter)
                run = _Run(series_of(recorded), classes, by_masks)
        return run if opened.given_series is None else run._replace(series=opened.given_series)

    def _neighbours(
        self, item: Item, run: _Run, items: Mapping[str, Item]
    ) -> tuple[Neighbour, ...]:
        """A photo's neighbours, each with its saved mask."""
        if item.is_upload or run.series == "off":
            return ()
        here = [each for each in items.values() if _may_be_read(each, item.source.parent)]
        wanted = run.series, [(each.name, each.source) for each in here]
        if self._finder is None or wanted != self._found_for:
            batch = BatchSettings(series=run.series, max_pixels=self._opened.max_pixels)
            self._photos = _planned(here)
            self._finder = SeriesFinder(self._photos.values(), batch, self._job.is_cancelled)
            self._found_for = wanted
        self._job.step(0.0, "series")
        photo = self._photos.get(item.name)
        found = () if photo is None else self._finder.neighbours(photo)
        if self._job.is_cancelled():
            self._finder = None  # it has looked at some of them only
        self._job.refuse_cancelled()
        saved = ((each, items[each.name].saved_mask()) for each in found)
        # As in a run: where masks alone say what goes, nobody knows what one without a mask hides.
        return tuple(
            replace(each, mask=mask) for each, mask in saved if mask is not None or not run.by_masks
        )

    def _others(
        self,
        remover: ObjectRemover,
        neighbours: tuple[Neighbour, ...],
        items: Mapping[str, Item],
        run: _Run,
        classes: tuple[str, ...],
    ) -> NeighbourPhotos:
        """The neighbours' photos; where nobody says what they may hide, that is all classes."""
        by_source = {each.source: items[each.name] for each in neighbours}
        limit = self._opened.max_pixels
        classes = classes or self._opened.settings.known_classes

        def read(file: Path) -> Photo:
            self._job.refuse_cancelled()
            by_source[file].refuse_link()
            return images.read_photo(file, max_pixels=limit)

        def hidden(photo: Photo, saved: Location | None, _: Recall) -> Hidden:
            found = hidden_in(remover, photo, classes, None)
            if saved is None:
                return found
            own = images.read_mask(local_path(saved), photo.size, max_pixels=limit)
            return Hidden(found.covered | own, found.doubtful & ~own)

        return NeighbourPhotos(
            neighbours,
            read,
            hidden,
            self._memory,
            fixed=run.series == "fixed",
            classes=classes,
            unmarked=True,
        )


def _may_be_read(item: Item, folder: Path) -> bool:
    """Whether a photo may be a neighbour of one in a folder; no link may lead it out."""
    if item.missing is not None or item.root is None:
        return False
    return item.source.parent != folder or is_inside(item.source, item.root)


def _planned(items: Iterable[Item]) -> dict[str, PlannedPhoto]:
    """Photos as a run plans them, by their names."""
    key_of = source_keys()
    return {
        item.name: PlannedPhoto(
            source=item.source,
            relative=PurePosixPath(item.name),
            target=item.target or item.source,
            mask_target=item.mask_target or item.source,
            given_names=(),
            mask_name=PurePosixPath(),
            key=key_of(item.source),
        )
        for item in items
    }
