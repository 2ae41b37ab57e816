"""The things that pass from stage to stage. All frozen: no stage changes what it was given.

A photo is RGB, height x width x 3, uint8 or (where the file is) uint16. A mask is bool, height x width, True = remove.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Mask = NDArray[np.bool_]
#: Pictures and probabilities between stages: float32 wherever memory matters.
FloatArray = NDArray[np.floating[Any]]


class Route(StrEnum):
    """Which inpainter a hole goes to."""

    EDGE = "edge"
    FACE = "face"
    FREE_FORM = "free-form"


class Status(StrEnum):
    """The verdict on one photo, as it stands in the report."""

    OK = "ok"
    REVIEW = "review"
    FAILED = "failed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


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
        """The box enlarged by ``margin`` on every side and clipped to a picture's shape (height, width, …)."""
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

    ``rgb`` is HWC uint8 or uint16; ``alpha`` is HW of the same dtype, or None. ``native`` is what the writer needs to give
    back the file's own format, mode and metadata; only ``pipeline.images`` looks inside it.
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
    """A detected face: its box in photo pixels and the detector's score in [0, 1].

    Detectors draw their boxes differently. ``side``: of the square in which the face stands as it does in the pictures that the face
    network learned from, over the box's longer side; ``below``: how far that square's centre lies below the box's, in such sides.
    """

    box: Box
    score: float
    side: float = 1.0
    below: float = 0.0

    @property
    def frame(self) -> Box:
        """That square; it may reach over the photo's border."""
        side = round(self.side * max(self.box.w, self.box.h))
        x, y = self.box.x + self.box.w // 2 - side // 2, self.box.y + self.box.h // 2 - side // 2
        return Box(x, y + round(self.below * side), side, side)


@dataclass(frozen=True, eq=False)
class Hole:
    """One hole: its bounding box in the photo, its mask inside that box (True = remove), its share of the photo."""

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
    """The inpainter's error on known pixels of the same photo, inside the moved hole. See ``pipeline.quality.probe``."""

    l1: float
    psnr: float
    ssim: float
    lpips: float | None


@dataclass(frozen=True, slots=True)
class QualityFeatures:
    """Features of one filled hole that predict its error without ground truth; None = unknown.

    Measured by ``pipeline.quality.features`` and ``pipeline.quality.metrics``, weighed by
    ``pipeline.quality.verdict``. ``share``: the hole's share of the photo; ``probe``: the
    probe's LPIPS; ``segmented``: 1 if the segmenter drew the mask, 0 if the user gave it;
    ``certainty`` and ``ambiguity`` describe that mask. The report's names for
    ``context_diversity`` and ``ambiguity`` are ``variety`` and ``unsure``.
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
    """The same hole filled a classical way."""

    seam: float | None
    probe: Probe | None


@dataclass(frozen=True, slots=True)
class HoleOutcome:
    """What became of one hole; a row of the report's ``holes``.

    ``score``: the error to expect from ``features``, see ``pipeline.quality.verdict``. ``compare``: by classical method, where that was asked for.
    """

    box: Box
    share: float
    routing: Routing
    seam: float | None
    probe: Probe | None
    features: QualityFeatures | None = None
    score: float | None = None
    compare: dict[str, Compared] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What changed outside the holes: count of pixels, and PSNR in dB (None where nothing changed)."""

    changed_outside: int
    psnr_outside: float | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything known about one photo after its run: the pictures (in memory) and the figures (in the report).

    ``score``: the worst hole's; ``compared``: the whole result by classical method; ``truth``: the error inside the holes where the
    caller knows what was behind them; ``stages``: seconds by stage.
    """

    status: Status
    reason: str
    result: Pixels | None = None
    mask: Mask | None = None
    classes: dict[str, float] = field(default_factory=dict)
    hole_share: float = 0.0
    fidelity: Fidelity | None = None
    residue: float | None = None
    score: float | None = None
    truth: Probe | None = None
    holes: tuple[HoleOutcome, ...] = ()
    compared: dict[str, Pixels] = field(default_factory=dict)
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    warnings: tuple[str, ...] = ()
