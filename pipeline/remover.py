"""One photo through the pipeline: select, route, fill, measure, judge."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from .config import (
    FAIL_HOLE_SHARE,
    REVIEW_LEFT_OUTSIDE,
    PictureOptions,
    Settings,
    auto_dilate,
    resolve_classes,
    with_options,
)
from .detect.clicked import Click
from .detect.leftovers import Left
from .errors import UnreadableError, UsageError
from .given import refuse_unknown, shown
from .images import OwnMask
from .images.suffixes import is_readable
from .inpaint.route import least_face
from .networks import Networks, NetworkSettings
from .pixels import either
from .quality import verdict
from .removal.along import Along, Whole, alone
from .removal.clickable import Clickable, clickable_objects, selected_by_clicks
from .removal.completeness import Completeness, Seen
from .removal.filling import Filled, PhotoFiller, error_inside
from .removal.from_python import given_mask, given_picture
from .removal.keep import main_odds
from .removal.objects import FAINT
from .removal.picked import UNFIT
from .removal.picture import Picture, picture_of
from .removal.progress import FACES, MEASURE, SEGMENT, Progress, Stages, no_progress
from .removal.recall import Decision, Recall
from .removal.request import Removal
from .removal.selection import Selection, Sighted, Sighting, select
from .removal.series import Hidden, SeriesPhotos, may_move
from .storage.location import AnyPath
from .system.memory import tidy
from .system.text import printable
from .types import (
    Box,
    Face,
    FloatArray,
    Hole,
    HoleOutcome,
    Leftover,
    Mask,
    Outcome,
    Photo,
    Pixels,
    Probe,
    Status,
)

if TYPE_CHECKING:
    from PIL import Image

    from .removal.from_python import AnyMask

log = logging.getLogger(__name__)

_Picture = TypeVar("_Picture")


class Removed(NamedTuple, Generic[_Picture]):
    """The result of ``ObjectRemover.remove``.

    Attributes:
        image: the picture, of the type that was given, of a file a PIL image.
        outcome: everything that the report holds about it, and the pictures in memory.
    """

    image: _Picture
    outcome: Outcome


class Chosen(NamedTuple):
    """The result of ``ObjectRemover.choose``.

    Attributes:
        selection: the pixels that would be removed.
        layers: HW uint8, a ``Layer`` for each pixel: why it would be removed.
        doubtful: places where something stays that may belong to what is removed.
    """

    selection: Selection
    layers: NDArray[np.uint8]
    doubtful: tuple[Leftover, ...]


class ObjectRemover:
    """Removes objects from photos.

    Networks load once, when they are first needed. ``remove`` and ``clean`` may be called from
    several threads.

    Attributes:
        settings: the user's settings. ``remove`` follows all of them; in ``clean`` the fields of
            its ``Removal`` replace them.
        networks: the loaded networks.
    """

    def __init__(self, settings: Settings | None = None, **options: Unpack[PictureOptions]) -> None:
        """Check the settings; nothing is loaded yet.

        Args:
            settings: the settings.
            options: fields of ``Settings``, which they replace.

        Raises:
            UsageError: a setting is not legal.
            TypeError: there is none of that name.
        """
        refuse_unknown("ObjectRemover()", options, PictureOptions.__annotations__)
        self._settings = with_options(settings, options)
        self.networks = Networks(NetworkSettings.from_settings(self._settings))

    @property
    def settings(self) -> Settings:
        """Read-only: a changed setting would not reach networks that are already loaded."""
        return self._settings

    @overload
    def remove(
        self,
        image: NDArray[np.uint8],
        classes: str | Iterable[str] = (),
        *,
        mask: AnyMask | None = None,
        hole: AnyMask | None = None,
    ) -> Removed[NDArray[np.uint8]]: ...

    @overload
    def remove(
        self,
        image: NDArray[np.uint16],
        classes: str | Iterable[str] = (),
        *,
        mask: AnyMask | None = None,
        hole: AnyMask | None = None,
    ) -> Removed[NDArray[np.uint16]]: ...

    @overload
    def remove(
        self,
        image: AnyPath | Image.Image,
        classes: str | Iterable[str] = (),
        *,
        mask: AnyMask | None = None,
        hole: AnyMask | None = None,
    ) -> Removed[Image.Image]: ...

    def remove(
        self,
        image: Any,
        classes: str | Iterable[str] = (),
        *,
        mask: AnyMask | None = None,
        hole: AnyMask | None = None,
    ) -> Removed[Any]:
        """Remove objects from one picture.

        Args:
            image: the path of a photo, a PIL image, or an HWC uint8 or uint16 RGB array; it is not
                changed.
            classes: the name of a Pascal VOC class, or several, or ``all``.
            mask: what to remove instead, of the picture's size: the path of a mask or a PIL image,
                white = remove, or an HW array, True = remove; then nothing is segmented.
            hole: the name of ``mask`` in version 0.1.

        Returns:
            (image of the same kind and size, outcome). Of a file the image is a PIL image, upright,
            of 8 bits a channel; ``outcome.result`` has the file's depth. If there is nothing to
            remove, the image is an equal copy.

        Raises:
            UsageError: an unknown class, neither class nor mask, or a mask or picture of another
                kind or size.
            UnreadableError: a file cannot be read, or is no mask.
        """
        if mask is not None and hole is not None:
            raise UsageError("hole is another name of mask; give one of them")
        return self._remove(image, classes, hole if mask is None else mask)

    def _remove(
        self, image: Any, classes: str | Iterable[str], mask: AnyMask | None
    ) -> Removed[Any]:
        """As ``remove``."""
        _refuse_picture(classes)
        names = resolve_classes(classes, self.settings.known_classes)
        if not names and mask is None:
            raise UsageError(
                "name at least one class, such as classes='person', or give the mask of what to "
                "remove, mask="
            )
        given = given_picture(image)
        own = None if mask is None else given_mask(mask, given.photo)
        removal = Removal.from_settings(self.settings, names, None if own is None else own.mask)
        outcome = self.clean(given.photo, removal)
        if own is not None:
            outcome = told_of_mask(outcome, own)
        outcome = replace(outcome, warnings=(*outcome.warnings, *given.notes))
        log.info("%s: %s, %s", given.name, outcome.status.value, printable(outcome.reason))
        if outcome.result is None or outcome.mask is None:
            return Removed(given.unchanged(), outcome)
        return Removed(given.cleaned(outcome.result, outcome.mask), outcome)

    def select(self, photo: Photo, removal: Removal) -> Selection:
        """Decide which pixels would be removed, and fill nothing."""
        return self.choose(photo, removal).selection

    def choose(self, photo: Photo, removal: Removal) -> Chosen:
        """Decide which pixels would be removed and why, and fill nothing."""
        picture = picture_of(photo, removal.mask)
        if picture is None:
            whole = self._select(photo.rgb, removal).whole
            return Chosen(whole.selection, whole.layers, _places(whole.doubtful))
        whole = self._select(picture.photo.rgb, picture.of(removal), picture).whole
        selection = picture.selection(whole.selection, removal)
        layers = picture.layers(whole.layers, selection.hole_mask)
        return Chosen(selection, layers, _places(whole.doubtful, picture))

    def clickable(self, photo: Photo) -> tuple[Clickable, ...]:
        """Every object of a photo that a class names, whichever the settings remove."""
        picture = picture_of(photo, None)
        threshold = self.settings.threshold
        if picture is None:
            return clickable_objects(photo.rgb, threshold, self.networks)
        inner = clickable_objects(picture.photo.rgb, threshold, self.networks, picture.outside)
        return tuple(each.shifted(picture.box, photo.size) for each in inner)

    def clicked(self, photo: Photo, clicks: Sequence[Click], spared: Mask) -> Mask:
        """What was clicked on a photo, see ``removal.clickable.selected_by_clicks``."""
        return selected_by_clicks(photo.rgb, clicks, spared, self.networks)

    def clean(
        self,
        photo: Photo,
        removal: Removal,
        *,
        progress: Progress = no_progress,
        series: SeriesPhotos | None = None,
        recall: Recall | None = None,
    ) -> Outcome:
        """Take one photo through every stage between reading and writing.

        Args:
            photo: the photo; it is not changed.
            removal: what to remove, and how.
            progress: called before each stage with the share of the work that is done, 0 to 1, and
                the stage's name. An exception of it passes through and cancels the removal.
            series: other photos of the same place, which show what is behind the objects; asked
                only if there is a hole to fill.
            recall: what is remembered of the photo.
        """
        stages = Stages(progress)
        with stages("segment"):
            picture = picture_of(photo, removal.mask)
        if picture is None:
            outcome = self._clean(photo, removal, stages, None, series, recall)
        else:
            inner = self._clean(picture.photo, picture.of(removal), stages, picture, series, recall)
            outcome = picture.outcome(inner, removal)
        return replace(outcome, seconds=stages.watch.elapsed, stages=stages.watch.stages)

    def hidden(self, photo: Photo, removal: Removal, recall: Recall | None = None) -> Hidden:
        """Where a photo does not show the place that other photos of its series show.

        Args:
            photo: the photo.
            removal: names the classes, or has the photo's own mask, beside which nothing is in
                doubt.
            recall: what is remembered of the photo.
        """
        everything = removal.of_everything()
        picture = picture_of(photo, removal.mask)
        if picture is None:
            return self._hidden(photo.rgb, everything, None, recall, removal.keep)
        rgb, inside = picture.photo.rgb, picture.of(everything)
        inner = self._hidden(rgb, inside, picture, recall, removal.keep)
        hidden = Hidden(np.ones(photo.size, bool), np.zeros(photo.size, bool))
        hidden.covered[picture.box.slices] = inner.covered | picture.unread
        hidden.doubtful[picture.box.slices] = inner.doubtful & ~picture.unread
        return hidden

    def _hidden(
        self,
        rgb: Pixels,
        removal: Removal,
        picture: Picture | None,
        recall: Recall | None,
        keep: str,
    ) -> Hidden:
        """As ``hidden``, of a photo that is picture all over, or of the box of ``picture``.

        Nobody stays by ``removal``; ``keep`` is who stays when the photo itself is cleaned.
        """
        if recall is None:
            return self._hiding(rgb, removal, self._select(rgb, removal, picture).whole)

        def decide() -> Decision:
            selected = self._select(rgb, removal, picture, recall, keep)
            return self._decision(rgb, removal, selected)

        return recall.decision(decide).hidden

    def _hiding(self, rgb: Pixels, removal: Removal, whole: Whole) -> Hidden:
        """What hides the place, by what is selected if nobody stays."""
        covered = _covering(whole)
        if removal.mask is not None:
            return Hidden.surely(covered)
        doubt, seen = whole.selection.doubt, whole.selection.seen
        if doubt is None:
            if seen is None:  # the prefilter found nothing of the classes
                assert self.networks.prefilter is not None
                seen = self.networks.prefilter.probabilities(rgb)
            doubt = _may_move(seen, rgb, removal)
        return Hidden(covered, doubt & ~covered)

    def _sighted(self, rgb: Pixels, removal: Removal, recall: Recall, keep: str) -> Sighted:
        """What is remembered of the objects of a photo, for those who go by ``keep``, too."""

        def sighted(look: Callable[[], Sighting | None]) -> Sighting | None:
            fresh: list[Sighting | None] = []

            def unseen() -> Sighting | None:
                found = look()
                fresh.append(found)
                if found is None:
                    return None
                assert found.seen is not None
                odds = None
                if keep == "main":
                    odds = main_odds(rgb, found.objects, found.seen, self.networks)
                    fresh[0] = replace(found, odds=odds)
                doubt = _may_move(found.seen, rgb, removal)
                return replace(found, seen=None, doubt=doubt, odds=odds)

            known = recall.sighting(unseen)
            return fresh[0] if fresh else known

        return sighted

    def _select(
        self,
        rgb: Pixels,
        removal: Removal,
        picture: Picture | None = None,
        recall: Recall | None = None,
        keep: str = "none",
    ) -> _Selected:
        """What is removed from a photo, by objects that are whole and what goes along with them."""
        outside, unread = (None, None) if picture is None else (picture.outside, picture.unread)
        of_photo = rgb, removal, self.networks, outside, unread
        if recall is None or removal.mask is not None:
            first = select(*of_photo)
        else:
            first = select(*of_photo, self._sighted(rgb, removal, recall, keep))
        kept = first.kept(FAINT)
        completeness = Completeness(rgb, removal, self.networks, unread, first.seen, kept)
        along = Along(rgb, removal, self.networks)
        if not first.holes or first.share > FAIL_HOLE_SHARE:
            return _Selected(alone(first), completeness, along, False)
        objects = completeness.widened(first, completeness.on_photo(first), outside)
        whole = along.with_objects(objects, completeness, outside)
        return _Selected(whole, completeness, along, objects is not first)

    def _selected(
        self, rgb: Pixels, removal: Removal, picture: Picture | None, recall: Recall | None
    ) -> _Selected:
        """As ``_select``, by what is remembered if that is the same request."""
        if recall is None or not removal.is_of_everything:
            return self._select(rgb, removal, picture, recall, removal.keep)
        fresh: list[_Selected] = []

        def decide() -> Decision:
            fresh.append(self._select(rgb, removal, picture, recall))
            return self._decision(rgb, removal, fresh[0])

        decision = recall.decision(decide)
        if fresh:
            return fresh[0]
        objects = decision.whole.objects
        completeness = Completeness(
            rgb,
            removal,
            self.networks,
            None if picture is None else picture.unread,
            kept=objects.kept(FAINT),
            noticed=None if decision.left is None else (objects, decision.left),
        )
        along = Along(rgb, removal, self.networks, decision.found)
        return _Selected(decision.whole, completeness, along, decision.widened)

    def _decision(self, rgb: Pixels, removal: Removal, selected: _Selected) -> Decision:
        """What is worth remembering of a selection in which nobody stays."""
        whole, noticed = selected.whole, selected.completeness.noticed
        left = noticed[1] if noticed is not None and noticed[0] is whole.objects else None
        hidden = self._hiding(rgb, removal, whole)
        return Decision(whole.unseen(), left, selected.along.found, selected.widened, hidden)

    def _clean(
        self,
        photo: Photo,
        removal: Removal,
        stages: Stages,
        picture: Picture | None,
        series: SeriesPhotos | None,
        recall: Recall | None,
    ) -> Outcome:
        """The outcome of a photo that is picture all over, or of the box of ``picture``."""
        with stages("segment", SEGMENT):
            selected = self._selected(photo.rgb, removal, picture, recall)
        outcome = self._filled(photo, removal, stages, picture, selected, series, recall)
        return _told_of_picks(outcome, selected.whole.selection, removal)

    def _filled(
        self,
        photo: Photo,
        removal: Removal,
        stages: Stages,
        picture: Picture | None,
        selected: _Selected,
        series: SeriesPhotos | None,
        recall: Recall | None,
    ) -> Outcome:
        """The outcome of a photo, or of the box of ``picture``, by what is selected."""
        whole, completeness, along, widened = selected
        selection = whole.selection
        unfilled = Outcome(
            Status.UNCHANGED,
            selection.why_empty,
            mask=selection.hole_mask,
            layers=whole.layers,
            classes=selection.classes,
            hole_share=selection.share,
            warnings=photo.warnings,
        )
        if selection.objects is not None:
            kept = selection.objects.mask_of(removed=False) if selection.objects.are_kept else None
            labels = selection.objects.labels if removal.dry_run else None
            unfilled = replace(unfilled, objects=selection.objects.found, kept=kept, labels=labels)
            if selection.objects.note and selection.holes:
                unfilled = replace(unfilled, warnings=(*photo.warnings, selection.objects.note))
        if selection.share > FAIL_HOLE_SHARE:
            failed = verdict.judge(selection.share, None, ())
            return replace(
                unfilled, status=failed.status, reason=failed.reason, error=failed.reason
            )
        if not selection.holes:
            status, reason = _with_doubt(selection, unfilled.status, unfilled.reason)
            return replace(unfilled, status=status, reason=reason)
        with stages("faces", FACES):
            faces = self._faces(photo.rgb, removal, selection.holes)
        unread = None if picture is None else picture.unread
        photo_filler = PhotoFiller(
            photo.rgb,
            removal,
            self.networks,
            faces,
            either(unread, selection.kept()),
            series,
            None if picture is None else picture.box,
            recall,
        )
        if removal.dry_run:
            with stages("measure", MEASURE):
                return _foreseen(unfilled, whole, photo_filler, completeness, picture)
        tidy(photo.rgb.nbytes)
        filled = photo_filler.fill(selection, stages)
        tidy(photo.rgb.nbytes)
        with stages("measure", MEASURE):
            seen = completeness.on_result(whole.objects, filled.filler.result)
        tidy(photo.rgb.nbytes)
        wider = whole.objects
        if not widened:
            outside = None if picture is None else picture.outside
            wider = completeness.widened(whole.objects, seen.left, outside)
        if wider is not whole.objects:
            whole = along.with_objects(wider, completeness, outside)
            filled = photo_filler.fill_again(filled, whole.selection, stages)
            with stages("measure"):
                seen = completeness.on_result(whole.objects, filled.filler.result)
        with stages("measure"):
            judged = _judged(unfilled, whole, filled, completeness, seen, picture)
        tidy(photo.rgb.nbytes)
        return judged

    def _faces(self, rgb: Pixels, removal: Removal, holes: Sequence[Hole]) -> list[Face]:
        """The photo's faces on which a hole's route may depend."""
        if removal.route == "auto":
            near = [hole.box for hole in holes]
            return self.networks.faces.detect(rgb, least_face(holes), near)
        return self.networks.faces.detect(rgb) if removal.route == "face" else []

    def error_in_holes(self, outcome: Outcome, truth: Photo) -> Probe:
        """Measure a result against the ground truth, over the pixels of its holes.

        Args:
            outcome: of a photo whose holes were filled.
            truth: the same picture without the objects.

        Raises:
            UnreadableError: the ground truth is of another size.
        """
        assert outcome.result is not None
        assert outcome.mask is not None
        if truth.size != outcome.mask.shape:
            (h, w), (height, width) = truth.size, outcome.mask.shape
            raise UnreadableError(
                f"{truth.path}: the ground truth is {w}x{h} pixels, the photo {width}x{height}; "
                "give one of the same size"
            )
        around = Box.bounding(outcome.mask).slices
        return error_inside(
            outcome.result[around], truth.rgb[around], outcome.mask[around], self.networks
        )


class _Selected(NamedTuple):
    """What is removed from a photo.

    Attributes:
        whole: the objects, and what goes along with them.
        completeness: looks around the objects.
        along: finds what goes along with them.
        widened: whether ``completeness`` widened the holes.
    """

    whole: Whole
    completeness: Completeness
    along: Along
    widened: bool


def _may_move(seen: FloatArray, rgb: Pixels, removal: Removal) -> Mask:
    """As ``removal.series.may_move``, widened as the objects are."""
    shape = rgb.shape[0], rgb.shape[1]
    radius = auto_dilate(*shape) if removal.dilate is None else removal.dilate
    return may_move(seen, shape, removal.classes, radius)


def _covering(whole: Whole) -> Mask:
    """HW bool: what is removed with all that may go along with it."""
    covered = whole.selection.hole_mask.copy()
    for place in whole.doubtful:
        covered[place.box.slices] |= place.mask
    return covered


def _with_doubt(selection: Selection, status: Status, reason: str) -> tuple[Status, str]:
    """The verdict, which is ``review`` if somebody is kept who may be meant to go."""
    if selection.objects is None or not selection.objects.doubtful:
        return status, reason
    size = selection.hole_mask.shape
    who = [
        f"{one.category} {one.number} {verdict.where(one.box, (size[0], size[1]))}"
        for one in selection.objects.doubtful
    ]
    doubt = f"may be a bystander, and is kept: {', '.join(who)}"
    return Status.REVIEW, doubt if status is Status.OK else f"{reason}; {doubt}"


def _told_of_picks(outcome: Outcome, selection: Selection, removal: Removal) -> Outcome:
    """The outcome, which is ``review`` if a person decided about an object that is not found."""
    objects = selection.objects
    unfit = (removal.picks or ()) if objects is None else objects.unfit
    if not unfit:
        return outcome
    size = selection.hole_mask.shape
    who = [
        f"{one.category} {one.number} {verdict.where(one.box, (size[0], size[1]))}" for one in unfit
    ]
    return in_doubt(outcome, f"{UNFIT}{', '.join(who)}")


def in_doubt(outcome: Outcome, doubt: str) -> Outcome:
    """The outcome with a warning that makes it ``review``, unless it has failed."""
    outcome = replace(outcome, warnings=(*outcome.warnings, doubt))
    if outcome.status is Status.FAILED:
        return outcome
    reason = doubt if outcome.status is Status.OK else f"{outcome.reason}; {doubt}"
    return replace(outcome, status=Status.REVIEW, reason=reason)


def told_of_mask(outcome: Outcome, own: OwnMask) -> Outcome:
    """The outcome with what is to be known of the user's own mask."""
    outcome = replace(outcome, warnings=(*outcome.warnings, *own.notes))
    if own.why_none:
        return replace(outcome, reason=own.why_none)
    if outcome.status is Status.FAILED and own.notes:
        reason = "; ".join((outcome.reason, *own.notes))
        return replace(outcome, reason=reason, error=reason)
    if own.doubt and outcome.holes:
        reason = own.doubt if outcome.status is Status.OK else f"{outcome.reason}; {own.doubt}"
        return replace(outcome, status=Status.REVIEW, reason=reason)
    return outcome


def _places(left: Iterable[Left], picture: Picture | None = None) -> tuple[Leftover, ...]:
    """What is left, of the photo or of the box of ``picture``, as places of the photo."""
    y, x = (0, 0) if picture is None else (picture.box.y, picture.box.x)
    return tuple(Leftover(one.box.shifted(y, x), one.why, one.share) for one in left)


def _foreseen(
    unfilled: Outcome,
    whole: Whole,
    photo_filler: PhotoFiller,
    completeness: Completeness,
    picture: Picture | None,
) -> Outcome:
    """The outcome of a dry run: judged by all that is known before anything is filled."""
    selection, objects = whole.selection, whole.objects
    filler = photo_filler.unfilled(selection)
    holes = tuple(
        filler.foresee(hole, routing, *completeness.certainty(hole, objects))
        for hole, routing in zip(selection.holes, photo_filler.routed(selection), strict=True)
    )
    left = completeness.on_photo(objects)
    judged = _verdict(unfilled, whole, holes, Seen(None, left), completeness, picture)
    status, reason = judged.status, f"dry run: nothing was filled; {judged.reason}"
    return replace(judged, status=status, reason=reason)


def _judged(
    unfilled: Outcome,
    whole: Whole,
    filled: Filled,
    completeness: Completeness,
    seen: Seen,
    picture: Picture | None,
) -> Outcome:
    """The outcome of a filled photo: measured and judged."""
    measured = tuple(
        filled.filler.measure(each, *completeness.certainty(each.hole, whole.objects))
        for each in filled.holes
    )
    return replace(
        _verdict(unfilled, whole, measured, seen, completeness, picture),
        result=filled.filler.result,
        compared=filled.filler.compared,
    )


def _verdict(
    unfilled: Outcome,
    whole: Whole,
    holes: tuple[HoleOutcome, ...],
    seen: Seen,
    completeness: Completeness,
    picture: Picture | None,
) -> Outcome:
    """The outcome with its verdict, by the holes and by what is left."""
    selection, objects = whole.selection, whole.objects
    left_outside, place = completeness.colours(objects, selection.hole_mask)
    left = [*seen.left, *whole.doubtful]
    if place is not None and left_outside > REVIEW_LEFT_OUTSIDE:
        left.append(place)
    size = selection.hole_mask.shape if picture is None else picture.whole.size
    places = tuple(
        replace(place, kept=completeness.is_kept(one, objects))
        for place, one in zip(_places(left, picture), left, strict=True)
    )
    status, reason, figures = verdict.judge(
        selection.share, seen.residue, holes, left_outside, places, (size[0], size[1])
    )
    status, reason = _with_doubt(selection, status, reason)
    return replace(
        unfilled,
        status=status,
        reason=reason,
        figures=figures,
        mask=selection.hole_mask,
        layers=whole.layers,
        hole_share=selection.share,
        residue=seen.residue,
        left_outside=left_outside,
        leftovers=places,
        score=max(hole.score for hole in holes if hole.score is not None),
        holes=holes,
    )


def _refuse_picture(classes: Any) -> None:
    """Refuse a mask where the classes belong.

    Raises:
        UsageError: it is a mask, or the path of one.
    """
    is_file = isinstance(classes, os.PathLike) or (
        isinstance(classes, str) and is_readable(classes)
    )
    if is_file or len(getattr(classes, "shape", "1")) > 1 or hasattr(classes, "getbands"):
        raise UsageError(
            "classes takes class names, such as 'person', and a mask is given as mask=…; "
            f"got {shown(classes)}"
        )


#: Where keywords of folders belong that somebody gives with one picture.
_OF_FOLDERS = {
    "output": "the result is the picture, and result.image.save(…) writes it; remove_folder() "
    "writes files, with their metadata",
    **dict.fromkeys(
        ("workers", "overwrite", "save_masks", "series", "exclude", "dry_run", "masks", "batch"),
        "it belongs to remove_folder(), which takes single photos too",
    ),
}


@lru_cache(maxsize=1)
def _remover(settings: Settings) -> ObjectRemover:
    return ObjectRemover(settings)


@overload
def remove(
    image: NDArray[np.uint8],
    classes: str | Iterable[str] = (),
    *,
    mask: AnyMask | None = None,
    settings: Settings | None = None,
    **options: Unpack[PictureOptions],
) -> Removed[NDArray[np.uint8]]: ...


@overload
def remove(
    image: NDArray[np.uint16],
    classes: str | Iterable[str] = (),
    *,
    mask: AnyMask | None = None,
    settings: Settings | None = None,
    **options: Unpack[PictureOptions],
) -> Removed[NDArray[np.uint16]]: ...


@overload
def remove(
    image: AnyPath | Image.Image,
    classes: str | Iterable[str] = (),
    *,
    mask: AnyMask | None = None,
    settings: Settings | None = None,
    **options: Unpack[PictureOptions],
) -> Removed[Image.Image]: ...


def remove(
    image: Any,
    classes: str | Iterable[str] = (),
    *,
    mask: AnyMask | None = None,
    settings: Settings | None = None,
    **options: Unpack[PictureOptions],
) -> Removed[Any]:
    """Remove objects from one picture: ``ObjectRemover(**options).remove(image, classes)``.

    The networks stay loaded for the next call with the same options.

    Args:
        image: the path of a photo, a PIL image, or an HWC uint8 or uint16 RGB array.
        classes: the name of a Pascal VOC class, or several, or ``all``.
        mask: what to remove instead, see ``ObjectRemover.remove``.
        settings: the settings.
        options: fields of ``Settings``, which they replace.

    Raises:
        UsageError, UnreadableError: as ``ObjectRemover.remove``.
        TypeError: there is no option of that name.
    """
    known = (*PictureOptions.__annotations__, "mask", "settings")
    refuse_unknown("remove()", options, known, _OF_FOLDERS)
    return _remover(with_options(settings, options))._remove(image, classes, mask)
