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

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array of the photo's size."""
        return slice(self.y, self.y + self.h), slice(self.x, self.x + self.w)

    @property
    def area(self) -> int:
        return self.w * self.h

    def as_list(self) -> list[int]:
        return [self.x, self.y, self.w, self.h]


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
    """The inpainter's error on known pixels of the same photo, inside the moved hole. See ``pipeline.quality.metrics.probe``."""

    l1: float
    psnr: float
    ssim: float
    lpips: float | None


@dataclass(frozen=True, slots=True)
class Signs:
    """What one hole shows of its result's worth without the truth; None = not known. See ``pipeline.quality.signs`` and ``pipeline.quality.metrics``.

    ``share`` is the hole's of the photo; ``probe`` the probe's LPIPS; ``segmented`` 1 where the segmenter drew the mask, 0 where it was
    given; ``certainty`` and ``unsure`` are of that mask.
    """

    depth: float
    share: float
    seam: float | None = None
    structure: float | None = None
    variety: float | None = None
    probe: float | None = None
    segmented: float = 0.0
    certainty: float | None = None
    unsure: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """The same hole filled a classical way."""

    seam: float | None
    probe: Probe | None


@dataclass(frozen=True, slots=True)
class HoleOutcome:
    """What became of one hole; a row of the report's ``holes``.

    ``score``: the error to expect from ``signs``, see ``pipeline.quality.verdict``. ``compare``: by classical method, where that was asked for.
    """

    box: Box
    share: float
    routing: Routing
    seam: float | None
    probe: Probe | None
    signs: Signs | None = None
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
