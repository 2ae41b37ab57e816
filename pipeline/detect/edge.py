"""Where an object ends beside the rim of a mask that somebody drew: colours, ring by ring.

A drawn or exported mask often ends a few pixels inside its object, and what is left of the object
becomes a ghost around the hole, or is copied into it. This module compares every pixel of a narrow
band outside the mask with two models of colour from its surroundings: the object's (inside the
mask, beside the rim) and the background's (beyond the band). Each model is one normal distribution
of RGB, measured in a Gaussian window. A mask that lies generously around its object has background
on both sides of its rim: there the two models agree, and nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels import as_float, blur, depth_inside, eight_bits, resize
from ..types import Box, FloatArray, Mask, Pixels
from .mask import dilate, find_holes

#: Width of the band outside a mask, as a share of the photo's longer side, and its limits in
#: pixels. Larger photos are sharper for their size, and a mask is rarely more than that off.
REACH_SHARE, LEAST_REACH, LARGEST_REACH = 0.0125, 4, 24
#: The background is measured up to this multiple of the reach from the mask, in windows of this
#: standard deviation (also a multiple of it).
BACKGROUND, WINDOW = 3, 2.0
#: Standard deviation, in [0, 1], that each colour channel has at least: grain and JPEG noise.
NOISE = 8 / 255
#: Bhattacharyya distance of the two models below which they are too alike to decide a pixel.
APART = 1.0
#: Limit on the logarithm of one pixel's likelihood ratio; standard deviation in pixels of its
#: average over neighbours; average above which a pixel counts as object. It is below 0 because a
#: pixel of object left outside costs more than a pixel of background taken.
CERTAIN, AVERAGED, OBJECT = 6.0, 0.8, -1.0
#: Squared Mahalanobis distance from the object's colours beyond which a pixel is something else,
#: for example another object.
ELSE = 16.0
#: Share of a ring's pixels in a neighbourhood that must be object for all of them to be taken: if
#: the whole rim counts (see below), and if it does not.
COVERED, COVERED_ALONE = 0.22, 0.5
#: Weight of the whole rim against the neighbourhood, in which there may be nothing to decide. The
#: whole rim counts if the colours decide on enough of its band: nothing at the first share, all at
#: the second.
WHOLE_RIM, FEW_DECIDED, MANY_DECIDED = 0.15, 0.2, 0.4
#: Pixels taken beyond the last one of the object: mixed colours, and the codec's ringing.
MIXED = 1
#: Pixels of the band that must be decided for a mean over them.
LEAST_DECIDED = 20
#: Pixels beside a hole, and share of its band that must be decided, to tell what is left outside.
LEAST_BESIDE, TOLD = 100, 0.3

_PAIRS = tuple(combinations_with_replacement(range(3), 2))
_Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Band:
    """The pixels just outside a mask, and what the colours say of each.

    Attributes:
        y: n, rows.
        x: n, columns.
        ring: n, distance from the mask in pixels, rounded up: 1 is the ring that touches it.
        decided: n bool, whether object and background differ here.
        is_object: n bool, decided, and the object's colours fit better.
    """

    y: _Indices
    x: _Indices
    ring: _Indices
    decided: Mask
    is_object: Mask


@dataclass(frozen=True, eq=False)
class _Normal:
    """Normal distributions of RGB at n places.

    Attributes:
        weight: n in [0, 1], how much of the window was measured.
        mean: n3.
        factor: 6n, the Cholesky factor of the covariance, row by row.
    """

    weight: FloatArray
    mean: FloatArray
    factor: tuple[FloatArray, ...]

    def distance(self, colours: FloatArray) -> FloatArray:
        """n: squared Mahalanobis distance of n3 colours."""
        l11, l21, l22, l31, l32, l33 = self.factor
        r, g, b = (colours - self.mean).T
        z1 = r / l11
        z2 = (g - l21 * z1) / l22
        z3 = (b - l31 * z1 - l32 * z2) / l33
        squared: FloatArray = z1 * z1 + z2 * z2 + z3 * z3
        return squared

    @property
    def log_determinant(self) -> FloatArray:
        """n: of the covariance."""
        logarithm: FloatArray = 2 * np.log(self.factor[0] * self.factor[2] * self.factor[5])
        return logarithm


def edge_reach(height: int, width: int) -> int:
    """How far outside a mask its object's edge is looked for, in pixels."""
    reach = round(REACH_SHARE * max(height, width))
    return min(LARGEST_REACH, max(LEAST_REACH, reach))


def widen_to_edge(rgb: Pixels, mask: Mask, void: Mask | None = None) -> Mask:
    """Widen a mask to the edge of the object that it covers, as far as the colours show it.

    No pixel farther than ``edge_reach`` joins. Time and memory follow the boxes of the holes.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        mask: HW bool, True = remove.
        void: HW bool, pixels that are no picture: neither read nor taken; None if there are none.

    Returns:
        HW bool; it contains ``mask``.
    """
    widened = mask.copy()
    reach = edge_reach(*mask.shape)
    for hole in find_holes(mask) if mask.any() else ():
        around = hole.box.grown((BACKGROUND + 1) * reach, mask.shape).slices
        own, none = mask[around], None if void is None else void[around]
        band = band_of(rgb[around], own, reach, none)
        widened[around] |= _widened(own, band, reach, none)
    return widened


def beside(
    rgb: Pixels, mask: Mask, box: Box, void: Mask | None = None, gone: Mask | None = None
) -> tuple[float, Box, Mask]:
    """How many of the pixels beside a hole look like the object that was inside it, and which.

    Args:
        rgb: the photo as it was, HWC uint8 or uint16.
        mask: HW bool, all holes.
        box: of the hole.
        void: as in ``widen_to_edge``.
        gone: HW bool, pixels that are removed for another reason: none of them is left.

    Returns:
        (the share in [0, 1], over the two rings that touch the hole, 0 of a hole too small to tell,
        or whose surroundings look like its inside nearly everywhere; the part of the photo that was
        looked at; hw bool: its pixels outside the holes that have the object's colours and are
        connected with the hole).
    """
    reach = edge_reach(*mask.shape)
    around = box.grown((BACKGROUND + 1) * reach, mask.shape)
    part = around.slices
    band = band_of(rgb[part], mask[part], reach, None if void is None else void[part])
    alike, near = np.zeros((around.h, around.w), bool), band.ring <= 2
    if near.sum() < LEAST_BESIDE or band.decided.mean() < TOLD:
        return 0.0, around, alike
    is_left = band.is_object if gone is None else band.is_object & ~gone[part][band.y, band.x]
    alike[band.y, band.x] = is_left
    return float(is_left[near].mean()), around, alike


def band_of(rgb: Pixels, mask: Mask, reach: int, void: Mask | None = None) -> Band:
    """Compare the band outside a mask with the colours on both sides of it.

    Args:
        rgb: hwc, a part of the photo, uint8 or uint16.
        mask: hw bool.
        reach: width of the band in pixels.
        void: hw bool, as in ``widen_to_edge``.
    """
    usable = np.ones_like(mask) if void is None else ~void
    depth = depth_inside(mask)
    beside_rim = usable & (depth > 0) & (depth <= reach)
    depth = depth_inside(~mask)
    beyond = usable & (depth > reach) & (depth <= BACKGROUND * reach)
    y, x = np.nonzero(usable & (depth > 0) & (depth <= reach))
    ring = np.ceil(depth[y, x]).astype(np.int64)
    del depth
    picture = eight_bits(rgb)
    inner, outer = (_normal(picture, measured, (y, x), reach) for measured in (beside_rim, beyond))
    decided, ratio = _compare(inner, outer, as_float(picture[y, x]))
    votes, voters = (_averaged(values, (y, x), mask.shape) for values in (ratio * decided, decided))
    is_object = np.zeros_like(mask)
    is_object[y, x] = decided & (votes / np.maximum(voters, 1e-3) > OBJECT)
    is_object = _connected(is_object, mask)
    return Band(y, x, ring, decided, is_object[y, x])


def _averaged(
    values: FloatArray | Mask, places: tuple[_Indices, _Indices], shape: tuple[int, ...]
) -> FloatArray:
    """n: the sum over neighbours, in a Gaussian window, of values at n places."""
    plane = np.zeros(shape, np.float32)
    plane[places] = values
    return blur(plane, AVERAGED)[places]


def _compare(inner: _Normal, outer: _Normal, colours: FloatArray) -> tuple[Mask, FloatArray]:
    """(n bool: the models differ, n: log of the likelihood ratio, positive for the object)."""
    middle = _Normal(inner.weight, inner.mean, _factor(_between(inner, outer)))
    apart = middle.distance(outer.mean) / 8 + 0.5 * (
        middle.log_determinant - 0.5 * (inner.log_determinant + outer.log_determinant)
    )
    decided = (apart >= APART) & (inner.weight > 0.01) & (outer.weight > 0.01)
    own, other = inner.distance(colours), outer.distance(colours)
    ratio = 0.5 * (other + outer.log_determinant - own - inner.log_determinant)
    ratio = np.clip(ratio, -CERTAIN, CERTAIN)
    return decided, np.where(own > ELSE, np.minimum(ratio, OBJECT), ratio)


def _between(inner: _Normal, outer: _Normal) -> list[FloatArray]:
    """6n: the mean of two covariances, from their factors."""
    covariances = []
    for l11, l21, l22, l31, l32, l33 in (inner.factor, outer.factor):
        covariances.append(
            (
                l11 * l11,
                l11 * l21,
                l11 * l31,
                l21 * l21 + l22 * l22,
                l21 * l31 + l22 * l32,
                l31 * l31 + l32 * l32 + l33 * l33,
            )
        )
    return [0.5 * (a + b) for a, b in zip(*covariances, strict=True)]


def _normal(
    picture: NDArray[np.uint8], measured: Mask, places: tuple[_Indices, _Indices], reach: int
) -> _Normal:
    """Measure the colours of some pixels in a Gaussian window around each of n places.

    Args:
        picture: hw3.
        measured: hw bool, the pixels that count.
        places: (rows, columns).
        reach: the window's standard deviation is ``WINDOW`` times that.
    """
    scale = max(1, reach // 4)
    size = tuple(-(-n // scale) for n in measured.shape)
    y, x = (
        np.minimum(p * n // whole, n - 1)
        for p, n, whole in zip(places, size, measured.shape, strict=True)
    )
    total, *sums = (
        blur(resize(plane, size), WINDOW * reach / scale)[y, x]
        for plane in _moments(picture, measured)
    )
    known = np.maximum(total, 1e-6)
    mean = [s / known for s in sums[:3]]
    covariance = [s / known - mean[i] * mean[j] for s, (i, j) in zip(sums[3:], _PAIRS, strict=True)]
    for diagonal in (0, 3, 5):
        covariance[diagonal] = np.maximum(covariance[diagonal], 0) + NOISE**2
    return _Normal(total, np.stack(mean, 1), _factor(covariance))


def _moments(picture: NDArray[np.uint8], measured: Mask) -> Iterator[FloatArray]:
    """The measured pixels, hw, their colours in [0, 1] and the products of these.

    One after the other: all ten planes of a large hole would take gigabytes.
    """
    weight = measured.astype(np.float32)
    yield weight
    for channel in range(3):
        yield weight * as_float(picture[..., channel])
    for first, second in _PAIRS:
        yield weight * as_float(picture[..., first]) * as_float(picture[..., second])


def _factor(covariance: list[FloatArray]) -> tuple[FloatArray, ...]:
    """The Cholesky factor of n symmetric 3 x 3 matrices, given as their upper halves."""
    rr, rg, rb, gg, gb, bb = covariance
    least = 1e-5  # rounding may make a matrix singular
    l11 = np.sqrt(rr)
    l21, l31 = rg / l11, rb / l11
    l22 = np.sqrt(np.maximum(gg - l21**2, least))
    l32 = (gb - l31 * l21) / l22
    return l11, l21, l22, l31, l32, np.sqrt(np.maximum(bb - l31**2 - l32**2, least))


def _widened(mask: Mask, band: Band, reach: int, void: Mask | None) -> Mask:
    """The mask with every ring of the band that is object in its neighbourhood, and mixed colours.

    Rings, not pixels: a mask's error varies slowly along its rim, so a ring that is mostly object
    is taken as a whole, also where its colours decide nothing.
    """
    if not band.is_object.any():
        return mask.copy()
    decided_share = float(band.decided.mean())
    trust = np.clip((decided_share - FEW_DECIDED) / (MANY_DECIDED - FEW_DECIDED), 0, 1)
    enough = COVERED_ALONE + trust * (COVERED - COVERED_ALONE)
    scale = max(1, reach // 4)
    taken = np.zeros_like(mask)
    for ring in range(1, reach + 1):
        here = band.ring == ring
        decided = band.decided[here]
        if not decided.any():
            continue
        y, x, is_object = band.y[here], band.x[here], band.is_object[here]
        prior = trust * is_object[decided].mean() if decided.sum() > LEAST_DECIDED else 0.0
        known = _share_near(y, x, decided, mask.shape, reach, scale)
        share = _share_near(y, x, is_object, mask.shape, reach, scale)
        covered = (share + WHOLE_RIM * prior) / (known + WHOLE_RIM) >= enough
        taken[y[covered], x[covered]] = True
    taken = _connected(taken, mask)
    # The distance only: mixed pixels lie beside the object's, also beyond the band.
    widened = mask | dilate(taken, MIXED)
    return widened if void is None else widened & (mask | ~void)


def _share_near(
    y: _Indices, x: _Indices, counted: Mask, shape: tuple[int, ...], reach: int, scale: int
) -> FloatArray:
    """For each of n places of a ring the share of those nearby that count, in a Gaussian window."""
    size = tuple(-(-n // scale) for n in shape)
    cell = (y // scale) * size[1] + x // scale
    maps = [
        np.bincount(cell, weights=w, minlength=size[0] * size[1]).astype(np.float32).reshape(size)
        for w in (counted, np.ones(len(y)))
    ]
    some, every = (blur(m, reach / scale).reshape(-1)[cell] for m in maps)
    share: FloatArray = some / np.maximum(every, 1e-6)
    return share


def _connected(pixels: Mask, mask: Mask) -> Mask:
    """Those of ``pixels`` from which a path over others of them leads to the mask."""
    _, labels = cv2.connectedComponents((pixels | mask).astype(np.uint8), connectivity=4)
    keep = np.zeros(int(labels.max()) + 1, bool)
    keep[labels[mask]] = True
    keep[0] = False
    return keep[labels] & pixels
