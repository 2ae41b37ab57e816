"""One photo through the pipeline: select, route, fill, measure, judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .config import FAIL_HOLE_SHARE, Settings, resolve_classes
from .detect.edge import left_outside
from .detect.mask import removed_probability
from .errors import UnreadableError, UsageError
from .inpaint.route import choose_route
from .networks import Networks, NetworkSettings
from .quality import metrics, verdict
from .removal.filling import HoleFiller, error_inside
from .removal.picture import Picture, picture_of
from .removal.progress import FACES, MEASURE, SEGMENT, Progress, Stages, no_progress
from .removal.request import Removal
from .removal.selection import Selection, select
from .types import Box, Face, Hole, HoleOutcome, Mask, Outcome, Photo, Pixels, Probe, Status


class Removed(NamedTuple):
    """The result of ``ObjectRemover.remove``.

    Attributes:
        image: the picture, of the type that was given.
        outcome: everything that the report holds about it, and the pictures in memory.
    """

    image: Any
    outcome: Outcome


class ObjectRemover:
    """Removes objects from photos.

    Networks load once, when they are first needed. ``remove`` and ``clean`` may be called from
    several threads.

    Attributes:
        settings: the user's settings. ``remove`` follows all of them; in ``clean`` the fields of
            its ``Removal`` replace them.
        networks: the loaded networks.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self.networks = Networks(NetworkSettings.from_settings(self._settings))

    @property
    def settings(self) -> Settings:
        """Read-only: a changed setting would not reach networks that are already loaded."""
        return self._settings

    def remove(
        self, image: Any, classes: Iterable[str] = (), *, hole: Mask | None = None
    ) -> Removed:
        """Remove objects from one picture.

        Args:
            image: a PIL image or an HWC uint8 RGB array; it is not changed.
            classes: names of Pascal VOC classes, or ``all``.
            hole: HW bool, True = remove; then nothing is segmented.

        Returns:
            (image of the same kind and size, outcome). If there is nothing to remove, the image is
            an equal copy.

        Raises:
            UsageError: an unknown class, neither class nor hole, a hole or a picture of another
                kind, or a picture without pixels.
        """
        names = resolve_classes(classes)
        if not names and hole is None:
            raise UsageError("name at least one class, or give the hole")
        photo, restore = _as_photo(image)
        if hole is not None:
            _refuse_other_hole(hole, photo.size)
        outcome = self.clean(photo, Removal.from_settings(self.settings, names, hole))
        if outcome.result is None or outcome.mask is None:
            return Removed(image.copy(), outcome)
        return Removed(restore(outcome.result, outcome.mask), outcome)

    def select(self, photo: Photo, removal: Removal) -> Selection:
        """Decide which pixels would be removed, and fill nothing."""
        picture = picture_of(photo, removal.mask)
        if picture is None:
            return select(photo.rgb, removal, self.networks)
        inner = select(
            picture.photo.rgb,
            picture.of(removal),
            self.networks,
            picture.outside,
            picture.unread,
        )
        return picture.selection(inner, removal)

    def clean(self, photo: Photo, removal: Removal, *, progress: Progress = no_progress) -> Outcome:
        """Take one photo through every stage between reading and writing.

        Args:
            photo: the photo; it is not changed.
            removal: what to remove, and how.
            progress: called before each stage with the share of the work that is done, 0 to 1, and
                the stage's name. An exception of it passes through and cancels the removal.
        """
        stages = Stages(progress)
        with stages("segment"):
            picture = picture_of(photo, removal.mask)
        if picture is None:
            outcome = self._clean(photo, removal, stages)
        else:
            inner = self._clean(picture.photo, picture.of(removal), stages, picture)
            outcome = picture.outcome(inner, removal)
        return replace(outcome, seconds=stages.watch.elapsed, stages=stages.watch.stages)

    def _clean(
        self, photo: Photo, removal: Removal, stages: Stages, picture: Picture | None = None
    ) -> Outcome:
        """The outcome of a photo that is picture all over, or of the box of ``picture``."""
        outside, unread = (None, None) if picture is None else (picture.outside, picture.unread)
        with stages("segment", SEGMENT):
            selection = select(photo.rgb, removal, self.networks, outside, unread)
        share = selection.share
        outcome = Outcome(
            Status.UNCHANGED,
            selection.why_empty,
            mask=selection.hole_mask,
            classes=selection.classes,
            hole_share=share,
            warnings=photo.warnings,
        )
        if share > FAIL_HOLE_SHARE:
            status, reason = verdict.judge(share, None, ())
            outcome = replace(outcome, status=status, reason=reason, error=reason)
        elif selection.holes:
            outcome = self._fill(photo, removal, selection, stages, outcome, unread)
        return outcome

    def _fill(
        self,
        photo: Photo,
        removal: Removal,
        selection: Selection,
        stages: Stages,
        outcome: Outcome,
        unread: Mask | None,
    ) -> Outcome:
        """The outcome of a photo with holes: route, fill each, measure, judge."""
        holes, hole_mask = selection.holes, selection.hole_mask
        with stages("faces", FACES):
            faces = self._faces(photo.rgb, removal)
        routings = [choose_route(hole, hole_mask, faces, removal.route) for hole in holes]
        if removal.dry_run:
            unfilled = tuple(
                HoleOutcome(hole.box, hole.share, routing, None, None)
                for hole, routing in zip(holes, routings, strict=True)
            )
            reason = "dry run: nothing was filled"
            return replace(outcome, status=Status.OK, reason=reason, holes=unfilled)
        filler = HoleFiller(photo.rgb, hole_mask, removal, self.networks, faces, unread)
        filled = [
            filler.fill(hole, routing, stages.of_hole(i, len(holes)))
            for i, (hole, routing) in enumerate(zip(holes, routings, strict=True))
        ]
        with stages("measure", MEASURE):
            residue = self._residue(filler.result, hole_mask, removal)
            left = _left_outside(photo.rgb, removal, holes, hole_mask, unread)
            measured = tuple(filler.measure(each, selection.probability) for each in filled)
        status, reason = verdict.judge(selection.share, residue, measured, left)
        return replace(
            outcome,
            status=status,
            reason=reason,
            result=filler.result,
            residue=residue,
            left_outside=left,
            score=max(hole.score for hole in measured if hole.score is not None),
            holes=measured,
            compared=filler.compared,
        )

    def _faces(self, rgb: Pixels, removal: Removal) -> list[Face]:
        """The photo's faces, if a hole's route may depend on them."""
        return self.networks.faces.detect(rgb) if removal.route in ("auto", "face") else []

    def _residue(self, result: Pixels, hole_mask: Mask, removal: Removal) -> float | None:
        """Share of the holes that the segmenter still assigns to the removed classes."""
        if not removal.classes:
            return None
        after = removed_probability(self.networks.segmenter.probabilities(result), removal.classes)
        return metrics.residue(after, hole_mask, removal.threshold)

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


def _left_outside(
    rgb: Pixels, removal: Removal, holes: Sequence[Hole], hole_mask: Mask, unread: Mask | None
) -> float | None:
    """How much of the object a mask of the user's own leaves beside its worst hole."""
    if removal.mask is None:
        return None
    return max(left_outside(rgb, hole_mask, hole.box, unread) for hole in holes)


#: PIL's modes of 8 bits a channel; others lose most of their values on the way through RGB.
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


def _refuse_other_hole(hole: Any, size: tuple[int, int]) -> None:
    """Refuse a hole that is no bool array of the picture's (height, width)."""
    if not isinstance(hole, np.ndarray) or hole.dtype != bool:
        kind = f"{type(hole).__name__} {getattr(hole, 'dtype', '')}".rstrip()
        raise UsageError(
            f"the hole must be a bool array, True = remove, got {kind}; "
            "of a grey picture take np.asarray(picture) > 127"
        )
    if hole.ndim != 2:
        raise UsageError(f"the hole must be height x width, got the shape {hole.shape}")
    if hole.shape != size:
        (h, w), (height, width) = hole.shape, size
        raise UsageError(f"the hole is {w}x{h} pixels, the picture {width}x{height}")


def _as_photo(image: Any) -> tuple[Photo, Callable[[Pixels, Mask], Any]]:
    """A photo of a PIL image or an array, and a function that turns its result into the same kind.

    The function takes the pixels and the mask of those that were removed.
    """
    from PIL import Image

    if isinstance(image, Image.Image) and image.mode in _MODES and all(image.size):
        alpha = np.asarray(image.getchannel("A")) if image.mode in ("RGBA", "LA") else None
        mode = image.mode

        def restore(pixels: Pixels, mask: Mask) -> Any:
            result = Image.fromarray(pixels)
            if alpha is not None:
                result.putalpha(Image.fromarray(alpha))
            if result.mode == mode:
                return result
            # Few modes survive the way to RGB and back; outside the holes nothing may change.
            restored = image.copy()
            converted = (
                result.quantize(palette=image.convert("P"), dither=Image.Dither.NONE)
                if mode == "P"
                else result.convert(mode)
            )
            restored.paste(converted, mask=Image.fromarray(mask))
            return restored

        return Photo(np.asarray(image.convert("RGB")), alpha), restore
    if (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size
    ):
        return Photo(image), lambda pixels, _: pixels.copy()
    kind = type(image).__name__
    if isinstance(image, np.ndarray):
        kind += f" {image.shape} {image.dtype}"
    elif isinstance(image, Image.Image):
        kind += f" {image.width}x{image.height} {image.mode}"
    raise UsageError(
        f"expected a PIL image ({', '.join(_MODES)}) or an HWC uint8 RGB array, "
        f"with pixels, got {kind}"
    )
