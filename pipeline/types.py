"""The types that pass from stage to stage. All frozen: no stage changes its input.

A photo is RGB, height x width x 3, uint8, or uint16 if its file is. A mask is bool, height x width,
True = remove.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: HWC or HW samples of a picture.
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
#: HW, True = remove.
Mask = NDArray[np.bool_]
#: Pictures and probabilities between stages: float32 wherever memory matters.
FloatArray = NDArray[np.floating[Any]]


class Route(StrEnum):
    """Which inpainter a hole goes to."""

    EDGE = "edge"
    FACE = "face"
    FREE_FORM = "free-form"


class Status(StrEnum):
    """The verdict on one photo, by the report's names."""

    OK = "ok"
    REVIEW = "review"
    FAILED = "failed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"

    @property
    def words(self) -> str:
        """What people read for it: ``to check`` for ``review``."""
        return "to check" if self is Status.REVIEW else self.value


class Layer(IntEnum):
    """Why a pixel is removed: the values of ``Outcome.layers``."""

    NONE = 0
    OBJECT = 1
    SHADOW = 2
    REFLECTION = 3
    CARRIED = 4

    @property
    def label(self) -> str:
        """Its name in reports."""
        return self.name.lower()


#: The colours in which layers are shown, RGB: in saved layers, the preview of the mask and its
#: legend. They differ in brightness too, so that colour-blind people tell them apart.
LAYER_COLOURS: dict[Layer, tuple[int, int, int]] = {
    Layer.NONE: (0, 0, 0),
    Layer.OBJECT: (232, 28, 118),
    Layer.SHADOW: (40, 60, 215),
    Layer.REFLECTION: (90, 255, 255),
    Layer.CARRIED: (175, 100, 0),
}


#: The value of a kept object's pixels in saved layers, where nothing is removed; its colour, RGB.
KEPT, KEPT_COLOUR = 5, (195, 225, 15)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left, top, width, height. Half-open: ``x <= column < x + w``."""

    x: int
    y: int
    w: int
    h: int

    @classmethod
    def from_corners(cls, x0: int, y0: int, x1: int, y1: int) -> Box:
        """The box from column ``x0`` up to ``x1`` and from row ``y0`` up to ``y1``, both excluded.

        Corners in the wrong order give an empty box: its width or height is 0.
        """
        return cls(x0, y0, max(0, x1 - x0), max(0, y1 - y0))

    @classmethod
    def from_slices(cls, rows: slice, columns: slice) -> Box:
        """The box that two slices with a start and a stop select; the inverse of ``slices``."""
        return cls.from_corners(columns.start, rows.start, columns.stop, rows.stop)

    @classmethod
    def full(cls, shape: tuple[int, ...]) -> Box:
        """The whole picture of an array's shape (height, width, …)."""
        return cls(0, 0, int(shape[1]), int(shape[0]))

    @classmethod
    def bounding(cls, mask: Mask) -> Box:
        """The smallest box that holds every True pixel of an HW mask, which must have one."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        return cls.from_corners(
            int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        )

    @property
    def right(self) -> int:
        """The first column to the right of the box."""
        return self.x + self.w

    @property
    def bottom(self) -> int:
        """The first row below the box."""
        return self.y + self.h

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array of the photo's size."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.w * self.h

    def as_list(self) -> list[int]:
        """``[x, y, w, h]``, as in the report."""
        return [self.x, self.y, self.w, self.h]

    def shifted(self, dy: int, dx: int) -> Box:
        """The box moved down by ``dy`` and to the right by ``dx``."""
        return Box(self.x + dx, self.y + dy, self.w, self.h)

    def relative_to(self, other: Box) -> Box:
        """The same pixels in coordinates whose origin is the top left corner of ``other``."""
        return self.shifted(-other.y, -other.x)

    def grown(self, margin: int, shape: tuple[int, ...]) -> Box:
        """The box enlarged by ``margin`` on every side and clipped to a picture.

        Args:
            margin: in pixels.
            shape: the picture's shape (height, width, …).
        """
        return Box.from_corners(
            self.x - margin, self.y - margin, self.right + margin, self.bottom + margin
        ).intersection(Box.full(shape))

    def intersection(self, other: Box) -> Box:
        """The pixels in both boxes; empty (area 0) if they share none."""
        return Box.from_corners(
            max(self.x, other.x),
            max(self.y, other.y),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def intersects(self, other: Box) -> bool:
        """Whether the boxes share a pixel."""
        return self.intersection(other).area > 0

    def union(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box.from_corners(
            min(self.x, other.x),
            min(self.y, other.y),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright (its EXIF orientation applied once).

    Attributes:
        rgb: HWC uint8 or uint16.
        alpha: HW of the same dtype, or None.
        path: the photo's file; None for a picture from memory.
        native: what the writer needs to keep the file's format, mode and metadata; only
            ``pipeline.images`` reads it.
        warnings: what the report says about reading the file.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    path: Path | None = None
    native: Any = None
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.rgb.shape[0]), int(self.rgb.shape[1])


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face.

    Detectors draw their boxes differently; ``side`` and ``below`` make up for it.

    Attributes:
        box: the detector's box in pixels of the photo.
        score: the detector's score in [0, 1].
        side: side of the square crop that the face network expects, as a multiple of the box's
            longer side.
        below: distance of that square's centre below the box's centre, as a multiple of its side.
        turn: how far it is turned: 0 looks at the camera, 1 is a profile.
    """

    box: Box
    score: float
    side: float = 1.0
    below: float = 0.0
    turn: float = 0.0

    @property
    def frame(self) -> Box:
        """The square crop that the face network expects; it may reach over the photo's border."""
        side = round(self.side * max(self.box.w, self.box.h))
        x, y = self.box.x + self.box.w // 2 - side // 2, self.box.y + self.box.h // 2 - side // 2
        return Box(x, y + round(self.below * side), side, side)


@dataclass(frozen=True, eq=False)
class Hole:
    """One hole of a photo.

    Attributes:
        box: its bounding box in pixels of the photo.
        mask: bool of the box's size, True = remove.
        share: its share of the photo's pixels.
    """

    box: Box
    mask: Mask
    share: float


@dataclass(frozen=True, slots=True)
class Routing:
    """The router's decision for one hole, with its reason in words."""

    route: Route
    why: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The error of a fill where the true pixels are known, over the pixels of the hole.

    Usually that of the hole moved to a known place of the same photo, see
    ``pipeline.quality.probe``.

    Attributes:
        l1: mean absolute error of colours in [0, 1].
        psnr: in dB.
        ssim: in [-1, 1].
        lpips: None if its network is unavailable.
    """

    l1: float
    psnr: float
    ssim: float
    lpips: float | None


@dataclass(frozen=True, slots=True)
class QualityFeatures:
    """Features of one filled hole, measured without ground truth; None = unknown.

    Measured by ``pipeline.quality.features`` and ``pipeline.quality.metrics``.
    ``pipeline.quality.verdict`` predicts the hole's error from ``depth``, ``seam``, ``structure``
    and ``context_diversity``; the others are only reported, or tried again when the score is
    fitted. ``share``: the hole's share of the photo; ``probe``: the probe's LPIPS; ``segmented``: 1
    if the segmenter drew the mask, 0 if the user gave it; ``certainty`` and ``ambiguity``: of the
    compact segmenter on the photo, over the hole. The report's names for ``context_diversity`` and
    ``ambiguity`` are ``variety`` and ``unsure``.
    """

    depth: float
    share: float
    seam: float | None = None
    structure: float | None = None
    context_diversity: float | None = None
    probe: float | None = None
    segmented: float = 0.0
    certainty: float | None = None
    ambiguity: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """The same hole filled by a classical method."""

    seam: float | None
    probe: Probe | None


@dataclass(frozen=True, slots=True)
class HoleOutcome:
    """The outcome of one hole; a row of the report's ``holes``.

    Attributes:
        box: its bounding box in pixels of the photo.
        share: its share of the photo's pixels.
        routing: the inpainter that filled it, and why.
        seam: visibility of its rim, see ``pipeline.quality.metrics.seam``; None if not filled.
        probe: the inpainter's error on the moved hole; None without a probe.
        features: the quality features; None if not filled.
        score: the error predicted from ``features``, see ``pipeline.quality.verdict``.
        compare: the same hole by classical method, if a comparison was requested.
        borrowed: by name of another photo of the place, the share of the hole that comes from it.
        of_window: its share of what it is filled from, see ``pipeline.geometry.surroundings``.
    """

    box: Box
    share: float
    routing: Routing
    seam: float | None
    probe: Probe | None
    features: QualityFeatures | None = None
    score: float | None = None
    compare: dict[str, Compared] = field(default_factory=dict)
    borrowed: dict[str, float] = field(default_factory=dict)
    of_window: float = 0.0


@dataclass(frozen=True, slots=True)
class Leftover:
    """A place where something of what was removed seems to be left.

    Attributes:
        box: its bounding box in pixels of the photo.
        why: what is there, in words: a sentence without the place.
        share: its pixels over those and the pixels of the hole that it belongs to; in (0, 1).
        kept: whether it is an object of its own, far from the holes, whose class was not requested:
            the verdict does not count it.
    """

    box: Box
    why: str
    share: float
    kept: bool = False


@dataclass(frozen=True, slots=True)
class FoundObject:
    """One object of the requested classes; a row of the report's ``objects``.

    Attributes:
        number: from 1 on, the largest object first; the same in every run with the same classes,
            segmenter and threshold.
        category: name of its class.
        box: its bounding box in pixels of the photo.
        share: its pixels' share of the photo, before dilation.
        confidence: mean probability of its class over its pixels, in [0, 1].
        removed: whether it is removed; if not, it is kept.
        why: why, in words.
        doubtful: whether it is kept only because nobody can be sure.
    """

    number: int
    category: str
    box: Box
    share: float
    confidence: float
    removed: bool = True
    why: str = ""
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Pick:
    """A person's decision about one object, as it was found when they decided.

    Attributes:
        number: the object's number.
        category: name of its class.
        box: its bounding box in pixels of the photo.
        removed: whether it is to go.
    """

    number: int
    category: str
    box: Box
    removed: bool


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Changes outside the holes.

    Attributes:
        changed_outside: number of pixels.
        psnr_outside: in dB; None if nothing changed.
    """

    changed_outside: int
    psnr_outside: float | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything known about one photo after its run: its pictures, and metrics for the report.

    Attributes:
        status: the verdict.
        reason: why, in words: what can be seen first.
        result: HWC of the photo's dtype, with its holes filled; None if nothing was filled.
        mask: HW bool, True = removed; None if the photo could not be read.
        layers: HW uint8, a ``Layer`` for each pixel: why it is removed; None as ``mask``.
        kept: HW bool, True = of an object that is kept; None if there is none.
        classes: share of the photo by detected class, before dilation.
        objects: the single objects of the requested classes, removed ones and kept ones, the
            largest first; none for a given mask.
        labels: HW uint16, 0 or the number of each pixel's object; None but for dry runs.
        hole_share: share of the photo that is removed.
        fidelity: changes outside the holes; None if no photo was written.
        residue: share of the holes that the compact segmenter, run on the result, still assigns to
            the removed classes; None if the mask was given and it sees no class under it.
        left_outside: share of the pixels beside the worst hole that have its object's colours, see
            ``pipeline.detect.edge``; None if nothing was filled.
        leftovers: the places where something of what was removed seems to be left, see
            ``pipeline.detect.leftovers``.
        score: the worst hole's.
        truth: error inside the holes against the ground truth, if the caller gave one.
        holes: the outcome of each hole, largest first.
        compared: the whole result by classical method.
        seconds: time spent on the photo.
        stages: seconds by stage.
        error: why the photo failed; None if it did not.
        warnings: further sentences about the photo, for the report.
        figures: those behind the reason, with their limits; empty if there are none.
    """

    status: Status
    reason: str
    result: Pixels | None = None
    mask: Mask | None = None
    layers: NDArray[np.uint8] | None = None
    kept: Mask | None = None
    classes: dict[str, float] = field(default_factory=dict)
    objects: tuple[FoundObject, ...] = ()
    labels: NDArray[np.uint16] | None = None
    hole_share: float = 0.0
    fidelity: Fidelity | None = None
    residue: float | None = None
    left_outside: float | None = None
    leftovers: tuple[Leftover, ...] = ()
    score: float | None = None
    truth: Probe | None = None
    holes: tuple[HoleOutcome, ...] = ()
    compared: dict[str, Pixels] = field(default_factory=dict)
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    warnings: tuple[str, ...] = ()
    figures: str = ""
