"""Where the points of a photo lie in another photo of the same place.

Features (Lowe 2004, SIFT) of what nothing covers in either photo are matched, and homographies
explain the matches: the plane that most of them share first, then those of the rest. A street is no
plane: each part of it may follow another one.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import (
    blur,
    dilate_square,
    eight_bits,
    reduction,
    resize,
    scaled_size,
    wholly_covered,
)
from ...types import FloatArray, Mask, Pixels

#: Maps (x, y, 1) of the photo to the other one; 33 float64, in pixels of both.
Homography = NDArray[np.float64]

#: Longer side in pixels at which features are looked for, and how many there are at most.
SIZE, FEATURES = 1024, 2500
#: Longer side in pixels of the picture that continues into what is covered, the blurs of it, the
#: finest last, and the least share of what is known for one.
SMOOTH_SIZE, SMOOTH, LEAST_KNOWN = 128, (16.0, 4.0, 1.0), 0.05
#: A match's distance is below this share of the second nearest's.
RATIO = 0.8
#: Greatest distance of a match from where its plane puts it, as a share of ``SIZE``.
NEAR = 2.5 / 1024
#: Planes of a pair of photos at most, and least matches of the first one and of each other one.
PLANES, LEAST_FIRST, LEAST = 3, 24, 16
#: One match in so many is held out; of those, at least this share lie near a plane.
HELD_OUT, CONFIRMED = 4, 0.35
#: The first plane's matches spread over at least this share of the photo.
LEAST_SPREAD = 0.05
#: Factor by which a plane may enlarge or reduce, and how much of the photo's side a corner may
#: move beyond what a similarity would do.
ENLARGED, LEANING = 2.0, 0.35
#: Longer side of the pictures by which it is seen whether a camera stood still, the blur that is
#: taken from them, and how far (pixels) one is shifted. The camera moved if a shift of more than
#: ``NEXT`` makes the correlation higher by more than ``BETTER``. So it is with 9 of 24 pairs of
#: frames of moving cameras, and with no copy in other light and with noise.
STILL_SIZE, STILL_BLUR, STILL_REACH, NEXT, BETTER = 256, 3.0, 8, 1, 0.05


def moved_by(x: float, y: float) -> Homography:
    """Moves points to the right and down."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def corners_of(height: int, width: int) -> NDArray[np.float64]:
    """142: the corners (x, y) of a picture, as ``cv2.perspectiveTransform`` takes them."""
    return np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)


class Features(NamedTuple):
    """What is seen in a photo.

    Attributes:
        shape: the photo's (height, width).
        points: n2 float32, (x, y) in its pixels.
        described: nk float32, their descriptors (RootSIFT: Arandjelovic and Zisserman 2012).
    """

    shape: tuple[int, int]
    points: FloatArray
    described: FloatArray


def features_of(rgb: Pixels, covered: Mask) -> Features:
    """Describe the points of a photo that nothing covers.

    Args:
        rgb: HWC uint8 or uint16.
        covered: HW bool, what may differ between photos of one place: people and their shadows.
    """
    shape = rgb.shape[0], rgb.shape[1]
    size = scaled_size(shape, reduction(shape, SIZE))
    grey = cv2.cvtColor(eight_bits(resize(rgb, size)), cv2.COLOR_RGB2GRAY)
    # A pixel more than is covered, whose share of a small pixel may be rounded to none.
    free = ~dilate_square(resize(covered.astype(np.uint8) * np.uint8(255), size) > 0, 1)
    found, described = cv2.SIFT_create(FEATURES).detectAndCompute(  # type: ignore[attr-defined]
        _continued(grey, free), free.astype(np.uint8)
    )
    if described is None:
        return Features(shape, np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    points = np.array([one.pt for one in found], np.float32) + 0.5
    points *= np.array([shape[1] / size[1], shape[0] / size[0]], np.float32)
    described = np.sqrt(described / np.maximum(described.sum(1, keepdims=True), 1e-6))
    return Features(shape, points - 0.5, described.astype(np.float32))


def _continued(grey: NDArray[np.uint8], free: Mask) -> NDArray[np.uint8]:
    """A picture that continues smoothly where it is not free.

    A feature describes pixels around its point, too: it would be another one beside somebody, and
    one of somebody's outline.
    """
    if free.all() or not free.any():
        return grey
    size = scaled_size(free.shape, reduction(free.shape, SMOOTH_SIZE))
    known = resize(free.astype(np.float32), size)
    seen = resize(np.where(free, grey, 0).astype(np.float32), size)
    smooth = np.full(size, seen.sum() / known.sum(), np.float32)
    for sigma in SMOOTH:
        share = blur(known, sigma)
        near = share > LEAST_KNOWN
        smooth[near] = blur(seen, sigma)[near] / share[near]
    wide = resize(smooth, free.shape, cv2.INTER_LINEAR)
    return np.where(free, grey, wide.round().clip(0, 255).astype(np.uint8))


def planes(photo: Features, other: Features) -> list[Homography]:
    """The homographies from a photo to another one that features of both confirm.

    Returns:
        That of most matches first; none if the photos do not show the same place.
    """
    first, second = _matched(photo, other)
    if len(first) < LEAST_FIRST:
        return []
    near = NEAR * max(other.shape)
    held_out = np.arange(len(first)) % HELD_OUT == 0
    free = ~held_out
    found: list[Homography] = []
    for least in (LEAST_FIRST, *(LEAST,) * (PLANES - 1)):
        if free.sum() < least:
            break
        plane, _ = cv2.findHomography(
            first[free], second[free], cv2.USAC_MAGSAC, near, maxIters=4000, confidence=0.999
        )
        if plane is None or not _is_plausible(plane, photo.shape):
            break
        on = free & (_distance(plane, first, second) < near)
        if on.sum() < least or (not found and _spread(first[on], photo.shape) < LEAST_SPREAD):
            break
        found.append(plane)
        free &= ~on
    if not found:
        return []
    nearest = np.min([_distance(plane, first, second) for plane in found], axis=0)
    return found if (nearest[held_out] < near).mean() >= CONFIRMED else []


def has_moved(photo: Pixels, known: Mask, other: Pixels, is_open: Mask) -> bool:
    """Whether a camera that is said to have stood still did not.

    Args:
        photo: HWC uint8 or uint16.
        known: HW bool; nothing else of it is read.
        other: HWC, another photo.
        is_open: HW bool; nothing else of ``other`` is read.
    """
    reach = STILL_REACH
    own, own_known = _detail(photo, known)
    theirs, theirs_known = _detail(other, is_open)
    h, w = own.shape
    if min(h, w) <= 4 * reach:
        return False
    # The middle of the photo over all places of the other one; both count where both are known.
    inner = np.s_[reach : h - reach, reach : w - reach]
    middle, shown = np.ascontiguousarray(own[inner]), np.ascontiguousarray(own_known[inner])
    products = cv2.matchTemplate(theirs, middle, cv2.TM_CCORR)
    energy = cv2.matchTemplate(theirs_known, middle**2, cv2.TM_CCORR)
    their_energy = cv2.matchTemplate(theirs**2, shown, cv2.TM_CCORR)
    alike = products / np.sqrt(np.maximum(energy * their_energy, 1e-6))
    y, x = np.unravel_index(int(alike.argmax()), alike.shape)
    is_shifted = max(abs(int(y) - reach), abs(int(x) - reach)) > NEXT
    return is_shifted and bool(alike[y, x] > alike[reach, reach] + BETTER)


def _detail(rgb: Pixels, shown: Mask) -> tuple[FloatArray, FloatArray]:
    """hw: what is left of a reduced picture without its light, 0 where it is not shown; 1 where."""
    size = scaled_size(shown.shape, reduction(shown.shape, STILL_SIZE))
    small = resize(cv2.bitwise_and(rgb, rgb, mask=shown.astype(np.uint8)), size)
    grey = cv2.cvtColor(eight_bits(small), cv2.COLOR_RGB2GRAY).astype(np.float32)
    bright, known = np.log(grey + 8), wholly_covered(shown, size).astype(np.float32)
    smooth = blur(bright * known, STILL_BLUR) / np.maximum(blur(known, STILL_BLUR), 1e-3)
    return ((bright - smooth) * known).astype(np.float32), known


def _matched(photo: Features, other: Features) -> tuple[FloatArray, FloatArray]:
    """(m2, m2): points of the photo, and those of the other one that look the same."""
    if min(len(photo.points), len(other.points)) < 2:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    import torch  # not at import time, as in ``texture.offsets``: a Ray driver skips it

    # The products are torch's, which keeps to the threads assigned to a photo.
    described, others = torch.from_numpy(photo.described), torch.from_numpy(other.described)
    alike: FloatArray = (described @ others.T).numpy()
    rows, best = np.arange(len(alike)), alike.argmax(1)
    is_mutual = alike.argmax(0)[best] == rows
    nearest = alike[rows, best]
    alike[rows, best] = -np.inf
    # Of unit vectors, squared distances are 2 - 2 times these.
    distance, second = (np.sqrt(np.maximum(2 - 2 * one, 0)) for one in (nearest, alike.max(1)))
    sure = (distance < RATIO * second) & is_mutual
    return photo.points[sure], other.points[best[sure]]


def _distance(plane: Homography, first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    """Pixels between where a plane puts points and where they are."""
    put = cv2.perspectiveTransform(first[None].astype(np.float64), plane)[0]
    distance: NDArray[np.float64] = np.linalg.norm(put - second, axis=1)
    return distance


def _spread(points: FloatArray, shape: tuple[int, int]) -> float:
    """Share of a photo that the hull of points takes."""
    return float(cv2.contourArea(cv2.convexHull(points))) / (shape[0] * shape[1])


def _is_plausible(plane: Homography, shape: tuple[int, int]) -> bool:
    """Whether a hand could have moved a camera so between two photos."""
    height, width = shape
    corners = corners_of(height, width)
    put = cv2.perspectiveTransform(corners, plane)[0]
    if not np.isfinite(put).all() or not cv2.isContourConvex(put.astype(np.float32)):
        return False
    enlarged = np.sqrt(abs(cv2.contourArea(put.astype(np.float32))) / (height * width))
    similar, _ = cv2.estimateAffinePartial2D(corners[0], put)
    if similar is None or not 1 / ENLARGED <= enlarged <= ENLARGED:
        return False
    straight = corners[0] @ similar[:, :2].T + similar[:, 2]
    leaning = np.linalg.norm(put - straight, axis=1).max()
    return bool(leaning <= LEANING * max(shape) * enlarged)
