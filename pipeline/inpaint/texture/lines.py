"""Lines that enter a hole on one side and leave it on the other: masts, kerbs, joints, frames.

Line segments end at the hole's rim. Two of them are one line if each lies on the other's
continuation and both look alike across. Such a line is drawn through the hole; the drawing is part
of the guide, and sources that differ from it cost more (``labelling``). Its own known pixels, moved
along it, become sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import depth_inside, eight_bits
from ...types import Box, FloatArray, Mask
from .offsets import Offsets
from .segments import line_segments, unit

#: (y, x), or a direction.
_Point = NDArray[np.float64]

#: Least length of a segment in pixels, and the distance from its end to the hole over which it is
#: continued.
LEAST_LENGTH, GAP = 10, 6
#: Distance from a line up to which its colours are compared and drawn, the length along which they
#: are averaged, and the least that of it has to be known.
ACROSS, ALONG, LEAST_SEEN = 4, 14, 3
#: Least colour difference across a line.
LEAST_CONTRAST = 0.06
#: Largest angle in radians between two segments of one line; largest distance in pixels of an end
#: from the other's continuation, and its growth with the way between them.
ANGLE, ASIDE, ASIDE_GROWTH = 0.12, 1.5, 0.04
#: Largest difference of two segments' colours, as a share of the contrast across them.
UNLIKE = 0.5
#: Least step in pixels between a line's own sources, and as a share of its segment's length.
LEAST_STEP, STEP = 4.0, 1 / 3
#: Offsets beyond which further lines bring none: each costs time and memory, whatever it is for.
MOST_OFFSETS = 320


class Lines(NamedTuple):
    """The lines that cross a hole.

    Attributes:
        drawn: hw3 float32, their colours; of no meaning where ``strength`` is 0.
        strength: hw float32 in [0, 1], 1 on a line, falling to 0 beside it and 0 outside the hole.
        offsets: K2, from places on the lines to their known parts.
        number: of lines.
    """

    drawn: FloatArray
    strength: FloatArray
    offsets: Offsets
    number: int


class _End(NamedTuple):
    """The end of a segment at a hole.

    Attributes:
        place: the last known point.
        direction: into the hole, of length 1.
        length: of the segment's known part.
        profile: (2 ``ACROSS`` + 1)3, the colours across it, as one looks into the hole.
        contrast: the greatest difference within the profile.
    """

    place: _Point
    direction: _Point
    length: float
    profile: FloatArray
    contrast: float


def crossing_lines(guided: FloatArray, known_mask: Mask, hole_mask: Mask) -> Lines | None:
    """Find the lines that cross a hole, and draw them.

    Args:
        guided: hw3 in [0, 1], the picture with the guide in its hole; only known pixels count.
        known_mask: hw bool.
        hole_mask: hw bool; what is neither known nor hole is no part of the photo.

    Returns:
        None if no line crosses the hole.
    """
    ends = list(_ends(guided, known_mask, hole_mask))
    pairs = _pairs(ends, hole_mask)
    if not pairs:
        return None
    drawn, strength = np.zeros_like(guided), np.zeros(hole_mask.shape, np.float32)
    offsets: set[tuple[int, int]] = set()
    for first, second in pairs:
        _draw(first, second, drawn, strength)
        gap = float(np.linalg.norm(second.place - first.place))
        if len(offsets) < MOST_OFFSETS:
            offsets.update([*_offsets(first, gap), *_offsets(second, gap)])
    strength[~hole_mask] = 0
    return Lines(drawn, strength, np.array(sorted(offsets)), len(pairs))


def _ends(guided: FloatArray, known_mask: Mask, hole_mask: Mask) -> Iterator[_End]:
    """The ends at the hole of all line segments."""
    grey = cv2.cvtColor(eight_bits(guided), cv2.COLOR_RGB2GRAY)
    clear = cv2.erode(known_mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    for x, y, x_end, y_end in _near_hole(line_segments(grey, 1.0), hole_mask).tolist():
        for run in _known_runs(np.array([y, x]), np.array([y_end, x_end]), clear):
            for tail, head in (run, run[::-1]):
                if _reaches(head, unit(head - tail), known_mask, hole_mask):
                    end = _end(tail, head, guided, known_mask)
                    if end is not None:
                        yield end


def _near_hole(segments: NDArray[np.float64], hole_mask: Mask) -> NDArray[np.float64]:
    """The segments of which some point may be near enough to the hole to be continued there."""
    h, w = hole_mask.shape
    x, y = np.round((segments[:, :2] + segments[:, 2:]) / 2).astype(int).T
    from_hole = depth_inside(~hole_mask)[y.clip(0, h - 1), x.clip(0, w - 1)]
    reach = np.hypot(*(segments[:, 2:] - segments[:, :2]).T) / 2 + GAP
    near: NDArray[np.float64] = segments[from_hole <= reach + 3]  # for rounded places
    return near


def _known_runs(start: _Point, stop: _Point, clear: Mask) -> Iterator[tuple[_Point, _Point]]:
    """The parts of a segment that are known and long enough."""
    length = float(np.linalg.norm(stop - start))
    if length < LEAST_LENGTH:
        return
    points = start + np.linspace(0, 1, int(np.ceil(length)) + 1)[:, None] * (stop - start)
    y, x = np.round(points).astype(int).T
    is_known = clear[y.clip(0, clear.shape[0] - 1), x.clip(0, clear.shape[1] - 1)]
    borders = np.flatnonzero(np.diff(np.concatenate([[False], is_known, [False]]).astype(int)))
    for first, behind in borders.reshape(-1, 2).tolist():
        a, b = points[first], points[behind - 1]
        if np.linalg.norm(b - a) >= LEAST_LENGTH:
            yield a, b


def _reaches(head: _Point, direction: _Point, known_mask: Mask, hole_mask: Mask) -> bool:
    """Whether the first unknown pixel just beyond a segment's head belongs to the hole."""
    h, w = hole_mask.shape
    (head_y, head_x), (down, right) = head.tolist(), direction.tolist()
    for step in range(1, GAP + 1):
        y, x = round(head_y + step * down), round(head_x + step * right)
        if not (0 <= y < h and 0 <= x < w):
            return False
        if not known_mask[y, x]:
            return bool(hole_mask[y, x])
    return False


def _end(tail: _Point, head: _Point, guided: FloatArray, known_mask: Mask) -> _End | None:
    """A segment's end, with the colours across it; None if it shows no clear line."""
    length, direction = float(np.linalg.norm(head - tail)), unit(head - tail)
    aside, back = np.arange(-ACROSS, ACROSS + 1), np.arange(1, min(ALONG, int(length)) + 1)
    places = head - back[:, None, None] * direction + aside[:, None] * _left(direction)
    y, x = (np.ascontiguousarray(places[..., k], np.float32) for k in (0, 1))
    known = cv2.remap(known_mask.astype(np.float32), x, y, cv2.INTER_LINEAR) > 1 - 1e-3
    # Where all four neighbours are known, no other pixel counts.
    colours = cv2.remap(guided, x, y, cv2.INTER_LINEAR)
    seen = known.sum(0)
    if (seen[1:-1] < LEAST_SEEN).any():
        return None
    profile = (colours * known[..., None]).sum(0) / np.maximum(seen, 1)[:, None]
    for outermost, inner in ((0, 1), (-1, -2)):
        if not seen[outermost]:
            profile[outermost] = profile[inner]
    contrast = float(np.ptp(profile, axis=0).max())
    if contrast < LEAST_CONTRAST:
        return None
    return _End(head, direction, length, profile.astype(np.float32), contrast)


def _pairs(ends: Sequence[_End], hole_mask: Mask) -> list[tuple[_End, _End]]:
    """The two ends of each line, the most alike first; an end belongs to one line."""
    differences = []
    for (i, first), (j, second) in combinations(enumerate(ends), 2):
        difference = _difference(first, second)
        if difference is not None and _is_hole_between(first, second, hole_mask):
            differences.append((difference, i, j))
    used: set[int] = set()
    pairs = []
    for _, i, j in sorted(differences):
        if not used & {i, j}:
            used |= {i, j}
            pairs.append((ends[i], ends[j]))
    return pairs


def _difference(first: _End, second: _End) -> float | None:
    """How badly two ends make one line; None if they are none."""
    way = second.place - first.place
    length = float(np.linalg.norm(way))
    if first.direction @ second.direction > -np.cos(ANGLE) or way @ first.direction < 2:
        return None
    aside = max(abs(float(way @ _left(end.direction))) for end in (first, second))
    allowed = ASIDE + ASIDE_GROWTH * length
    difference = np.abs(first.profile - second.profile[::-1]).mean(0).max()
    unlike = float(difference) / min(first.contrast, second.contrast)
    return unlike + aside / allowed if aside <= allowed and unlike <= UNLIKE else None


def _is_hole_between(first: _End, second: _End, hole_mask: Mask) -> bool:
    """Whether the way between two ends lies in the hole, but for the gaps before it."""
    way = second.place - first.place
    count = int(np.ceil(np.linalg.norm(way))) + 1
    y, x = np.round(first.place + np.linspace(0, 1, count)[:, None] * way).astype(int).T
    h, w = hole_mask.shape  # a segment may end half a pixel outside
    return int((~hole_mask[y.clip(0, h - 1), x.clip(0, w - 1)]).sum()) <= 2 * GAP


def _draw(first: _End, second: _End, drawn: FloatArray, strength: FloatArray) -> None:
    """Draw a line from one end to the other, in place; stronger ones stay."""
    way = second.place - first.place
    length = float(np.linalg.norm(way))
    corners = np.stack([first.place, second.place])
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
    box = Box.from_corners(int(low[1]), int(low[0]), int(high[1]), int(high[0]))
    part = box.grown(ACROSS, strength.shape).slices
    y, x = np.mgrid[part]
    along = ((y - first.place[0]) * way[0] + (x - first.place[1]) * way[1]) / length**2
    left = _left(way / length)
    aside = (y - first.place[0]) * left[0] + (x - first.place[1]) * left[1]
    at, row = (aside + ACROSS).astype(np.float32), np.zeros(aside.shape, np.float32)
    start, end = (
        cv2.remap(np.ascontiguousarray(profile[None]), at, row, cv2.INTER_LINEAR)
        for profile in (first.profile, second.profile[::-1])
    )
    share = np.clip(along, 0, 1)[..., None].astype(np.float32)
    is_on = (along >= 0) & (along <= 1) & (np.abs(aside) <= ACROSS)
    new = np.where(is_on, np.exp(-2 * (aside / ACROSS) ** 2), 0).astype(np.float32)
    stronger = new > strength[part]
    drawn[part][stronger] = (start * (1 - share) + end * share)[stronger]
    strength[part][stronger] = new[stronger]


def _offsets(end: _End, gap: float) -> Iterator[tuple[int, int]]:
    """Offsets back along a segment, by which every place of a gap finds a known one."""
    step = max(LEAST_STEP, STEP * end.length)
    for start in np.arange(LEAST_STEP, gap + end.length, step).tolist():
        # Of the whole offsets of about this length, the one that is nearest to the line.
        whole = np.round(-np.arange(start, start + step, 0.5)[:, None] * end.direction)
        aside = np.abs(whole @ _left(end.direction))
        dy, dx = whole[int(aside.argmin())].astype(int).tolist()
        yield dy, dx


def _left(direction: _Point) -> _Point:
    """The direction at a right angle."""
    return np.array([direction[1], -direction[0]])
