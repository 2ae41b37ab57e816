"""From the working size to the window's own: fit each offset to the pixel, copy, guide the copy.

Offsets are chosen and labelled on a reduced window (``labelling``). This module fits each of them
to the window's own pixels, copies these with soft seams (equation 2 of Wu & Cui), and matches the
copy's low frequencies to the guide beside known pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import as_float, as_own_float, blur, depth_inside, dilate_square, eight_bits, resize
from ...types import Box, FloatArray, Mask
from .costs import Labels, mean_difference
from .offsets import Offsets, spread

#: HW3: float32 in [0, 1], uint8 or uint16. Large windows stay in the photo's own samples; only
#: the copied pixels become floats.
Picture = NDArray[Any]

#: Pixels on which an offset is fitted to full size, at most.
FITTED_PIXELS = 250

#: Steps tried around the best position of the coarse search, which tries every second one.
FINE_STEPS = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])

#: Least share of a window that must be known for its texture to be worth copying.
LEAST_KNOWN = 0.05

#: Beside known pixels the guide is accurate: there everything coarser than ``GUIDED_SMOOTH``
#: working pixels (standard deviation) comes from the guide and only finer detail from the copy.
#: The guide's influence decays with depth in the hole, over ``GUIDED_REACH`` working pixels.
GUIDED_SMOOTH, GUIDED_REACH = 1.0, 3.0


@dataclass(frozen=True, eq=False)
class Patch:
    """New content for part of a window: the hole and a margin, where the window has room for it.

    Attributes:
        box: the part, in the window's coordinates.
        content: hw3 float32 in [0, 1] nominally; known pixels are the picture's own.
    """

    box: Box
    content: FloatArray


@dataclass(frozen=True, eq=False)
class FullSizeLabels:
    """Which offset each pixel of the hole takes, at the window's own size.

    Attributes:
        frame: the part of the window around the hole.
        labels: hw of the frame, int32 index into ``offsets``; -1 where known.
        boxes: for each label in use boxes in the frame that together contain all its pixels; grown
            by ``_reach`` + 2 pixels, no two of one label intersect.
        offsets: K2, (dy, dx) in the window's own pixels.
    """

    frame: Box
    labels: NDArray[np.int32]
    boxes: dict[int, list[Box]]
    offsets: Offsets


def scale_labels(
    labels: Labels, offsets: Offsets, picture: Picture, known_mask: Mask, hole_mask: Mask
) -> FullSizeLabels:
    """Bring labels and offsets from the working size to the window's own.

    A working pixel spans ``s`` pixels of the window, so an offset is known to s / 2 only. Each
    offset is therefore fitted: of the nearby offsets the one is taken whose copy agrees best with
    the known pixels beside the hole, and then with the copies that are already placed.

    Args:
        labels: hw at the working size, index into ``offsets``; -1 where known.
        offsets: K2, in working pixels.
        picture: HW3, the window.
        known_mask: HW bool.
        hole_mask: HW bool.
    """
    H, W = known_mask.shape
    h, w = labels.shape
    scale = max(H / h, W / w)
    reach = _reach(scale)
    frame = Box.bounding(hole_mask).grown(reach + 6, (H, W))
    rows, columns = (
        np.arange(f.start, f.stop) * n // m
        for f, n, m in zip(frame.slices, (h, w), (H, W), strict=True)
    )
    full = labels.astype(np.int32)[rows][:, columns]
    full[~hole_mask[frame.slices]] = -1
    boxes = {
        k: [
            Box.from_slices(
                *(_between(a, s) for a, s in zip((rows, columns), box.slices, strict=True))
            )
            for box in found
        ]
        for k, found in _label_boxes(labels, 2 + int(np.ceil((reach + 2) / scale))).items()
    }
    boxes = {
        k: used
        for k, found in boxes.items()
        if (used := [box for box in found if (full[box.slices] == k).any()])
    }
    if scale <= 1:
        return FullSizeLabels(frame, full, boxes, offsets)
    scaled = np.round(offsets * np.array([H / h, W / w])).astype(np.int64)
    placed, is_placed = as_own_float(picture[frame.slices]), known_mask[frame.slices].copy()
    for k in _by_contact(labels, known_mask, np.array(sorted(boxes)), len(offsets)):
        grown = [box.grown(reach + 2, full.shape) for box in boxes[k]]
        regions = [full[box.slices] == k for box in grown]
        places = np.concatenate(
            [
                np.argwhere(dilate_square(region, reach + 1) & is_placed[box.slices])
                + np.array([box.y, box.x])
                for box, region in zip(grown, regions, strict=True)
            ]
        )
        if len(places):
            # Row after row, so that those that are spread do not depend on the boxes.
            places = spread(places[np.lexsort((places[:, 1], places[:, 0]))], FITTED_PIXELS)
            scaled[k] = _best_fit(
                picture,
                known_mask,
                places + np.array([frame.y, frame.x]),
                placed[places[:, 0], places[:, 1]],
                scaled[k],
                reach,
            )
        for box, region in zip(grown, regions, strict=True):
            target, source = _overlap(box.shifted(frame.y, frame.x), scaled[k], (H, W))
            target = target.relative_to(frame)
            copied = region[target.relative_to(box).slices] & known_mask[source.slices]
            placed[target.slices][copied] = as_float(picture[source.slices][copied])
            is_placed[target.slices] |= copied
    return FullSizeLabels(frame, full, boxes, scaled)


def _reach(scale: float) -> int:
    """How far in pixels an offset may be off that is known to a working pixel of ``scale``."""
    return int(np.ceil(scale / 2)) + 1


def _by_contact(labels: Labels, known_mask: Mask, used: Labels, count: int) -> Labels:
    """The labels in use, those with the longest contact with known pixels first.

    A working pixel at the hole's border covers hole and known pixels alike, so the contact is
    measured near the known region.
    """
    small_known = resize(known_mask.astype(np.uint8), labels.shape, cv2.INTER_NEAREST)
    near_known = dilate_square(small_known > 0, 2)
    contact = np.bincount(labels[(labels >= 0) & near_known], minlength=count)[used]
    ordered: Labels = used[np.argsort(-contact, kind="stable")]
    return ordered


def _best_fit(
    picture: Picture,
    known_mask: Mask,
    places: Offsets,
    wanted: FloatArray,
    offset: NDArray[np.int64],
    reach: int,
) -> NDArray[np.int64]:
    """Of the offsets within ``reach`` of ``offset``, the one whose source fits ``wanted`` best.

    Every second offset is tried, then those around the best.

    Args:
        picture: HW3, the window.
        known_mask: HW bool.
        places: N2, (row, column) in the window.
        wanted: N3 in [0, 1], the colours at ``places``.
        offset: (dy, dx), where the search starts.
        reach: in pixels.
    """
    best = offset
    span = np.arange(-reach, reach + 1, 2)
    for steps in (np.stack(np.meshgrid(span, span, indexing="ij"), -1).reshape(-1, 2), FINE_STEPS):
        tried = best + steps
        y, x = (places + tried[:, None]).transpose(2, 0, 1)
        legal = (y >= 0) & (y < known_mask.shape[0]) & (x >= 0) & (x < known_mask.shape[1])
        y, x = np.where(legal, y, 0), np.where(legal, x, 0)
        legal &= known_mask[y, x]
        difference = mean_difference(as_float(picture[y, x]), wanted)
        difference[~legal] = 0
        count = legal.sum(1)
        # Flat ground fits everywhere: of equally good offsets prefer the nearest to the original.
        cost = difference.sum(1) / np.maximum(count, 1) + 1e-4 * np.abs(tried - offset).sum(1)
        cost[count < 0.5 * len(places)] = np.inf
        if np.isfinite(cost).any():
            best = tried[cost.argmin()]
    return best


def _label_boxes(labels: Labels, gap: int) -> dict[int, list[Box]]:
    """Boxes around the pixels of every label from 0 on, by label.

    A label that lies here and there has a box for each part, because one around all would hold
    mostly other labels.

    Args:
        labels: hw.
        gap: two boxes of one label do not intersect, each grown by so many pixels.
    """
    y, x = np.nonzero(labels >= 0)
    order = np.argsort(labels[y, x], kind="stable")
    used, starts = np.unique(labels[y, x][order], return_index=True)
    places = np.split(np.stack([y, x], axis=1)[order], starts)[1:]
    return {k: _parts(own, gap) for k, own in zip(used.tolist(), places, strict=True)}


def _parts(places: Offsets, gap: int) -> list[Box]:
    """Boxes around N2 places (row, column); see ``_label_boxes``."""
    (top, left), (bottom, right) = places.min(0).tolist(), places.max(0).tolist()
    mask = np.zeros((bottom - top + 1 + 2 * gap, right - left + 1 + 2 * gap), np.uint8)
    mask[places[:, 0] - top + gap, places[:, 1] - left + gap] = 1
    near = cv2.dilate(mask, np.ones((2 * gap + 1, 2 * gap + 1), np.uint8))
    found = cv2.connectedComponentsWithStats(near)[2][1:, :4].tolist()
    parts: list[Box] = []
    for part in (Box(x, y, w, h) for x, y, w, h in found):
        merged, apart = part, parts
        while any(merged.intersects(other) for other in apart):
            merged, apart = _merged(merged, apart)
        parts = [*apart, merged]
    # The mask begins ``gap`` before the places, and so does each of its parts.
    return [Box(p.x + left, p.y + top, p.w - 2 * gap, p.h - 2 * gap) for p in parts]


def _merged(box: Box, others: list[Box]) -> tuple[Box, list[Box]]:
    """(a box with those of the others that it intersects, the rest of the others)."""
    for other in others:
        if box.intersects(other):
            box = box.union(other)
    return box, [other for other in others if not box.intersects(other)]


def _between(places: NDArray[np.int64], span: slice) -> slice:
    """The indices at which an ascending array has values in ``span``."""
    start, stop = np.searchsorted(places, (span.start, span.stop))
    return slice(int(start), int(stop))


def _overlap(box: Box, offset: NDArray[np.int64], shape: tuple[int, int]) -> tuple[Box, Box]:
    """(the part of ``box`` whose source lies in a picture of ``shape``, that source)."""
    dy, dx = (int(v) for v in offset)
    target = box.intersection(Box.full(shape).shifted(-dy, -dx))
    return target, target.shifted(dy, dx)


def copy_sources(
    picture: Picture,
    known_mask: Mask,
    hole_mask: Mask,
    full: FullSizeLabels,
    small_labels: Labels,
    small_shift: FloatArray,
    margin: int,
) -> Patch:
    """Equation 2 of Wu & Cui with soft seams: copy every pixel from its label's source.

    The copies' light is corrected, and neighbouring copies fade into each other.

    Args:
        picture: HW3, the window.
        known_mask: HW bool.
        hole_mask: HW bool.
        full: the labels at the window's size.
        small_labels: hw at the working size.
        small_shift: hw3, the correction at the working size (``blending.correction``).
        margin: of the patch around the frame, in pixels.
    """
    frame, labels = full.frame, full.labels
    total, weight = np.zeros((*labels.shape, 3), np.float32), np.zeros(labels.shape, np.float32)
    for k, box in ((k, box) for k, boxes in full.boxes.items() for box in boxes):
        target, source = _overlap(
            box.grown(4, labels.shape).shifted(frame.y, frame.x),
            full.offsets[k],
            known_mask.shape,
        )
        if not target.area:
            continue
        shift = _enlarged_shift(small_labels == k, small_shift, target, known_mask.shape)
        inside = target.relative_to(frame).slices
        share = blur((labels[inside] == k).astype(np.float32), 1.0)
        share[~known_mask[source.slices]] = 0
        shift += as_float(picture[source.slices])
        shift[share == 0] = 0  # discards whatever lies under a hole, NaN included
        shift *= share[..., None]
        total[inside] += shift
        weight[inside] += share
    patch = frame.grown(margin, known_mask.shape)
    content = as_own_float(picture[patch.slices])
    hole, in_frame = hole_mask[frame.slices], content[frame.relative_to(patch).slices]
    filled = hole & (weight > 1e-3)
    # In place: a hole of a large photo has millions of pixels.
    np.divide(total, weight[..., None], out=total, where=filled[..., None])
    np.copyto(in_frame, total, where=filled[..., None])
    _mend(in_frame, hole & ~filled)
    return Patch(patch, content)


def _mend(content: FloatArray, missing: Mask) -> None:
    """Fill, in place, the few pixels whose source lies outside the picture because of rounding."""
    if not missing.any():
        return
    near = Box.bounding(missing).grown(8, missing.shape).slices
    present = np.where(missing[near][..., None], 0, content[near])
    eight = eight_bits(present)
    mended = cv2.inpaint(eight, missing[near].astype(np.uint8), 3, cv2.INPAINT_TELEA)
    content[near][missing[near]] = mended[missing[near]].astype(np.float32) / 255


def guide_low_frequencies(patch: Patch, hole_mask: Mask, guide: FloatArray) -> None:
    """Pull the hole's content, in place, towards the guide beside known pixels.

    Only components coarser than ``GUIDED_SMOOTH`` working pixels change, less with depth.

    Args:
        patch: of the window, as copied.
        hole_mask: HW bool, of the window.
        guide: hw3, of the window at the working size.
    """
    hole = hole_mask[patch.box.slices]
    scale = max(hole_mask.shape[0] / guide.shape[0], hole_mask.shape[1] / guide.shape[1], 1.0)
    # The patch in pixels of about the working size.
    size = tuple(max(1, round(n / scale)) for n in hole.shape)
    share = resize(hole.astype(np.float32), size)
    copied = resize(patch.content * hole[..., None], size)
    y, x = (
        ((np.arange(n, dtype=np.float32) + 0.5) * np.float32((p.stop - p.start) / n) + p.start)
        * np.float32(g / whole)
        - 0.5
        for n, p, g, whole in zip(
            size, patch.box.slices, guide.shape[:2], hole_mask.shape, strict=True
        )
    )
    wanted = read_at(guide, y, x)
    low = blur(wanted * share[..., None] - copied, GUIDED_SMOOTH)
    hole_share = blur(share, GUIDED_SMOOTH)
    depth = depth_inside(share > 0.5)
    low *= (np.exp(-depth / GUIDED_REACH) / np.maximum(hole_share, 1e-3))[..., None]
    change = resize(low, hole.shape, cv2.INTER_LINEAR)
    np.add(patch.content, change, out=patch.content, where=hole[..., None])


def _enlarged_shift(
    region: Mask, shift: FloatArray, target: Box, shape: tuple[int, int]
) -> FloatArray:
    """One label's colour correction on part of the window, at full size.

    The correction jumps at seams, so only the label's own pixels are interpolated; it is
    extrapolated to their neighbours.

    Args:
        region: hw at the working size, the label's pixels.
        shift: hw3 at the working size.
        target: the part of the window.
        shape: the window's (height, width).
    """
    scale = region.shape[0] / shape[0], region.shape[1] / shape[1]
    near = Box.from_slices(
        *(
            slice(max(0, int(t.start * f) - 8), min(n, int(np.ceil(t.stop * f)) + 8))
            for t, f, n in zip(target.slices, scale, region.shape, strict=True)
        )
    )
    inside, shift = region[near.slices].astype(np.float32), shift[near.slices]
    weight = blur(inside, 2.0)[..., None]
    spread = blur(shift * inside[..., None], 2.0) / np.maximum(weight, 1e-6)
    extended = np.where(inside[..., None] > 0, shift, np.where(weight > 1e-4, spread, 0)).astype(
        np.float32
    )
    if region.shape == shape:
        return extended[target.relative_to(near).slices]
    y, x = (
        (np.arange(t.start, t.stop, dtype=np.float32) + 0.5) * np.float32(f) - 0.5 - p.start
        for t, f, p in zip(target.slices, scale, near.slices, strict=True)
    )
    return read_at(extended, y, x)


def read_at(plane: FloatArray, y: FloatArray, x: FloatArray) -> FloatArray:
    """Interpolate a picture bilinearly at a grid of rows ``y`` and columns ``x``.

    Coordinates are in pixels from the centre of the first pixel; outside, the border is repeated.
    """
    maps = np.meshgrid(x, y)
    return cv2.remap(plane, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
