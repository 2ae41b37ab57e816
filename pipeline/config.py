"""All settings of a run and every number that decides something. Figures here are the ones the documentation quotes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models.categories import CLASSES
from .errors import UsageError

if TYPE_CHECKING:
    pass


SEGMENTERS = ("auto", "fcn_resnet101", "compact")

ROUTES = ("auto", "edge", "face", "free-form")

DEVICES = ("auto", "cpu", "cuda", "mps")

DETAILS = ("texture", "none")

COMPARISONS = ("navier-stokes", "telea")


@dataclass(frozen=True)
class Settings:
    """What the user may choose. Two runs with equal settings give equal pictures.

    ``dilate`` is a radius in pixels of the photo, or None for ``AUTO_DILATE``; ``threshold`` the least probability in [0, 1]
    of the removed classes at which a pixel is taken. ``detail``: whether the photo's own texture is laid into the holes. ``compare``:
    classical ways in which the same holes are filled too, for the report. ``prefilter``: whether the compact segmenter looks first, and a
    slower one is asked only about photos in which it sees a trace of the classes. ``strip_metadata``: whether photos are written without
    the metadata that their pixels do not need, those too in which nothing was found.
    """

    segmenter: str = "auto"
    threshold: float = 0.5
    dilate: int | None = None
    route: str = "auto"
    detail: str = "texture"
    device: str = "auto"
    probe: bool = True
    lossless: bool = False
    offline: bool = False
    compare: tuple[str, ...] = ()
    prefilter: bool = True
    strip_metadata: bool = False

    def __post_init__(self) -> None:
        for name, value, legal in (
            ("segmenter", self.segmenter, SEGMENTERS),
            ("route", self.route, ROUTES),
            ("detail", self.detail, DETAILS),
            ("device", self.device, DEVICES),
        ):
            if value not in legal:
                raise UsageError(f"{name} must be one of {', '.join(legal)}; got '{value}'")
        unknown = [m for m in self.compare if m not in COMPARISONS]
        if unknown:
            raise UsageError(f"compare takes {' and '.join(COMPARISONS)}; got '{unknown[0]}'")
        if not 0 < self.threshold < 1:
            raise UsageError(f"threshold must lie between 0 and 1; got {self.threshold}")
        if self.dilate is not None and not 0 <= self.dilate <= 2000:
            raise UsageError(f"dilate must be 'auto' or 0 to 2000 pixels; got {self.dilate}")


def resolve_classes(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Class names as the user wrote them -> names of ``CLASSES`` in their order; ``all`` is every one.

    Raises:
        UsageError: an unknown name, with the twenty there are.
    """
    wanted = {n.strip().lower().replace(" ", "").replace("_", "") for n in names}
    if "all" in wanted:
        return CLASSES
    unknown = sorted(wanted - set(CLASSES))
    if unknown:
        raise UsageError(
            f"unknown class {', '.join(repr(u) for u in unknown)}; the classes are: {', '.join(CLASSES)}, or all"
        )
    return tuple(c for c in CLASSES if c in wanted)


def auto_dilate(height: int, width: int) -> int:
    """The dilation radius that follows the photo's size: 1.2 % of its longer side, at least 3 pixels.

    The segmenters answer on a grid of about 1/128 of the longer side; their border is off by about one cell.
    """
    return max(3, round(0.012 * max(height, width)))


#: Connected parts of a class mask below this share of the photo are specks and dropped.
SPECK_SHARE = 0.0004

#: A hole may be this share of a photo before its verdict is ``review`` on that ground alone.
REVIEW_HOLE_SHARE = 0.35

#: Above this share nothing is left to fill from, and the photo fails.
FAIL_HOLE_SHARE = 0.90

#: Residue (share of the hole that the segmenter still calls the removed class) above which a photo is for review.
REVIEW_RESIDUE = 0.20

#: Expected error (``pipeline.quality.verdict.expected_error``) above which a photo is for review: a third of the photos of docs/quality-report.md are above.
REVIEW_SCORE = 0.285
