"""Lines that enter a hole on one side and leave it on the other.

Line segments end at the hole's rim. Two of them are one line if each lies on the other's
continuation and both look alike across: a mast, a kerb, a joint between bricks. Such a line is
drawn through the hole, and sources are compared with the drawing (``labelling``). Its own known
pixels, moved along it, become sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import blur
from ...types import FloatArray, Mask
from .offsets import Offsets

#: Least length of a segment in pixels, and the distance from its end to the hole over which it is
#: continued.
LEAST_LENGTH, GAP = 10, 6
#: Distance across a line to which its colours are compared and drawn, and the part of a segment
#: along which they are averaged.
ACROSS, ALONG = 4, 14
#: Least colour difference across a line.
LEAST_CONTRAST = 0.06
#: Largest angle in radians between two segments of one line, and between one and the way to the
#: other; largest distance of an end from the other's continuation, and its growth with the way.
ANGLE, ASIDE, ASIDE_GROWTH = 0.12, 1.5, 0.04
#: Largest difference of two segments' colours, as a share of the contrast across them.
UNLIKE = 0.5
#: Steps along a line at which its own pixels become sources.
LEAST_STEP, MOST_OFFSETS = 4, 24


class End(NamedTuple):
    """The end of a segment at a hole.

    Attributes:
        place: (y, x).
        direction: (dy, dx) of length 1, into the hole.
        length: of the segment's known part.
        profile: (2 ACROSS + 1)3, the colours across it, from its left to its right as one looks
            into the hole.
        contrast: greatest difference within the profile.
    """

    place: NDArray[np.float64]
    direction: NDArray[np.float64]
    length: float
    profile: FloatArray
    contrast: float


class Lines(NamedTuple):
    """The lines that continue through a hole.

    Attributes:
        drawn: hw3, their colours; 0 elsewhere.
        strength: hw in [0, 1], 1 on a line and falling to 0 beside it.
        offsets: K2, along the lines to their known parts.
        count: of lines.
    """

    drawn: FloatArray
    strength: FloatArray
    offsets: Offsets
    count: int


def continued_lines(guided: FloatArray, known_mask: Mask) -> Lines | None:
    """Find the lines that continue through a hole, and draw them.

    Args:
        guided: HW3 in [0, 1], the picture with a guide in its hole; only known pixels count.
        known_mask: HW bool.

    Returns:
        None if there are none.
    """
    pairs = _pairs(_ends(guided, known_mask), known_mask)
    if not pairs:
        return None
    drawn = np.zeros_like(guided)
    strength = np.zeros(known_mask.shape, np.float32)
    offsets = []
    for a, b in pairs:
        _draw(a, b, drawn, strength)
        offsets += [*_steps(a, a.length, np.linalg.norm(b.place - a.place)), *_steps(b, b.length, np.linalg.norm(b.place - a.place))]
    strength[known_mask] = 0
    return Lines(drawn, strength, np.unique(np.array(offsets), axis=0), len(pairs))


def _ends(guided: FloatArray, known_mask: Mask) -> list[End]:
    """The ends at the hole of all segments."""
    grey = cv2.cvtColor((np.clip(guided, 0, 1) * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, 1.0).detect(grey)[0]
    if found is None:
        return []
    near = cv2.erode(known_mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    ends = []
    for x0, y0, x1, y1 in found[:, 0].astype(np.float64).tolist():
        start, stop = np.array([y0, x0]), np.array([y1, x1])
        for run_start, run_stop in _known_runs(start, stop, near):
            for tail, head in ((run_start, run_stop), (run_stop, run_start)):
                end = _end(tail, head, guided, known_mask)
                if end is not None:
                    ends.append(end)
    return ends


def _known_runs(
    start: NDArray[np.float64], stop: NDArray[np.float64], known: Mask
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The parts of a segment in known pixels that are long enough."""
    length = float(np.linalg.norm(stop - start))
    if length < LEAST_LENGTH:
        return []
    n = int(np.ceil(length)) + 1
    t = np.linspace(0, 1, n)
    points = start + t[:, None] * (stop - start)
    y, x = np.round(points).astype(int).T
    h, w = known.shape
    inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
    is_known = inside & known[np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_known, [0]])))
    return [
        (points[a], points[b - 1])
        for a, b in edges.reshape(-1, 2).tolist()
        if np.linalg.norm(points[b - 1] - points[a]) >= LEAST_LENGTH
    ]


def _end(
    tail: NDArray[np.float64], head: NDArray[np.float64], guided: FloatArray, known_mask: Mask
) -> End | None:
    """The end of a segment from ``tail`` to ``head`` if the hole is just beyond its head."""
    length = float(np.linalg.norm(head - tail))
    direction = (head - tail) / length
    h, w = known_mask.shape
    for step in range(1, GAP + 1):
        y, x = np.round(head + step * direction).astype(int)
        if not (0 <= y < h and 0 <= x < w):
            return None
        if not known_mask[y, x]:
            break
    else:
        return None
    across = np.array([direction[1], -direction[0]])
    u = np.arange(-ACROSS, ACROSS + 1)
    s = np.arange(1, min(ALONG, int(length)) + 1)
    places = head - s[:, None, None] * direction + u[:, None] * across
    y, x = places[..., 0].astype(np.float32), places[..., 1].astype(np.float32)
    colours = cv2.remap(guided, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    clear = cv2.remap(
        known_mask.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    clear = (clear > 0.99).astype(np.float32)
    seen = clear.sum(0)
    if (seen[1:-1] < 3).any():
        return None
    profile = (colours * clear[..., None]).sum(0) / np.maximum(seen, 1)[:, None]
    profile[seen < 1] = profile[1] if seen[0] < 1 else profile[-2]
    contrast = float((profile.max(0) - profile.min(0)).max())
    if contrast < LEAST_CONTRAST:
        return None
    return End(head, direction, length, profile.astype(np.float32), contrast)


def _pairs(ends: Sequence[End], known_mask: Mask) -> list[tuple[End, End]]:
    """Ends of one line, the most alike first; each end belongs to one line."""
    costs = []
    for i, a in enumerate(ends):
        for j in range(i + 1, len(ends)):
            cost = _difference(a, ends[j], known_mask)
            if cost is not None:
                costs.append((cost, i, j))
    used: set[int] = set()
    pairs = []
    for _, i, j in sorted(costs):
        if i not in used and j not in used:
            used |= {i, j}
            pairs.append((ends[i], ends[j]))
    return pairs


def _difference(a: End, b: End, known_mask: Mask) -> float | None:
    """How badly two ends make a line; None if they are none."""
    if np.dot(a.direction, b.direction) > -np.cos(ANGLE):
        return None
    way = b.place - a.place
    length = float(np.linalg.norm(way))
    if length < 2 or np.dot(way, a.direction) < 0:
        return None
    aside = max(
        abs(float(way[0] * d[1] - way[1] * d[0])) for d in (a.direction, b.direction)
    )
    allowed = ASIDE + ASIDE_GROWTH * length
    if aside > allowed:
        return None
    unlike = float(np.abs(a.profile - b.profile[::-1]).mean(0).max()) / min(a.contrast, b.contrast)
    if unlike > UNLIKE:
        return None
    n = int(np.ceil(length)) + 1
    y, x = np.round(a.place + np.linspace(0, 1, n)[:, None] * way).astype(int).T
    if known_mask[y, x].sum() > 2 * GAP:
        return None
    return unlike + aside / allowed


def _draw(a: End, b: End, drawn: FloatArray, strength: FloatArray) -> None:
    """Draw a line, in place."""
    way = b.place - a.place
    length = float(np.linalg.norm(way))
    along = way / length
    across = np.array([along[1], -along[0]])
    h, w = strength.shape
    corners = np.array([a.place, b.place])
    y0, x0 = np.maximum(np.floor(corners.min(0)) - ACROSS, 0).astype(int)
    y1, x1 = np.minimum(np.ceil(corners.max(0)) + ACROSS + 1, (h, w)).astype(int)
    y, x = np.mgrid[y0:y1, x0:x1]
    t = ((y - a.place[0]) * along[0] + (x - a.place[1]) * along[1]) / length
    u = (y - a.place[0]) * across[0] + (x - a.place[1]) * across[1]
    on = (t >= 0) & (t <= 1) & (np.abs(u) <= ACROSS)
    at = (u + ACROSS).astype(np.float32)
    first, second = (
        cv2.remap(p[None], at, np.zeros_like(at), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for p in (a.profile, np.ascontiguousarray(b.profile[::-1]))
    )
    share = np.clip(t, 0, 1)[..., None].astype(np.float32)
    colours = first * (1 - share) + second * share
    new = np.where(on, np.exp(-0.5 * (u / (ACROSS / 2)) ** 2), 0).astype(np.float32)
    part = np.s_[y0:y1, x0:x1]
    stronger = new > strength[part]
    drawn[part][stronger] = colours[stronger]
    strength[part] = np.maximum(strength[part], new)


def _steps(end: End, length: float, gap: float) -> list[tuple[int, int]]:
    """Offsets from the hole back along a segment, so that any pixel of the gap reaches it."""
    step = max(LEAST_STEP, length / 3)
    steps = []
    start = LEAST_STEP
    while start < gap + length and len(steps) < MOST_OFFSETS:
        # Of the whole offsets of about this length the one that is nearest to the line.
        lengths = np.arange(start, start + step, 0.5)
        exact = -lengths[:, None] * end.direction
        whole = np.round(exact)
        off = np.abs(whole[:, 0] * end.direction[1] - whole[:, 1] * end.direction[0])
        best = whole[int(np.argmin(off))]
        steps.append((int(best[0]), int(best[1])))
        start += step
    return steps
