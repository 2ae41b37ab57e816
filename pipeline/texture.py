"""Similar texture selection: from a coarse answer and the photo's own known blocks to full resolution (Wu & Cui, 3.2, eq. 1-3).

A window of ``s * gh`` x ``s * gw`` pixels is a grid of s x s blocks; the network's coarse answer has one pixel a block. Only blocks of
which every pixel is known are candidates, in tests as in use: the paper matches against the true picture, which no program has.

``select`` and ``copy_blocks`` are the paper's equations to the letter. Alone they make a mosaic, because each block is chosen without a
look at its neighbours; ``select_coherent`` adds the cost of the seam between neighbours that come from different places.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.types import FloatArray, Mask

Offsets = NDArray[np.int64]
#: Equation 3's threshold: mean absolute RGB difference in [0, 1] below which the stretched picture's pixel is taken.
FINETUNE_THRESHOLD = 0.04
#: Candidates tried for a block while the first labelling grows: the nearest in colour, and what its neighbours took.
GROW_TRIES = 160


def block_means(picture: FloatArray, size: int) -> FloatArray:
    """LRGT of equation 1: (gh s)(gw s)3 -> gh gw 3, the mean of every block."""
    h, w = picture.shape[0] // size, picture.shape[1] // size
    return picture.reshape(h, size, w, size, 3).mean((1, 3), dtype=np.float32)


def known_blocks(known: Mask, size: int) -> Mask:
    """(gh s)(gw s) -> gh gw: True where every pixel of the block is known."""
    h, w = known.shape[0] // size, known.shape[1] // size
    blocks: Mask = known.reshape(h, size, w, size).all(axis=(1, 3))  # type: ignore[assignment]
    return blocks


def select(coarse: FloatArray, low: FloatArray, candidates: Mask, wanted: Mask) -> Offsets:
    """Equation 1: for every wanted block the candidate whose low-resolution colour is nearest in L1 over RGB.

    Args:
        coarse: gh gw 3, the network's answer.
        low: gh gw 3, the photo at low resolution; read only at candidates.
        candidates: gh gw, blocks that may be copied.
        wanted: gh gw, blocks to fill.

    Returns:
        gh gw 2, (row, column) of the chosen block; of two equally near ones the first in reading order. -1 where not wanted.

    Raises:
        ValueError: there is no candidate.
    """
    places = np.argwhere(candidates)
    if not len(places):
        raise ValueError("no block of the window is wholly known; the caller fills without texture")
    chosen = np.full((*wanted.shape, 2), -1, np.int64)
    cost = np.abs(coarse[wanted][:, None] - low[candidates][None]).sum(2)
    chosen[wanted] = places[cost.argmin(1)]
    return chosen


def copy_blocks(picture: FloatArray, chosen: Offsets, size: int) -> FloatArray:
    """Equation 2: the picture with every wanted block (``chosen`` >= 0) replaced by the chosen one, pixel for pixel."""
    result = picture.copy()
    for y, x in np.argwhere(chosen[..., 0] >= 0):
        i, j = chosen[y, x]
        result[y * size : (y + 1) * size, x * size : (x + 1) * size] = picture[i * size : (i + 1) * size, j * size : (j + 1) * size]
    return result


def stretch(picture: FloatArray, known: Mask) -> FloatArray | None:
    """The known part stretched over the whole frame: the largest strip along one side that holds no hole, enlarged to the frame.

    Returns:
        HW3 like ``picture``, or None where no such strip is a tenth of the frame.
    """
    h, w = known.shape
    hole_rows, hole_columns = np.flatnonzero(~known.all(1)), np.flatnonzero(~known.all(0))
    if not len(hole_rows):
        return picture.copy()
    strips = [
        (slice(0, hole_rows[0]), slice(0, w)),
        (slice(hole_rows[-1] + 1, h), slice(0, w)),
        (slice(0, h), slice(0, hole_columns[0])),
        (slice(0, h), slice(hole_columns[-1] + 1, w)),
    ]
    rows, columns = max(strips, key=lambda s: (s[0].stop - s[0].start) * (s[1].stop - s[1].start))
    part = picture[rows, columns]
    if part.size < 0.1 * picture.size:
        return None
    return cv2.resize(part, (w, h), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def finetune(output: FloatArray, stretched: FloatArray, threshold: float = FINETUNE_THRESHOLD) -> FloatArray:
    """Equation 3: the stretched picture's pixel where it differs from the output by less than ``threshold`` (mean over RGB)."""
    near = np.abs(output - stretched).mean(2, keepdims=True) < threshold
    return np.where(near, stretched, output)


def select_coherent(
    coarse: FloatArray,
    small: FloatArray,
    candidates: Mask,
    wanted: Mask,
    *,
    detail: int,
    seam_weight: float = 2.0,
    tries: int = 24,
    sweeps: int = 10,
) -> Offsets:
    """Equation 1 with neighbours that agree: iterated conditional modes over source offsets on the grid of blocks.

    The cost of a block's offset is equation 1's, plus for each neighbour with another offset the mean difference of what the two
    offsets would put on both sides of their common border. A known neighbour has offset 0, so the rim of the hole is matched too.

    Args:
        coarse: gh gw 3, the network's answer in [0, 1].
        small: (gh d)(gw d)3 picture with ``d = detail`` pixels a block; read only inside candidates.
        candidates: gh gw, blocks that may be copied.
        wanted: gh gw, blocks to fill.
        detail: pixels of ``small`` a block.
        seam_weight: of the seam against equation 1.
        tries: offsets tried for a block besides its neighbours'.
        sweeps: passes over the checkerboard.

    Returns:
        As ``select``.
    """
    gh, gw = wanted.shape
    low = block_means(small, detail)
    places = np.argwhere(candidates)
    if not len(places):
        raise ValueError("no block of the window is wholly known; the caller fills without texture")
    blocks = np.argwhere(wanted)
    index = np.full((gh, gw), -1)
    index[wanted] = np.arange(len(blocks))
    unary = np.abs(coarse[wanted][:, None] - low[candidates][None]).mean(2)
    nearest = np.argpartition(unary, min(tries, unary.shape[1] - 1), axis=1)[:, :tries]
    best_of = places[nearest] - blocks[:, None]
    label = _grow(blocks, places, unary, index, coarse, low, small, candidates, detail, seam_weight)
    colour = (blocks.sum(1) % 2).astype(bool)
    for _ in range(sweeps):
        changed = 0
        for parity in (False, True):
            rows = np.flatnonzero(colour == parity)
            if not len(rows):
                continue
            options = [label[rows][:, None], best_of[rows]]
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                options.append(_neighbour_label(blocks[rows], dy, dx, index, label)[:, None])
            tried = np.concatenate(options, axis=1)
            cost = _cost(blocks[rows], tried, coarse, low, candidates) + seam_weight * _seams(
                blocks[rows], tried, index, label, small, candidates, detail
            )  # fmt: skip
            best = cost.argmin(1)
            fresh = tried[np.arange(len(rows)), best]
            changed += int((fresh != label[rows]).any(1).sum())
            label[rows] = fresh
        if not changed:
            break
    chosen = np.full((gh, gw, 2), -1, np.int64)
    chosen[wanted] = blocks + label
    return chosen


def _grow(
    blocks: Offsets, places: Offsets, unary: FloatArray, index: NDArray[np.int64], coarse: FloatArray, low: FloatArray,
    small: FloatArray, candidates: Mask, d: int, weight: float,
) -> Offsets:  # fmt: skip
    """A first labelling, from the rim inwards: each block takes the best candidate beside the neighbours that have theirs.

    Equation 1 alone as a start leaves the sweeps in a mosaic that no change of a single block improves.
    """
    depth = cv2.distanceTransform(np.pad((index >= 0).astype(np.uint8), 1), cv2.DIST_L1, 3)[1:-1, 1:-1]
    order = np.argsort(depth[blocks[:, 0], blocks[:, 1]], kind="stable")
    label = np.zeros_like(blocks)
    waiting = index >= 0
    for i in order:
        block = blocks[i : i + 1]
        # Blocks that still wait are hidden: they are no neighbours yet.
        seen = np.where(waiting, -2, index)
        near = np.argpartition(unary[i], GROW_TRIES)[:GROW_TRIES] if len(places) > GROW_TRIES else np.arange(len(places))
        options = [places[near] - block]
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            options.append(_neighbour_label(block, dy, dx, seen, label))
        tried = np.concatenate(options)[None]
        cost = _cost(block, tried, coarse, low, candidates)[0] + weight * _seams(block, tried, seen, label, small, candidates, d)[0]
        label[i] = tried[0, int(cost.argmin())]
        waiting[block[0, 0], block[0, 1]] = False
    return label


def _neighbour_label(blocks: Offsets, dy: int, dx: int, index: NDArray[np.int64], label: Offsets) -> Offsets:
    y = np.clip(blocks[:, 0] + dy, 0, index.shape[0] - 1)
    x = np.clip(blocks[:, 1] + dx, 0, index.shape[1] - 1)
    i = index[y, x]
    return np.where((i >= 0)[:, None], label[np.maximum(i, 0)], 0)


def _cost(blocks: Offsets, tried: Offsets, coarse: FloatArray, low: FloatArray, candidates: Mask) -> FloatArray:
    """Equation 1 for every tried offset; infinite where its source is no candidate."""
    source = blocks[:, None] + tried
    legal: Mask = ((source >= 0) & (source < np.array(candidates.shape))).all(axis=2)  # type: ignore[assignment]
    source = np.where(legal[..., None], source, 0)
    legal &= candidates[source[..., 0], source[..., 1]]
    colours = low[source[..., 0], source[..., 1]]
    data = np.abs(coarse[blocks[:, 0], blocks[:, 1]][:, None] - colours).mean(2)
    return np.where(legal, data, np.inf)


def _seams(
    blocks: Offsets, tried: Offsets, index: NDArray[np.int64], label: Offsets, small: FloatArray, candidates: Mask, d: int
) -> FloatArray:  # fmt: skip
    """For every tried offset the sum over four neighbours of the mean difference along the common border."""
    gh, gw = index.shape
    total = np.zeros(tried.shape[:2], np.float32)
    line = np.arange(d)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        y, x = blocks[:, 0] + dy, blocks[:, 1] + dx
        inside = (y >= 0) & (y < gh) & (x >= 0) & (x < gw)
        yc, xc = np.clip(y, 0, gh - 1), np.clip(x, 0, gw - 1)
        i = index[yc, xc]
        theirs = np.where((i >= 0)[:, None], label[np.maximum(i, 0)], 0)
        # A neighbour that is neither wanted nor wholly known says nothing.
        speaks = inside & ((i >= 0) | ((i == -1) & candidates[yc, xc]))
        # The last line of pixels in this block and the first in the neighbour's, seen by both offsets.
        for own_side in (True, False):
            if dy == 0:
                column = (d - 1 if dx > 0 else 0) if own_side else (d if dx > 0 else -1)
                py, px = line[None], np.full((1, d), column)
            else:
                row = (d - 1 if dy > 0 else 0) if own_side else (d if dy > 0 else -1)
                py, px = np.full((1, d), row), line[None]
            at_y, at_x = blocks[:, :1] * d + py, blocks[:, 1:] * d + px
            ours, ours_known = _look(small, candidates, at_y[:, None] + tried[..., :1] * d, at_x[:, None] + tried[..., 1:] * d, d)
            other, other_known = _look(small, candidates, at_y + theirs[:, :1] * d, at_x + theirs[:, 1:] * d, d)
            both = ours_known & other_known[:, None]
            # Where one of the two sources ends there, the border cannot be compared: a bad seam, or it would be sought.
            difference = np.where(both, np.abs(ours - other[:, None]).mean(3), 0.25).mean(2)
            same = (tried == theirs[:, None]).all(2)
            total += np.where(speaks[:, None] & ~same, 0.5 * difference + 0.01, 0.0).astype(np.float32)
    return total


def _look(small: FloatArray, candidates: Mask, y: Offsets, x: Offsets, d: int) -> tuple[FloatArray, Mask]:
    h, w = small.shape[:2]
    known: Mask = (y >= 0) & (y < h) & (x >= 0) & (x < w)
    y, x = np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)
    known &= candidates[y // d, x // d]
    return small[y, x], known


def copy_blended(picture: FloatArray, known: Mask, chosen: Offsets, size: int) -> FloatArray:
    """Equation 2 with soft borders: each copied block is taken with a margin, and neighbours fade into each other across it.

    Where neighbours share their offset the fade mixes equal pixels, so coherent regions stay exact copies.

    Returns:
        HW3 with every wanted block filled; the rest of ``picture`` as it was.
    """
    h, w = known.shape
    margin = max(1, size // 4)
    total = np.zeros_like(picture)
    weight = np.zeros((h, w, 1), np.float32)
    ramp = np.minimum(1.0, (np.arange(size + 2 * margin) + 0.5) / (2 * margin))
    tent = np.minimum(ramp, ramp[::-1]).astype(np.float32)
    tent2 = (tent[:, None] * tent[None])[..., None]
    wanted = np.argwhere(chosen[..., 0] >= 0)
    for y, x in wanted:
        i, j = chosen[y, x]
        # The margin is cut where source or target leaves the frame.
        top = min(margin, y * size, i * size)
        left = min(margin, x * size, j * size)
        bottom = min(margin, h - (y + 1) * size, h - (i + 1) * size)
        right = min(margin, w - (x + 1) * size, w - (j + 1) * size)
        target = slice(y * size - top, (y + 1) * size + bottom), slice(x * size - left, (x + 1) * size + right)
        source = slice(i * size - top, (i + 1) * size + bottom), slice(j * size - left, (j + 1) * size + right)
        piece = tent2[margin - top : size + margin + bottom, margin - left : size + margin + right] * known[source][..., None]
        total[target] += picture[source] * piece
        weight[target] += piece
    result = picture.copy()
    filled = np.zeros((h, w), bool)
    for y, x in wanted:
        filled[y * size : (y + 1) * size, x * size : (x + 1) * size] = True
    result[filled] = (total / np.maximum(weight, 1e-6))[filled]
    return result


def texture_fill(picture: FloatArray, known: Mask, coarse: FloatArray, size: int, *, keep_colour: float = 0.25) -> FloatArray | None:
    """The hole of a window filled with the photo's own texture, guided by a coarse answer.

    Args:
        picture: (gh size)(gw size)3 in [0, 1]; never read where not known.
        known: (gh size)(gw size) bool.
        coarse: gh gw 3 in [0, 1].
        size: of a block, in pixels.
        keep_colour: how far each block's mean is brought back to the coarse answer's, in [0, 1].

    Returns:
        The window filled, or None where too little is known to copy from.
    """
    whole = known_blocks(known, size)
    wanted = ~whole
    if whole.sum() < max(8, 0.05 * whole.size) or not wanted.any():
        return None
    masked = np.where(known[..., None], picture, 0).astype(np.float32)
    detail = min(size, 8)
    gh, gw = whole.shape
    small = masked if detail == size else cv2.resize(masked, (gw * detail, gh * detail), interpolation=cv2.INTER_AREA)
    chosen = select_coherent(coarse, small, whole, wanted, detail=detail)  # type: ignore[arg-type]
    filled = copy_blended(masked, known, chosen, size)
    # Copied blocks are right in texture and a little off in colour; the coarse answer is right in colour.
    shift = np.where(wanted[..., None], coarse - block_means(filled, size), 0).astype(np.float32)
    smooth = cv2.GaussianBlur(shift, (0, 0), 1.0)
    return filled + keep_colour * cv2.resize(smooth, (known.shape[1], known.shape[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[no-any-return]
