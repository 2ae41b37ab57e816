"""What the other photos of a series show: photos of one place, taken one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from ...models.categories import CATEGORIES
from ..inpaint.series.alignment import Features, features_of, has_moved, moved_by, planes
from ..inpaint.series.choice import Borrowed, choose
from ..inpaint.series.matching import Match, Things, match, view_of
from ..inpaint.series.unmarked import shows_what_goes
from ..pixels import dilate_square, eight_bits, resize
from ..types import Box, FloatArray, Hole, Mask, Pixels

#: Probability from which a pixel may be of something that moves.
DOUBT = 0.2
#: Categories that do not move by themselves between two photos.
AT_REST = frozenset({"bottle", "chair", "diningtable", "pottedplant", "sofa", "tvmonitor"})
#: Pixels by which a photo's colours are judged; those of one tone (black and white, sepia) follow
#: from brightness but for so many levels of 8 bits, in this share of the pixels. Two photos of
#: which one has so many times the colours of the other are no pair: JPEGs of frames made sepia
#: have a quarter or less of the frame's, and two frames of one place differ by less than a quarter.
SAMPLES, ONE_TONE, TONE_SHARE, COLOURS = 40_000, 2.0, 0.97, 3.0


class Hidden(NamedTuple):
    """What hides the place in a photo.

    Attributes:
        covered: HW bool, where it does not show the place: what is found of the classes, whether it
            goes or stays, what goes along with it, and what is no picture.
        doubtful: HW bool, where it may not: of a class that may have moved meanwhile, or faintly of
            one that is removed. It shows the place if the photo that borrows shows the same thing.
    """

    covered: Mask
    doubtful: Mask

    @classmethod
    def surely(cls, covered: Mask) -> Hidden:
        """Nothing is in doubt."""
        return cls(covered, np.zeros_like(covered))


class SeriesPhoto(NamedTuple):
    """Another photo of a series.

    Attributes:
        name: in the report.
        rgb: HWC uint8 or uint16, of any size.
        hidden: where it does not show the place.
        features: of what is not covered; None if the camera is known not to have moved.
        unmarked: whether it may show, uncovered, the very thing that is removed, because a person
            marked it in the photo alone. Then each hole is compared with what stands in it.
        rank: its place among the photos of the series, from the nearest in time on.
    """

    name: str
    rgb: Pixels
    hidden: Hidden
    features: Features | None
    unmarked: bool = False
    rank: int = 0


class SeriesPhotos(Protocol):
    """The other photos of a photo's series, in any order, each with its rank.

    Each is loaded when it is asked for: one is in memory at a time. What cannot be read is left
    out.
    """

    def __iter__(self) -> Iterator[SeriesPhoto]:
        """Load one after the other."""


def borrowed(
    rgb: Pixels,
    hole_mask: Mask,
    holes: Sequence[Hole],
    series: SeriesPhotos,
    place: Box | None = None,
    described: Callable[[Pixels, Mask], Features] = features_of,
) -> list[Borrowed | None]:
    """What the photos of a series show of the holes of a photo.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        hole_mask: HW bool; nothing under it is read, except to tell whether an ``unmarked`` photo
            shows the same. It covers whoever stays, too.
        holes: to fill.
        series: the other photos.
        place: of ``rgb`` in the whole photo; None if it is the whole photo.
        described: as ``features_of``, which may remember the photo.

    Returns:
        For each hole; None if no photo shows anything of it.
    """
    views = [view_of(rgb, hole_mask, hole) for hole in holes]
    matches: list[list[tuple[int, Match]]] = [[] for _ in holes]
    own: Features | None = None
    place = place or Box.full(rgb.shape)
    colours, is_grey = _colours(rgb, ~hole_mask)
    for other in series:
        is_open = ~other.hidden.covered
        less, more = sorted((colours, _colours(other.rgb, is_open)[0]))
        if not is_grey and more > COLOURS * max(less, ONE_TONE):
            continue  # beside the hole it may fit, and the colours within it would be made up
        lent = _in_grey(other.rgb) if is_grey else other.rgb
        if other.features is None:
            part = place.slices
            if has_moved(rgb, ~hole_mask, other.rgb[part], is_open[part]):
                continue
            found = [moved_by(place.x, place.y)]
        else:
            own = own or described(rgb, hole_mask)
            found = planes(own, other.features)
        things = _things(other.hidden)
        for view, each in zip(views, matches, strict=True):
            for plane in found:
                one = match(
                    view,
                    other.name,
                    lent,
                    is_open,
                    plane,
                    exact=other.features is None,
                    things=things,
                )
                if one is None or (other.unmarked and shows_what_goes(rgb, view, one)):
                    continue
                each.append((other.rank, one))
        del other, lent  # the next one is loaded when this one is no longer in memory
    return [
        choose(view, [one for _, one in sorted(each, key=lambda ranked: ranked[0])])
        for view, each in zip(views, matches, strict=True)
    ]


def may_move(seen: FloatArray, shape: tuple[int, int], classes: Sequence[str], radius: int) -> Mask:
    """Where a photo may not show the place, covered or not, see ``Hidden``.

    Args:
        seen: 21hw, probabilities of the categories.
        shape: the photo's (height, width).
        classes: that are removed.
        radius: pixels by which it is widened.

    Returns:
        HW bool.
    """
    moves = [
        k for k, name in enumerate(CATEGORIES) if k and (name not in AT_REST or name in classes)
    ]
    probability = seen[moves].sum(0).astype(np.float32)
    return dilate_square(resize(probability, shape, cv2.INTER_LINEAR) >= DOUBT, radius)


def _colours(rgb: Pixels, shown: Mask) -> tuple[float, bool]:
    """(levels of 8 bits by which colours differ from one tone, whether a photo is black and white).

    Args:
        rgb: HWC uint8 or uint16.
        shown: HW bool; nothing else of it is read.
    """
    step = max(1, round((shown.size / SAMPLES) ** 0.5))
    pixels = eight_bits(rgb[::step, ::step])[shown[::step, ::step]].astype(np.float64)
    if not len(pixels):
        return 0.0, False
    others, powers = pixels[:, [0, 2]], (pixels[:, 1:2] / 255) ** np.arange(4)
    # Weights that bring every brightness to its tone: a cubic.
    tone, *_ = np.linalg.lstsq(powers, others, rcond=None)
    difference = np.abs(others - powers @ tone).max(1)
    is_grey = np.quantile(np.abs(others - pixels[:, 1:2]).max(1), TONE_SHARE) <= ONE_TONE
    return float(np.quantile(difference, TONE_SHARE)), bool(is_grey)


def _in_grey(rgb: Pixels) -> Pixels:
    return cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _things(hidden: Hidden) -> Things | None:
    """The connected parts of what is doubtful; None if nothing is."""
    if not hidden.doubtful.any():
        return None
    _, things = cv2.connectedComponents(hidden.doubtful.astype(np.uint8), ltype=cv2.CV_16U)
    return things.astype(np.uint16, copy=False)
