"""What a removed person rides: a bicycle, a motorbike or a horse would stand there alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels import dilate_square, resize
from ..types import Box, FloatArray, Mask
from .leftovers import View, hole_in
from .mask import removed_probability

#: Classes that somebody rides, and those who do.
MOUNTS, RIDER = ("bicycle", "motorbike", "horse"), "person"
#: Probability of a mount from which its pixels count: those that are connected with a sure one.
FAINT, SURE = 0.25, 0.6
#: Least area of a mount, as a share of its riders' holes.
LEAST = 0.1
#: A rider's hole and a mount touch if at most so many pixels of the view are between them.
GAP = 3
#: The rider's middle lies within the mount's, widened by this share of its width on each side; the
#: rider reaches above it by this share of the mount's height at least, and below it by the second
#: at most: who stands in front of a mount has lower feet. Of a mount that holds its head as high as
#: its rider's, what lies below the rider counts, if the rider's feet are higher than its own by the
#: third share: who leads a horse stands where it stands.
ASIDE, ABOVE, BELOW, FEET = 0.1, 0.2, 0.2, 0.1
#: Two parts of a mount on both sides of its rider share this part of the rows of the lower one.
HALVES = 0.5


class Mount(NamedTuple):
    """What a removed person rides, as far as a view shows it.

    Attributes:
        box: in pixels of the photo.
        mask: bool of the box's size, without the holes.
        is_cut: whether the view ends inside it, or inside its other half.
    """

    box: Box
    mask: Mask
    is_cut: bool


def ridden(view: View, hole_mask: Mask) -> list[Mount]:
    """The mounts of the removed people of a view.

    Args:
        view: of the photo.
        hole_mask: HW bool, the removed people, widened. May have thousands of parts.
    """
    inside = hole_in(view, hole_mask)
    probability = removed_probability(view.seen, MOUNTS)
    if not inside.any() or probability.max() < SURE:
        return []
    found = []
    _, labels = cv2.connectedComponents((probability >= FAINT).astype(np.uint8), connectivity=8)
    sure = [int(number) for number in np.unique(labels[probability >= SURE])]
    for number in sure:
        mount = labels == number
        for rider in _near(inside, mount):
            halves = _halves(mount, number, labels, sure, rider)
            under = rider & (probability >= FAINT) & dilate_square(mount, 2 * GAP)
            if is_ridden(halves | under, rider):
                there = np.where(dilate_square(mount, 1), probability, 0).astype(np.float32)
                # If the view ends inside the other half, it does not show what was judged.
                is_cut = _is_cut(halves & ~inside, view, hole_mask.shape)
                place = _in_photo(there, view, hole_mask, is_cut=is_cut)
                if place is not None:
                    found.append(place)
                break
    return found


def is_ridden(mount: Mask, rider: Mask) -> bool:
    """Whether a removed person sits or stands on a mount.

    Args:
        mount: hw bool, the mount as far as it is seen.
        rider: hw bool, the person's hole; may cover a part of the mount.
    """
    if mount.sum() < LEAST * rider.sum() or not (dilate_square(rider, GAP) & mount).any():
        return False
    body, seat = Box.bounding(rider), Box.bounding(mount)
    aside = ASIDE * seat.w
    if not seat.x - aside <= _centre(body) <= seat.right + aside:
        return False
    is_above = (
        body.y <= seat.y - ABOVE * seat.h
        and body.y < seat.y < body.bottom
        and body.bottom <= seat.bottom + BELOW * seat.h
    )
    return is_above or _sits_on(body, mount, seat)


def _sits_on(body: Box, mount: Mask, seat: Box) -> bool:
    """Whether a rider is above what of the mount, bounded by ``seat``, lies in its columns."""
    below = mount[:, body.x : body.right]
    there = below.any(0)
    if not there.any():
        return False
    back = float(np.median(below.argmax(0)[there]))
    return body.y <= back - ABOVE * seat.h and back < body.bottom <= seat.bottom - FEET * seat.h


def _near(inside: Mask, mount: Mask) -> Iterator[Mask]:
    """The parts of the holes near a mount, one by one, without those too low for a rider's."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    least = ABOVE * Box.bounding(mount).h
    for number in np.unique(labels[dilate_square(mount, 2 * GAP)]):
        if number and stats[number, cv2.CC_STAT_HEIGHT] > least:
            yield labels == number


def _halves(
    mount: Mask, number: int, labels: NDArray[np.int32], sure: Sequence[int], rider: Mask
) -> Mask:
    """A part of a mount with its other half.

    A rider's hole may divide a horse. The other half touches the hole on its other side, in about
    the same rows.
    """
    halves, own, middle = mount.copy(), Box.bounding(mount), Box.bounding(rider)
    beside = np.unique(labels[dilate_square(rider, GAP)])
    for other in set(beside.tolist()) & set(sure) - {number}:
        half = labels == other
        box = Box.bounding(half)
        rows = min(own.bottom, box.bottom) - max(own.y, box.y)
        is_opposite = (_centre(own) - _centre(middle)) * (_centre(box) - _centre(middle)) < 0
        if is_opposite and rows >= HALVES * min(own.h, box.h):
            halves |= half
    return halves


def _centre(box: Box) -> float:
    """The column of a box's middle."""
    return box.x + box.w / 2


def _is_cut(part: Mask, view: View, shape: tuple[int, ...]) -> bool:
    """Whether the view ends inside a part of it, and the photo goes on.

    Args:
        part: hw bool, in pixels of the view.
        view: of the photo.
        shape: the photo's (height, width).
    """
    crop = view.crop
    return bool(
        (crop.x > 0 and part[:, 0].any())
        or (crop.y > 0 and part[0].any())
        or (crop.right < shape[1] and part[:, -1].any())
        or (crop.bottom < shape[0] and part[-1].any())
    )


def _in_photo(there: FloatArray, view: View, hole_mask: Mask, *, is_cut: bool) -> Mount | None:
    """The mount's pixels in the photo, without the holes; None if there are none."""
    crop = view.crop
    mask = resize(there, (crop.h, crop.w), cv2.INTER_LINEAR) >= FAINT
    mask &= ~hole_mask[crop.slices]
    if not mask.any():
        return None
    inner = Box.bounding(mask)
    return Mount(inner.shifted(crop.y, crop.x), mask[inner.slices], is_cut)
