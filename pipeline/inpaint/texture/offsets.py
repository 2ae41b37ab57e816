"""Where a hole can be copied from: the offsets that a photo's own patches suggest (He & Sun 2012, statistics of patch offsets).

An offset (dy, dx) says "this pixel as the one dy below and dx to the right". Few offsets explain most of a photo: along a kerb, between
windows of a front, over sand. Two sources vote: the patches of the hole itself, with a guide laid into it, and the patches around it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ...types import FloatArray, Mask

Offsets = NDArray[np.int64]

#: Side in pixels of a patch; it is described by the means of 4 x 4 cells.
PATCH = 8
#: Offsets kept of the hole's own votes and of its surroundings'.
OF_HOLE, OF_SURROUNDINGS = 320, 48
#: Patches that ask, and patches that are asked, at most: a sample does where there are more.
ASKING, SURROUNDING, ASKED = 1600, 1000, 10_000
#: Patches that ask at once: their scores stay in the processor's cache.
AT_ONCE = 128
#: The surroundings' offsets are at least this share of the picture's longer side long: nearer patches resemble each other anyway.
LEAST_LENGTH = 1 / 12


def candidate_offsets(guided: FloatArray, known_mask: Mask, rng: np.random.Generator) -> Offsets:
    """The offsets that most patches vote for.

    Args:
        guided: HW3 in [0, 1], the photo with the guide in its hole.
        known_mask: HW bool.
        rng: draws the samples.

    Returns:
        K2 whole offsets, none of them zero; K may be 0 where too little is known.
    """
    described_at = _describer(guided)
    whole: Mask = cv2.erode(
        known_mask.astype(np.uint8), np.ones((PATCH + 1, PATCH + 1), np.uint8), borderValue=0
    ).astype(bool)
    asked = np.argwhere(whole if whole.sum() >= 20 else known_mask)
    if not len(asked):
        return np.zeros((0, 2), np.int64)
    asked = _sample(asked, ASKED, rng)
    described = described_at(asked)
    hole = _sample(np.argwhere(~known_mask), ASKING, rng)
    votes = [
        _peaks(asked[_nearest(described_at(hole), described)] - hole, known_mask.shape, OF_HOLE)
    ]
    band: Mask = (
        cv2.dilate((~known_mask).astype(np.uint8), np.ones((3 * PATCH + 1,) * 2, np.uint8)).astype(
            bool
        )
        & whole
    )
    around = _sample(np.argwhere(band), SURROUNDING, rng)
    if len(around) >= 50:
        too_near = (
            around.astype(np.float32),
            asked.astype(np.float32),
            LEAST_LENGTH * max(known_mask.shape),
        )
        best = _nearest(described_at(around), described, too_near)
        votes.append(_peaks(asked[best] - around, known_mask.shape, OF_SURROUNDINGS))
    offsets: Offsets = np.unique(np.concatenate(votes), axis=0)
    return offsets[np.abs(offsets).sum(1) > 0]


def _describer(picture: FloatArray) -> Callable[[Offsets], FloatArray]:
    """HW3 -> what gives N places N48: the mean colours of the 4 x 4 cells of the patch around each."""
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
    asking: FloatArray,
    asked: FloatArray,
    too_near: tuple[FloatArray, FloatArray, float] | None = None,
) -> NDArray[np.int64]:
    """For each row of ``asking`` the row of ``asked`` at the least Euclidean distance.

    ``too_near``: (rows, asked rows, length): what lies nearer than that there is not taken. The products are torch's, which keep to the
    threads that a photo has; NumPy's would take every core for each of the photos at work.
    """
    ranked = _ranking(asked)
    allowed = None if too_near is None else _ranking(too_near[1])
    found = np.zeros(len(asking), np.int64)
    for start in range(0, len(asking), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        score = ranked(asking[part])
        if too_near is not None and allowed is not None:
            rows = too_near[0][part]
            # A score is above the length's for those within it.
            least = 0.5 * (rows**2).sum(1, keepdims=True) - 0.5 * np.float32(too_near[2]) ** 2
            score[allowed(rows) > least] = -np.inf
        found[part] = score.argmax(1)
    return found


def _ranking(asked: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """What gives rows x their products with each row y of ``asked``, less |y|^2 / 2: the higher, the nearer."""
    import torch  # not before a photo is at work: a driver of Ray's, and a run that finds all done, do without

    products = torch.from_numpy(np.ascontiguousarray(asked.T))
    lengths = torch.from_numpy(-0.5 * (asked**2).sum(1))
    return lambda rows: torch.addmm(lengths, torch.from_numpy(rows), products).numpy()


def _peaks(votes: Offsets, shape: tuple[int, ...], count: int) -> Offsets:
    """The ``count`` highest local maxima of the smoothed histogram of offsets."""
    h, w = shape
    histogram = np.zeros((2 * h + 1, 2 * w + 1), np.float32)
    np.add.at(histogram, (votes[:, 0] + h, votes[:, 1] + w), 1)
    histogram = cv2.GaussianBlur(histogram, (0, 0), 1.0)  # type: ignore[assignment]
    ys, xs = np.nonzero(
        (histogram > 0) & (histogram >= cv2.dilate(histogram, np.ones((5, 5), np.uint8)))
    )
    order = np.argsort(-histogram[ys, xs], kind="stable")[:count]
    return np.stack([ys[order] - h, xs[order] - w], axis=1)


def _sample(places: Offsets, count: int, rng: np.random.Generator) -> Offsets:
    return places if len(places) <= count else places[np.sort(rng.permutation(len(places))[:count])]
