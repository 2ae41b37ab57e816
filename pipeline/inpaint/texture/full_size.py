"""TODO docstring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import as_float, as_own_float
from ...types import FloatArray, Mask
from .labelling import Labels, mean_difference
from .offsets import Offsets

#: Rows and columns of a picture.
Part = tuple[slice, slice]

#: HW3: float32 in [0, 1], uint8 or uint16. Large windows stay in the photo's own samples, and only what is copied becomes floats.
Picture = NDArray[Any]

#: Pixels at which an offset is fitted to full size.
FITTED_PIXELS = 250

#: What is tried around the best of every second place.
FINE_STEPS = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])

#: Least share of a window that must be known for its texture to be worth copying.
LEAST_KNOWN = 0.05

#: Beside what is known the guide is right: there all that is coarser than ``LED_SMOOTH`` working pixels is the guide's and only what is
#: finer the copy's; the less the deeper in the hole, over ``LED_REACH`` working pixels.
LED_SMOOTH, LED_REACH = 1.0, 3.0


@dataclass(frozen=True, eq=False)
class Patch:
    """Rows and columns of a window that hold its hole, with a margin where there is room, and what is to be there: hw3 float32."""

    part: Part
    content: FloatArray


@dataclass(frozen=True, eq=False)
class _Sources:
    """``labels`` of the window's ``frame`` (the part around the hole), -1 where known; ``parts``: each used label's rows and columns
    there, at least; ``offsets``: K2, of the window's own pixels."""

    frame: Part
    labels: Labels
    parts: dict[int, Part]
    offsets: Offsets


def _at_full_size(labels: Labels, offsets: Offsets, picture: Picture, known: Mask) -> _Sources:
    """Labels and offsets of the working size brought to the window's.

    A working pixel is ``s`` pixels of the window, so an offset is known to s / 2 only: of the places around it the one is taken at which
    the copy fits the known pixels beside the hole best, and after them the copies that have their place.
    """
    H, W = known.shape
    h, w = labels.shape
    scale = max(H / h, W / w)
    reach = int(np.ceil(scale / 2)) + 1
    frame = _extent(~known, reach + 6)
    rows, columns = (
        np.arange(f.start, f.stop) * n // m for f, n, m in zip(frame, (h, w), (H, W), strict=True)
    )
    full = np.where(known[frame], -1, labels[rows][:, columns])
    parts = {
        k: (_between(rows, box[0]), _between(columns, box[1])) for k, box in _boxes(labels).items()
    }
    parts = {k: part for k, part in parts.items() if (full[part] == k).any()}
    if scale <= 1:
        return _Sources(frame, full, parts, offsets)
    scaled = np.round(offsets * np.array([H / h, W / w])).astype(np.int64)
    done, settled = as_own_float(picture[frame]), known[frame].copy()
    # Working pixels at the hole's border are hole and known both: those labels are fitted first that touch most of what is known.
    near_known = (
        cv2.dilate(
            cv2.resize(known.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST),
            np.ones((5, 5), np.uint8),
        )
        > 0
    )
    used = np.array(sorted(parts))
    contact = np.bincount(labels[(labels >= 0) & near_known], minlength=len(offsets))[used]
    corner = np.array([f.start for f in frame])
    for k in used[np.argsort(-contact, kind="stable")]:
        part = _grown(parts[k], reach + 2, full.shape)
        region = full[part] == k
        ring = (
            cv2.dilate(region.astype(np.uint8), np.ones((2 * reach + 3,) * 2, np.uint8)).astype(
                bool
            )
            & settled[part]
        )
        places = np.argwhere(ring) + np.array([part[0].start, part[1].start])
        if len(places):
            places = places[:: max(1, len(places) // FITTED_PIXELS)]
            scaled[k] = _best_fit(
                picture, known, places + corner, done[places[:, 0], places[:, 1]], scaled[k], reach
            )
        target, source = _overlap(_moved(part, corner), scaled[k], (H, W))
        target = _within(target, frame)
        copied = region[_within(target, part)] & known[source]
        done[target][copied] = as_float(picture[source][copied])
        settled[target] |= copied
    return _Sources(frame, full, parts, scaled)


def _best_fit(
    picture: Picture, known: Mask, places: Offsets, wanted: FloatArray, offset: NDArray[np.int64], reach: int
) -> NDArray[np.int64]:  # fmt: skip
    """Of the offsets within ``reach`` of ``offset`` the one whose source at ``places`` looks most like ``wanted``.

    Every second one is tried, then those around the best.
    """
    best = offset
    span = np.arange(-reach, reach + 1, 2)
    for steps in (np.stack(np.meshgrid(span, span, indexing="ij"), -1).reshape(-1, 2), FINE_STEPS):
        tried = best + steps
        y, x = (places + tried[:, None]).transpose(2, 0, 1)
        legal = (y >= 0) & (y < known.shape[0]) & (x >= 0) & (x < known.shape[1])
        y, x = np.where(legal, y, 0), np.where(legal, x, 0)
        legal &= known[y, x]
        difference = mean_difference(as_float(picture[y, x]), wanted)
        difference[~legal] = 0
        count = legal.sum(1)
        # Of equally good ones the nearest to where it was: flat ground fits everywhere.
        cost = difference.sum(1) / np.maximum(count, 1) + 1e-4 * np.abs(tried - offset).sum(1)
        cost[count < 0.5 * len(places)] = np.inf
        if np.isfinite(cost).any():
            best = tried[cost.argmin()]
    return best


def _boxes(labels: Labels) -> dict[int, Part]:
    """The box around every label from 0 on, by label."""
    y, x = np.nonzero(labels >= 0)
    order = np.argsort(labels[y, x], kind="stable")
    found, starts = np.unique(labels[y, x][order], return_index=True)
    ends = [
        (np.minimum.reduceat(v[order], starts), np.maximum.reduceat(v[order], starts) + 1)
        for v in (y, x)
    ]
    (top, bottom), (left, right) = ((a.tolist(), b.tolist()) for a, b in ends)
    return {
        k: (slice(top[i], bottom[i]), slice(left[i], right[i]))
        for i, k in enumerate(found.tolist())
    }


def _extent(region: Mask, margin: int) -> Part:
    """The box around a region, with a margin, cut to the picture."""
    ys, xs = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    return _grown(
        (slice(int(ys[0]), int(ys[-1]) + 1), slice(int(xs[0]), int(xs[-1]) + 1)),
        margin,
        region.shape,
    )


def _grown(part: Part, margin: int, shape: tuple[int, ...]) -> Part:
    """A part with a margin, cut to the picture."""
    rows, columns = (
        slice(max(0, p.start - margin), min(n, p.stop + margin))
        for p, n in zip(part, shape, strict=True)
    )
    return rows, columns


def _between(places: NDArray[np.int64], span: slice) -> slice:
    """Where the values of an ascending row lie in ``span``."""
    start, stop = np.searchsorted(places, (span.start, span.stop))
    return slice(int(start), int(stop))


def _moved(part: Part, by: NDArray[np.int64]) -> Part:
    rows, columns = (
        slice(p.start + int(n), p.stop + int(n)) for p, n in zip(part, by, strict=True)
    )
    return rows, columns


def _overlap(part: Part, offset: NDArray[np.int64], shape: tuple[int, int]) -> tuple[Part, Part]:
    """The part of ``part`` whose source lies in the picture, and that source."""
    target, source = [], []
    for side, move, limit in zip(part, (int(v) for v in offset), shape, strict=True):
        start = min(max(side.start, -move), side.stop)
        stop = max(start, min(side.stop, limit - move))
        target.append(slice(start, stop))
        source.append(slice(start + move, stop + move) if stop > start else slice(0, 0))
    return (target[0], target[1]), (source[0], source[1])


def _within(target: Part, part: Part) -> Part:
    """``target`` in the coordinates of ``part``."""
    return _moved(target, -np.array([part[0].start, part[1].start]))


def _copied(
    picture: Picture,
    known: Mask,
    sources: _Sources,
    small_labels: Labels,
    small_shift: FloatArray,
    margin: int,
) -> Patch:
    """Equation 2 with soft seams: every pixel from its label's source, its light corrected, neighbours fading into each other."""
    frame, labels = sources.frame, sources.labels
    total, weight = np.zeros((*labels.shape, 3), np.float32), np.zeros(labels.shape, np.float32)
    corner = np.array([f.start for f in frame])
    for k, part in sources.parts.items():
        target, source = _overlap(
            _moved(_grown(part, 4, labels.shape), corner), sources.offsets[k], known.shape
        )
        if target[0].stop <= target[0].start or target[1].stop <= target[1].start:
            continue
        shift = _enlarged_shift(small_labels == k, small_shift, target, known.shape)
        target = _within(target, frame)
        share = cv2.GaussianBlur((labels[target] == k).astype(np.float32), (0, 0), 1.0)
        share[~known[source]] = 0
        shift += as_float(picture[source])
        shift[share == 0] = 0  # what lies under a hole takes no part, whatever it is
        shift *= share[..., None]
        total[target] += shift
        weight[target] += share
    patch = _grown(frame, margin, known.shape)
    content = as_own_float(picture[patch])
    hole, inside = ~known[frame], content[_within(frame, patch)]
    filled = hole & (weight > 1e-3)
    inside[filled] = total[filled] / weight[filled][:, None]
    left_over = hole & ~filled
    if left_over.any():  # pixels whose source falls outside by rounding
        near = _extent(left_over, 8)
        eight = (np.clip(inside[near], 0, 1) * 255 + 0.5).astype(np.uint8)
        mended = cv2.inpaint(eight, left_over[near].astype(np.uint8), 3, cv2.INPAINT_TELEA)
        inside[near][left_over[near]] = mended[left_over[near]].astype(np.float32) / 255
    return Patch(patch, content)


def _lead(patch: Patch, known: Mask, guide: FloatArray) -> None:
    """The hole's content, in place, nearer to the guide beside what is known (``LED_SMOOTH``).

    Args:
        patch: of the window, as copied.
        known: HW bool, of the window.
        guide: hw3, of the window at the working size.
    """
    hole = ~known[patch.part]
    scale = max(known.shape[0] / guide.shape[0], known.shape[1] / guide.shape[1], 1.0)
    h, w = (
        max(1, round(n / scale)) for n in hole.shape
    )  # the patch in pixels of about the working size
    share = cv2.resize(hole.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    copied = cv2.resize(patch.content * hole[..., None], (w, h), interpolation=cv2.INTER_AREA)
    y, x = (
        ((np.arange(n, dtype=np.float32) + 0.5) * np.float32((p.stop - p.start) / n) + p.start)
        * np.float32(g / whole)
        - 0.5
        for n, p, g, whole in zip((h, w), patch.part, guide.shape[:2], known.shape, strict=True)
    )
    wanted = _read_at(guide, y, x)
    low, of_hole = (
        cv2.GaussianBlur(plane, (0, 0), LED_SMOOTH)
        for plane in (wanted * share[..., None] - copied, share)
    )
    depth = cv2.distanceTransform((share > 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    low *= (np.exp(-depth / LED_REACH) / np.maximum(of_hole, 1e-3))[..., None]
    moved = cv2.resize(low, hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    moved[~hole] = 0
    np.add(patch.content, moved, out=patch.content)


def _enlarged_shift(
    region: Mask, shift: FloatArray, target: Part, shape: tuple[int, int]
) -> FloatArray:
    """One label's correction on ``target`` of the full size: it jumps at seams, so only the label's own pixels are interpolated."""
    scale = region.shape[0] / shape[0], region.shape[1] / shape[1]
    rows, columns = (
        slice(max(0, int(t.start * f) - 8), min(n, int(np.ceil(t.stop * f)) + 8))
        for t, f, n in zip(target, scale, region.shape, strict=True)
    )
    own, shift = region[rows, columns].astype(np.float32), shift[rows, columns]
    weight = cv2.GaussianBlur(own, (0, 0), 2.0)[..., None]
    spread = cv2.GaussianBlur(shift * own[..., None], (0, 0), 2.0) / np.maximum(weight, 1e-6)
    extended = np.where(own[..., None] > 0, shift, np.where(weight > 1e-4, spread, 0)).astype(
        np.float32
    )
    if region.shape == shape:
        return extended[_within(target, (rows, columns))]
    y, x = (
        (np.arange(t.start, t.stop, dtype=np.float32) + 0.5) * np.float32(f) - 0.5 - p.start
        for t, f, p in zip(target, scale, (rows, columns), strict=True)
    )
    return _read_at(extended, y, x)


def _read_at(plane: FloatArray, y: FloatArray, x: FloatArray) -> FloatArray:
    """The colours between pixels: at each of the rows ``y`` and columns ``x``, in pixels from the first one's centre."""
    maps = np.meshgrid(x, y)
    return cv2.remap(plane, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]
