"""What the other photos of a series show: photos of one place, taken one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from ..inpaint.series.alignment import Features, features_of, moved_by, planes
from ..inpaint.series.choice import Borrowed, choose
from ..inpaint.series.matching import Match, match, view_of
from ..inpaint.series.unmarked import shows_what_goes
from ..types import Box, Hole, Mask, Pixels


class SeriesPhoto(NamedTuple):
    """Another photo of a series.

    Attributes:
        name: in the report.
        rgb: HWC uint8 or uint16, of any size.
        covered: HW bool, where it does not show the place: what is found of the classes, whether it
            goes or stays, what goes along with it, and what is no picture.
        features: of what is not covered; None if the camera is known not to have moved.
        unmarked: whether it may show, uncovered, the very thing that is removed, because a person
            marked it in the photo alone. Then each hole is compared with what stands in it.
    """

    name: str
    rgb: Pixels
    covered: Mask
    features: Features | None
    unmarked: bool = False


class SeriesPhotos(Protocol):
    """The other photos of a photo's series, nearest in time first.

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
) -> list[Borrowed | None]:
    """What the photos of a series show of the holes of a photo.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        hole_mask: HW bool; nothing under it is read, except to tell whether an ``unmarked`` photo
            shows the same. It covers whoever stays, too.
        holes: to fill.
        series: the other photos.
        place: of ``rgb`` in the whole photo; None if it is the whole photo.

    Returns:
        For each hole; None if no photo shows anything of it.
    """
    views = [view_of(rgb, hole_mask, hole) for hole in holes]
    matches: list[list[Match]] = [[] for _ in holes]
    own: Features | None = None
    place = place or Box.full(rgb.shape)
    for other in series:
        if other.features is None:
            found = [moved_by(place.x, place.y)]
        else:
            own = own or features_of(rgb, hole_mask)
            found = planes(own, other.features)
        is_open = ~other.covered
        for view, each in zip(views, matches, strict=True):
            for plane in found:
                one = match(
                    view, other.name, other.rgb, is_open, plane, exact=other.features is None
                )
                if one is None or (other.unmarked and shows_what_goes(rgb, view, one)):
                    continue
                each.append(one)
        del other  # the next one is loaded when this one is no longer in memory
    return [choose(view, each) for view, each in zip(views, matches, strict=True)]
