"""Where a hole can be copied from: offsets that the photo's own patches suggest.

After He & Sun 2012 (statistics of patch offsets). An offset (dy, dx) copies to each pixel the one
dy below and dx to the right. Few offsets explain most of a photo: along a kerb, between windows of
a facade, over sand. Two groups of patches vote, each for the offset to its nearest neighbour: those
of the hole, with the guide inserted, and those of its surroundings.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import blur, depth_inside, dilate_square
from ...types import FloatArray, Mask

Offsets = NDArray[np.int64]

#: Side of a patch in pixels; its descriptor is the mean colours of 4 x 4 cells.
PATCH = 8
#: Offsets kept of the hole's own votes and of its surroundings'.
OF_HOLE, OF_SURROUNDINGS = 320, 48
#: Greatest numbers of query patches (of the hole, of its surroundings) and of candidate patches;
#: beyond them a random sample suffices.
HOLE_QUERIES, SURROUNDING_QUERIES, CANDIDATES = 1600, 1000, 10_000
#: Queries matched at once: their scores stay in the processor's cache.
BATCH = 128
#: Least length of the surroundings' offsets, as a share of the picture's longer side: nearer
#: patches resemble each other anyway.
LEAST_LENGTH = 1 / 12
#: Wholly known patches below which partly known ones become candidates too.
FEW_PATCHES = 20
#: Patches in the surroundings below which they do not vote.
FEW_SURROUNDINGS = 50
#: Surroundings that a pattern has to explain: pixels beside the hole, and at most about so many of
#: them.
SURROUNDINGS, RING_PIXELS = 24, 2000
#: Least length in pixels of an offset that explains them, and as a multiple of the hole's greatest
#: depth; least share of them that it has to explain; the number of best offsets that count.
LEAST_REACH, OVER_HOLE, LEAST_LEGAL, BEST_OFFSETS = 16.0, 1.5, 0.3, 4
#: Colour difference beyond which differences count the same.
DIFFERENT = 0.3


def candidate_offsets(
    guided: FloatArray, known_mask: Mask, hole_mask: Mask, rng: np.random.Generator
) -> Offsets:
    """The offsets with the most votes.

    Args:
        guided: HW3 in [0, 1], the photo with the guide in its hole.
        known_mask: HW bool.
        hole_mask: HW bool; what is neither known nor hole is no part of the photo.
        rng: draws the samples.

    Returns:
        K2 whole offsets (dy, dx), none of them zero; K may be 0 if too little is known.
    """
    describe = _describer(guided)
    whole: Mask = cv2.erode(
        known_mask.astype(np.uint8), np.ones((PATCH + 1, PATCH + 1), np.uint8), borderValue=0
    ).astype(bool)
    candidates = np.argwhere(whole if whole.sum() >= FEW_PATCHES else known_mask)
    if not len(candidates):
        return np.zeros((0, 2), np.int64)
    candidates = _sample(candidates, CANDIDATES, rng)
    described = describe(candidates)
    hole = _sample(np.argwhere(hole_mask), HOLE_QUERIES, rng)
    votes = [
        _peaks(candidates[_nearest(describe(hole), described)] - hole, known_mask.shape, OF_HOLE)
    ]
    band = dilate_square(hole_mask, 3 * PATCH // 2) & whole
    around = _sample(np.argwhere(band), SURROUNDING_QUERIES, rng)
    if len(around) >= FEW_SURROUNDINGS:
        too_near = (
            around.astype(np.float32),
            candidates.astype(np.float32),
            LEAST_LENGTH * max(known_mask.shape),
        )
        best = _nearest(describe(around), described, too_near)
        votes.append(_peaks(candidates[best] - around, known_mask.shape, OF_SURROUNDINGS))
    offsets: Offsets = np.unique(np.concatenate(votes), axis=0)
    return offsets[np.abs(offsets).sum(1) > 0]


def unexplained(picture: FloatArray, known_mask: Mask, hole_mask: Mask, offsets: Offsets) -> float:
    """How badly single offsets explain the surroundings of a hole: 0 = a pattern repeats exactly.

    Only offsets count that reach over the hole, because no others can fill its middle.

    Args:
        picture: HW3 in [0, 1]; read where known.
        known_mask: HW bool.
        hole_mask: HW bool.
        offsets: K2.

    Returns:
        Mean colour difference in [0, ``DIFFERENT``] over the surroundings, of the best few offsets.
    """
    ring = dilate_square(hole_mask, SURROUNDINGS) & known_mask
    y, x = spread(np.argwhere(ring), RING_PIXELS).T
    if not len(y):
        return DIFFERENT
    least = max(LEAST_REACH, OVER_HOLE * float(depth_inside(hole_mask).max()))
    smooth = blur(np.where(known_mask[..., None], picture, 0).astype(np.float32), 0.8)
    here, differences = smooth[y, x], [DIFFERENT]
    for dy, dx in offsets[np.hypot(*offsets.T) >= least].tolist():
        sy, sx = y + dy, x + dx
        legal = (sy >= 0) & (sy < known_mask.shape[0]) & (sx >= 0) & (sx < known_mask.shape[1])
        legal[legal] = known_mask[sy[legal], sx[legal]]
        if legal.mean() >= LEAST_LEGAL:
            difference = np.abs(smooth[sy[legal], sx[legal]] - here[legal]).mean(1)
            differences.append(float(np.minimum(difference, DIFFERENT).mean()))
    return float(np.mean(sorted(differences)[:BEST_OFFSETS]))


def spread(places: Offsets, count: int) -> Offsets:
    """About ``count`` of the places at most, evenly spread."""
    return places[:: max(1, len(places) // count)]


def _describer(picture: FloatArray) -> Callable[[Offsets], FloatArray]:
    """A function from N places (row, column) of an HW3 picture to their N48 descriptors.

    A descriptor is the mean colours of the 4 x 4 cells of the patch around a place.
    """
    cell = PATCH // 4
    means = cv2.blur(picture, (cell, cell), borderType=cv2.BORDER_REFLECT)
    padded = cv2.copyMakeBorder(means, PATCH, PATCH, PATCH, PATCH, cv2.BORDER_REFLECT)
    steps = np.array([int(np.floor(k * cell + 0.5)) + PATCH for k in (-1.5, -0.5, 0.5, 1.5)])
    cells = (steps[:, None] * padded.shape[1] + steps).reshape(-1)
    rows = padded.reshape(-1, 3)
    return lambda places: rows.take(
        (places[:, :1] * padded.shape[1] + places[:, 1:]) + cells, axis=0
    ).reshape(len(places), -1)


def _nearest(
    queries: FloatArray,
    candidates: FloatArray,
    too_near: tuple[FloatArray, FloatArray, float] | None = None,
) -> NDArray[np.int64]:
    """For each query the index of the candidate at the least Euclidean distance.

    The products are computed by torch, which keeps to the threads assigned to a photo; NumPy would
    take every core for each photo in progress.

    Args:
        queries: MD.
        candidates: ND.
        too_near: (M2 places of the queries, N2 places of the candidates, length): candidates whose
            place is nearer than this length are excluded.
    """
    rank = _ranking(candidates)
    rank_place = None if too_near is None else _ranking(too_near[1])
    nearest = np.zeros(len(queries), np.int64)
    for start in range(0, len(queries), BATCH):
        batch = slice(start, start + BATCH)
        score = rank(queries[batch])
        if too_near is not None and rank_place is not None:
            places = too_near[0][batch]
            # Places within the length have a score above this limit.
            limit = 0.5 * (places**2).sum(1, keepdims=True) - 0.5 * np.float32(too_near[2]) ** 2
            score[rank_place(places) > limit] = -np.inf
        nearest[batch] = score.argmax(1)
    return nearest


def product(a: FloatArray, b: FloatArray) -> FloatArray:
    """The matrix product of MN and NK as float32, on the threads assigned to a photo."""
    import torch  # not at import time, as in ``_ranking``

    first, second = (torch.from_numpy(np.ascontiguousarray(m, dtype=np.float32)) for m in (a, b))
    return (first @ second).numpy()


def _ranking(candidates: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """A function from queries x, MD, to MN scores x·y - |y|² / 2: higher is nearer to y."""
    import torch  # not at import time: a Ray driver, and a run with nothing left to do, skip it

    products = torch.from_numpy(np.ascontiguousarray(candidates.T))
    lengths = torch.from_numpy(-0.5 * (candidates**2).sum(1))
    return lambda queries: torch.addmm(lengths, torch.from_numpy(queries), products).numpy()


def _peaks(votes: Offsets, shape: tuple[int, ...], count: int) -> Offsets:
    """The ``count`` highest local maxima of the smoothed histogram of N2 votes; K2."""
    h, w = shape
    histogram = np.zeros((2 * h + 1, 2 * w + 1), np.float32)
    np.add.at(histogram, (votes[:, 0] + h, votes[:, 1] + w), 1)
    histogram = blur(histogram, 1.0)
    ys, xs = np.nonzero(
        (histogram > 0) & (histogram >= cv2.dilate(histogram, np.ones((5, 5), np.uint8)))
    )
    order = np.argsort(-histogram[ys, xs], kind="stable")[:count]
    return np.stack([ys[order] - h, xs[order] - w], axis=1)


def _sample(places: Offsets, count: int, rng: np.random.Generator) -> Offsets:
    """At most ``count`` of the places, drawn at random, in their own order."""
    return places if len(places) <= count else places[np.sort(rng.permutation(len(places))[:count])]
