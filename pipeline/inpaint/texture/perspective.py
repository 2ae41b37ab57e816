"""Planes seen in perspective: façades, brick walls, floors, railings.

On such a plane courses and tiles grow smaller with distance, so that no offset of the photo's
pixels continues them. Straight lines of the plane meet in two vanishing points. The homography that
moves both to infinity shows the plane from the front, where few offsets explain it (Huang et al.
2014, section 3; Hartley & Zisserman 2004, section 2.7).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import (
    as_float,
    depth_inside,
    eight_bits,
    nearest_values,
    reduction,
    resize,
    scaled_size,
    wholly_covered,
)
from ...types import Box, FloatArray, Mask
from .full_size import Patch, Picture
from .segments import line_segments, unit

#: A 3 x 3 homography of points (x, y, 1).
Homography = NDArray[np.float64]

#: Longer side in pixels of the picture in which line segments are sought; a segment's least length.
SEGMENT_SIZE, LEAST_LENGTH = 512, 14
#: Largest angle in degrees between a segment and the direction to its vanishing point.
INLIER = 2.0
#: Vanishing points sought, segments whose pairs are tried for one, least segments that meet, and
#: most that count at all, the weightiest.
POINTS, TRIED, LEAST_SEGMENTS, MOST_SEGMENTS = 4, 70, 4, 800
#: Pixels of that picture over which a segment's weight decays with its distance from the hole.
NEAR = 60.0
#: Least share of all segments, by weight, that the two vanishing points of a plane explain, and
#: planes that are kept.
LEAST_SHARE, MOST_PLANES = 0.5, 2
#: Least angle in degrees between the plane's two directions, and largest stretch that makes it
#: right.
LEAST_ANGLE, MOST_STRETCH = 25.0, 4.0
#: Bounds of the plane's scale, relative to the hole's middle, where the plane is used; least and
#: largest ratio of scales near the hole, within so many pixels of it.
LEAST_SCALE, MOST_SCALE = 0.33, 3.0
LEAST_RATIO, MOST_RATIO, RING = 1.2, 3.5, 24
#: What is shown from the front beside the hole, as a share of the hole's longer side.
CONTEXT = 1.0
#: Most pixels seen from the front, as a multiple of the window's: far parts grow, up to 27 times.
MOST_AREA = 2.0
#: Pixels outside the window over which its hole goes on, where the two meet: interpolation back to
#: the window reads them.
BEYOND = 12
#: Longer side in pixels at which a guide is shown.
GUIDE_SIZE = 512
#: Numerical scale: points are divided by it, so that all three coordinates are of one order.
UNIT = 300.0
#: What an interpolated mask is more than where it is whole.
_WHOLE = 1 - 1e-3


@dataclass(frozen=True, eq=False)
class FromFront:
    """A window as seen from the front of a plane.

    Attributes:
        picture: HW3 of the window's own samples; no colour counts where unknown.
        known_mask: HW bool.
        hole_mask: HW bool; what is neither known nor hole lies outside the window.
        guide: hw3 float32 in [0, 1], at most ``GUIDE_SIZE`` pixels on its longer side.
        view: from the window's points to those of ``picture``.
    """

    picture: Picture
    known_mask: Mask
    hole_mask: Mask
    guide: FloatArray
    view: Homography


def from_camera(patch: Patch, box: Box, view: Homography) -> FloatArray:
    """A patch of a view from the front as the camera sees it.

    Args:
        patch: of ``FromFront.picture``, contains all that the holes in ``box`` become.
        box: part of the window.
        view: of ``FromFront``.

    Returns:
        hw3 float32 of ``box``; meaningful in its holes only.
    """
    back = _shift(-box.x, -box.y) @ np.linalg.inv(view) @ _shift(patch.box.x, patch.box.y)
    return _warped(patch.content, back, (box.w, box.h), cv2.INTER_LANCZOS4, repeat=True)


class Plane(NamedTuple):
    """A plane on which a window's hole may lie.

    Attributes:
        view: from the window's points to those of the plane seen from the front, where the middle
            of the hole has the window's scale.
        share: of the line segments near the hole, those that lie on it; by weight, in [0, 1].
        ratio: of the plane's largest to its smallest scale near the hole, > 1.
    """

    view: Homography
    share: float
    ratio: float

    def from_front(self, picture: Picture, known_mask: Mask, guide: FloatArray) -> FromFront:
        """Show the hole and its surroundings from the front.

        Args:
            picture: HW3; read only where known.
            known_mask: HW bool, False somewhere.
            guide: hw3 float32 of the window, at any size.
        """
        grid = _grid(Box.full(known_mask.shape), 24)
        depth = grid @ self.view[2, :2] + self.view[2, 2]
        visible = _moved(grid[(depth > LEAST_SCALE) & (depth < MOST_SCALE)], self.view)
        corners = _moved(_grid(Box.bounding(~known_mask), 2), self.view)
        low, high = corners.min(0), corners.max(0)
        context = CONTEXT * (high - low).max()
        low = np.maximum(low - context, visible.min(0))
        high = np.minimum(high + context, visible.max(0))
        scale = min(1.0, float(np.sqrt(MOST_AREA * known_mask.size / (high - low).prod())))
        low, high = np.floor(low * scale), np.ceil(high * scale)
        width, height = (high - low + 1).astype(int).tolist()
        view = _shift(-low[0], -low[1]) @ np.diag([scale, scale, 1.0]) @ self.view
        size = width, height
        known, hole = _masks_from_front(known_mask, view, size)
        guide_size = scaled_size((height, width), reduction((height, width), GUIDE_SIZE))
        view_of_guide = (
            _resized((height, width), guide_size) @ view @ _resized(guide.shape, known_mask.shape)
        )
        return FromFront(
            # Interpolation reaches some pixels into the hole: there lies the nearest known colour.
            picture=_warped(
                nearest_values(picture, known_mask), view, size, cv2.INTER_LANCZOS4, repeat=True
            ),
            known_mask=known,
            hole_mask=hole,
            guide=_warped(guide, view_of_guide, guide_size[::-1], cv2.INTER_LINEAR, repeat=True),
            view=view,
        )


def _masks_from_front(
    known_mask: Mask, view: Homography, size: tuple[int, int]
) -> tuple[Mask, Mask]:
    """(known pixels, those of the hole) of a view from the front.

    Args:
        known_mask: HW bool, of the window.
        view: from the window's points to those seen from the front.
        size: (width, height) of the view.

    Returns:
        Two masks of the view's size that do not intersect.
    """
    known: Mask = _warped(known_mask.astype(np.float32), view, size, cv2.INTER_LINEAR) > _WHOLE
    unknown = np.pad((~known_mask).astype(np.float32), BEYOND, mode="edge")
    hole: Mask = (
        _warped(unknown, view @ _shift(-BEYOND, -BEYOND), size, cv2.INTER_LINEAR) > 1 - _WHOLE
    )
    # Behind the horizon there are mirrored copies of what lies before it.
    y, x = np.ogrid[: size[1], : size[0]]
    back = np.linalg.inv(view)
    before: Mask = back[2, 0] * x > -(back[2, 1] * y + back[2, 2])
    known &= before
    hole &= before
    hole &= ~known
    return known, hole


def planes(picture: Picture, known_mask: Mask) -> list[Plane]:
    """The planes in perspective on which a window's hole may lie, the likeliest first.

    Args:
        picture: HW3 float32 in [0, 1], uint8 or uint16; only known pixels count.
        known_mask: HW bool, False somewhere.
    """
    size = scaled_size(known_mask.shape, reduction(known_mask.shape, SEGMENT_SIZE))
    # Pixels that contain unknown ones are not read.
    small_known = wholly_covered(known_mask, size)
    small = as_float(resize(picture, size))
    small[~small_known] = 0
    segments = _segments(small, small_known)
    if len(segments) < 2 * LEAST_SEGMENTS:
        return []
    weight = _lengths(segments) * _nearness(segments, small_known)
    if len(segments) > MOST_SEGMENTS:
        kept = np.argsort(-weight, kind="stable")[:MOST_SEGMENTS]
        segments, weight = segments[kept], weight[kept]
    hole = Box.bounding(~small_known)
    middle = np.array([hole.x + hole.w / 2, hole.y + hole.h / 2])
    points = _vanishing_points(segments - np.tile(middle, 2), weight)
    ring = _grid(hole.shifted(-hole.y, -hole.x), 2) - np.array([hole.w, hole.h]) / 2
    ring += RING * np.sign(ring)
    # The hole's middle is the origin of vanishing points and ring.
    to_small = np.diag([size[1] / known_mask.shape[1], size[0] / known_mask.shape[0], 1.0])
    to_middle = _shift(-middle[0], -middle[1]) @ to_small
    found = []
    for (first, a), (second, b) in combinations(points, 2):
        front = _front(first, second, ring) if a + b >= LEAST_SHARE else None
        if front is not None:
            view, ratio = front
            found.append(Plane(np.linalg.inv(to_small) @ view @ to_middle, a + b, ratio))
    found.sort(key=lambda plane: -plane.share)
    return found[:MOST_PLANES]


def _segments(picture: FloatArray, known_mask: Mask) -> NDArray[np.float64]:
    """Line segments of an hw3 picture that lie in known pixels: N4, (x, y) of both ends."""
    grey = cv2.cvtColor(eight_bits(picture), cv2.COLOR_RGB2GRAY)
    # The border of a blank hole would be segments.
    grey = cv2.inpaint(grey, (~known_mask).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    segments = line_segments(grey, 0.8)
    clear = cv2.erode(known_mask.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
    is_known = np.all([_at(clear, _between(segments, t)) for t in np.linspace(0, 1, 5)], axis=0)
    known: NDArray[np.float64] = segments[is_known & (_lengths(segments) >= LEAST_LENGTH)]
    return known


def _lengths(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.hypot(*(segments[:, 2:] - segments[:, :2]).T)
    return lengths


def _nearness(segments: NDArray[np.float64], known_mask: Mask) -> NDArray[np.float64]:
    """N, 1 for a segment at the hole, falling with its distance from it."""
    distance = depth_inside(known_mask)
    nearness: NDArray[np.float64] = np.exp(-_at(distance, _between(segments, 0.5)) / NEAR)
    return nearness


def _between(segments: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """N2, the points at a share of the way from the segments' first to their second ends."""
    return segments[:, :2] * (1 - share) + segments[:, 2:] * share


def _at(plane: NDArray[Any], points: NDArray[np.float64]) -> NDArray[Any]:
    """The values of HW at N points (x, y), the nearest inside."""
    x, y = np.round(points).astype(int).T
    return plane[y.clip(0, plane.shape[0] - 1), x.clip(0, plane.shape[1] - 1)]


def _vanishing_points(
    segments: NDArray[np.float64], weight: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], float]]:
    """Where most segments meet: of all pairs' crossings the one with the most weight, and so on.

    Args:
        segments: N4.
        weight: N.

    Returns:
        (homogeneous point, share of the weight of all segments) for each; no segment counts twice.
    """
    along = unit(segments[:, 2:] - segments[:, :2])
    middles, one = _between(segments, 0.5) / UNIT, np.ones((len(segments), 1))
    start, end = (np.hstack([segments[:, k : k + 2] / UNIT, one]) for k in (0, 2))
    lines = unit(np.cross(start, end))
    order = np.argsort(-weight, kind="stable")

    def meeting(points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """MN bool: which segments point to which points."""
        x, y = (points[:, k, None] - points[:, 2:] * middles[:, k] for k in (0, 1))
        # The sine of the angle between both directions is at most that of ``INLIER``.
        across = x * along[:, 1] - y * along[:, 0]
        near: NDArray[np.bool_] = across**2 <= np.sin(np.deg2rad(INLIER)) ** 2 * (x**2 + y**2)
        return near

    free, found = np.ones(len(segments), bool), []
    for _ in range(POINTS):
        tried = order[free[order]][:TRIED]
        if len(tried) < LEAST_SEGMENTS:
            break
        a, b = np.triu_indices(len(tried), 1)
        points = unit(np.cross(lines[tried[a]], lines[tried[b]]))
        meet = meeting(points) & free
        best = int((meet * weight).sum(1).argmax())
        point, own = points[best], meet[best]
        if own.sum() < LEAST_SEGMENTS:
            break
        # The point nearest to the lines of all segments that meet, unless it loses some.
        weighted = lines[own] * np.sqrt(weight[own])[:, None]
        fitted = np.linalg.svd(weighted, full_matrices=False)[2][-1]
        again = meeting(fitted[None])[0] & free
        if weight[again].sum() >= weight[own].sum() and again.sum() >= LEAST_SEGMENTS:
            point, own = fitted, again
        share = float(weight[own].sum() / weight.sum())
        found.append((point * np.array([UNIT, UNIT, 1]), share))
        free &= ~own
    return found


def _front(
    first: NDArray[np.float64], second: NDArray[np.float64], ring: NDArray[np.float64]
) -> tuple[Homography, float] | None:
    """The view from the front of the plane with two vanishing points.

    Its directions become horizontal and vertical; at the origin areas stay.

    Args:
        first: homogeneous.
        second: homogeneous.
        ring: N2, points near the hole, whose middle is the origin.

    Returns:
        (view, ratio of scales at the ring); None if that is no perspective that can be used.
    """
    horizon = np.cross(first, second)
    if abs(horizon[2]) <= 1e-9 * np.abs(horizon).max():
        return None  # it runs through the hole
    tilt = np.eye(3)
    tilt[2] = horizon / horizon[2]
    depth = ring @ tilt[2, :2] + 1
    if depth.min() < LEAST_SCALE or depth.max() > MOST_SCALE:
        return None
    ratio = float(depth.max() / depth.min())
    across, upright = sorted(
        (unit(point[:2]) for point in (first, second)), key=lambda d: -abs(float(d[0]))
    )
    right = np.stack([across * _sign(across[0]), upright * _sign(upright[1])], axis=1)
    if not LEAST_RATIO <= ratio <= MOST_RATIO or abs(across @ upright) > np.cos(
        np.deg2rad(LEAST_ANGLE)
    ):
        return None
    straight = np.linalg.inv(right)
    if np.linalg.det(straight) <= 0 or np.linalg.cond(straight) > MOST_STRETCH:
        return None
    view = np.eye(3)
    view[:2, :2] = straight / np.sqrt(np.linalg.det(straight))
    return view @ tilt, ratio


def _sign(value: float) -> float:
    return -1.0 if value < 0 else 1.0


def _shift(dx: float, dy: float) -> Homography:
    return np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]])


def _resized(shape: tuple[int, ...], size: tuple[int, ...]) -> Homography:
    """From the points of a picture of (height, width, …) to those of the same at another size."""
    x, y = size[1] / shape[1], size[0] / shape[0]
    # Whole coordinates are the middles of pixels.
    return _shift(-0.5, -0.5) @ np.diag([x, y, 1.0]) @ _shift(0.5, 0.5)


def _grid(box: Box, count: int) -> NDArray[np.float64]:
    """N2, ``count`` x ``count`` points (x, y) from one corner of a box to the other."""
    x, y = (np.linspace(start, start + n, count) for start, n in ((box.x, box.w), (box.y, box.h)))
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def _moved(points: NDArray[np.float64], view: Homography) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = cv2.perspectiveTransform(points[None], view)[0]
    return moved


def _warped(
    plane: NDArray[Any], view: Homography, size: tuple[int, int], how: int, *, repeat: bool = False
) -> NDArray[Any]:
    """HW or HW3 in another view of (width, height); outside, 0 or the border repeated."""
    border = cv2.BORDER_REPLICATE if repeat else cv2.BORDER_CONSTANT
    return cv2.warpPerspective(plane, view, size, flags=how, borderMode=border)
