"""Parts of the photo of one colour beside a hole that look as if they belonged to what is gone.

A leg that a mask misses is often too faint for the segmenter. The picture says more: the leg is a
region of its own, whose colours go on deep inside the hole and are rare outside it. Regions come
from the graph-based method of Felzenszwalb and Huttenlocher at two scales
(https://doi.org/10.1023/B:VISI.0000022288.19776.77).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config import auto_dilate
from ..pixels import depth_inside, eight_bits, reduction, resize, scaled_size
from ..types import FloatArray, Mask, Pixels
from .leftovers import (
    Gone,
    Left,
    View,
    as_place,
    hole_in,
    log_odds,
    taken_for,
    unless,
    words,
)
from .mask import removed_probability

#: Longer side in pixels at which a crop is divided, and the least of its shorter side.
SIDE, LEAST_SIDE = 160, 8
#: By how much (in CIE Lab, times a region's pixels) a region's colours may differ; least pixels of
#: a region, and of a part outside the hole.
SCALES, SMALLEST, LEAST_PIXELS = (30.0, 250.0), 12, 10
#: Lightness of white in CIE Lab: scikit-image takes pictures of values in [0, 1].
LIGHTEST = 100
#: Filter before the division: diameter in pixels, standard deviations of values and of distance.
SMOOTHED = (5, 25, 3)
#: A pixel lies deep in a hole beyond the width by which holes are widened and so many pixels, or
#: beyond this share of the hole's largest depth.
MORE, DEEPEST = 1.5, 0.6
#: A region touches a hole if it is at most so many pixels away.
TOUCHES = 1.5
#: Least and largest number of a place's pixels, as a share of the holes of the crop.
LEAST, MOST = 0.01, 1.0
#: A region of which more than this share is of a thing that stays is no place.
STAYS = 0.5
#: Steps of each axis of Lab in a histogram, and the share that a colour has at least.
STEPS, RARE = 12, 1e-4
#: What each of ``Traits`` adds to the logarithm of the odds that a region is a part of the object,
#: and what all have in common. ``benchmarks/quality/leftovers.py fit`` computes both.
SLOPES = {
    "deep": 2.023,
    "hole": -2.164,
    "ratio": 0.383,
    "mean": 7.518,
    "under": -2.429,
}
BASE = -4.270

_Labels = NDArray[np.int64]


class Traits(NamedTuple):
    """What tells a region of the object from one of its surroundings.

    Attributes:
        deep: share of the region's pixels deep in the hole, over those and the ones outside.
        hole: share of its border outside that is the hole's.
        ratio: mean logarithm of how much more frequent its colours are deep in the hole than
            elsewhere outside it.
        mean: mean probability of the object.
        under: the same under the holes of the crop.
    """

    deep: float
    hole: float
    ratio: float
    mean: float
    under: float

    def sureness(self) -> float:
        """Logarithm of the odds that it is a part of the object; sure from 0 on."""
        return log_odds(self, SLOPES, BASE)


@dataclass(frozen=True, eq=False)
class _Crop:
    """A crop of the photo at the size at which it is divided.

    Attributes:
        hole: hw bool.
        deep: hw bool, deep in the hole.
        beside: hw bool, touching the hole.
        cut: hw bool, pixels at the crop's border that is not the photo's.
        colours: hw, a number of each pixel's colour.
        frequent: how frequent each colour is deep in the hole.
        probability: hw, of the object.
        stays: hw bool, things of other classes.
    """

    hole: Mask
    deep: Mask
    beside: Mask
    cut: Mask
    colours: _Labels
    frequent: FloatArray
    probability: FloatArray
    stays: Mask


def regions_left(rgb: Pixels, photo: View, gone: Gone) -> list[Left]:
    """Regions of the photo beside its holes that seem to belong to what is gone.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        photo: a view of the photo.
        gone: what was removed.
    """
    crop = photo.crop
    picture = eight_bits(rgb[crop.slices])
    scale = reduction(picture.shape, SIDE)
    size = scaled_size(picture.shape, scale, LEAST_SIDE)
    small = cv2.bilateralFilter(resize(picture, size), *SMOOTHED)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    seen = _crop(lab, photo, gone, scale)
    if seen is None:
        return []
    under = float(seen.probability[seen.hole].mean())
    why = words(gone.classes, beside=True)
    removed = int(gone.hole_mask[crop.slices].sum())
    found = []
    for labels in divided(lab):
        for here, deep in _outside(labels, seen):
            if seen.stays[here].mean() > STAYS or here.sum() / scale**2 > MOST * removed:
                continue
            traits = _traits(here, deep, seen, under)
            if traits.sureness() < 0:
                continue
            place = as_place(photo, here, gone.hole_mask, why)
            if place is not None and place.mask.sum() >= LEAST * removed:
                found.append(replace(place, traits=traits))
    return found


def divided(lab: FloatArray) -> list[_Labels]:
    """Divide a picture, hw3 CIE Lab, at each of ``SCALES``; each label is one connected region."""
    from skimage.segmentation import felzenszwalb

    # scikit-image takes its scale in 255ths of a unit, as the authors' program does.
    return [
        felzenszwalb(lab / LIGHTEST, scale=255 * scale / LIGHTEST, sigma=0, min_size=SMALLEST)
        for scale in SCALES
    ]


def _crop(lab: FloatArray, photo: View, gone: Gone, scale: float) -> _Crop | None:
    """What the traits need of a crop; None if it is no hole, or nothing else."""
    crop, size = photo.crop, (lab.shape[0], lab.shape[1])
    hole = resize(gone.hole_mask[crop.slices].astype(np.float32), size) > 0.25
    if not hole.any() or hole.all():
        return None
    depth, away = depth_inside(hole), depth_inside(~hole)
    height, width = gone.hole_mask.shape
    far = auto_dilate(height, width) * scale + MORE
    deep = depth > min(far, DEEPEST * float(depth.max()))
    cut = np.zeros(size, bool)
    cut[0] |= crop.y > 0
    cut[-1] |= crop.bottom < height
    cut[:, 0] |= crop.x > 0
    cut[:, -1] |= crop.right < width
    names = taken_for(photo, gone, hole_in(photo, gone.hole_mask))
    probability = unless(photo, gone.stays, removed_probability(photo.seen, names))
    colours = _colours(lab)
    return _Crop(
        hole,
        deep,
        (away > 0) & (away <= TOUCHES),
        cut,
        colours,
        _frequent(colours[deep]),
        resize(probability, size, cv2.INTER_LINEAR),
        resize(gone.stays[crop.slices].astype(np.float32), size) > 0.5,
    )


def _outside(labels: _Labels, crop: _Crop) -> Iterator[tuple[Mask, int]]:
    """Parts of regions outside the hole that touch it, and how many pixels lie deep in it."""
    deep = np.bincount(labels[crop.deep], minlength=int(labels.max()) + 1)
    for label in np.unique(labels[crop.beside]):
        outside = ((labels == label) & ~crop.hole).astype(np.uint8)
        count, parts = cv2.connectedComponents(outside, connectivity=4)
        for number in range(1, count):
            here = parts == number
            if here.sum() >= LEAST_PIXELS and (here & crop.beside).any():
                yield here, int(deep[label])


def _traits(here: Mask, deep: int, crop: _Crop, under: float) -> Traits:
    """Measure a part of a region outside the hole."""
    grown = cv2.dilate(here.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    border = grown & ~here
    around = int(border.sum()) + int((here & crop.cut).sum())
    elsewhere = _frequent(crop.colours[~crop.hole & ~grown])
    colours = crop.colours[here]
    pixels = int(here.sum())
    return Traits(
        deep=deep / (deep + pixels),
        hole=float((border & crop.hole).sum()) / max(1, around),
        ratio=float(
            (np.log(crop.frequent[colours] + RARE) - np.log(elsewhere[colours] + RARE)).mean()
        ),
        mean=float(crop.probability[here].mean()),
        under=under,
    )


def _colours(lab: FloatArray) -> _Labels:
    """The number of each pixel's colour, of ``STEPS``³, HW3 CIE Lab -> HW."""
    steps = np.stack(
        [lab[..., 0] / LIGHTEST * STEPS, *((lab[..., i] + 60) * STEPS / 120 for i in (1, 2))], -1
    )
    light, a, b = np.moveaxis(np.clip(steps, 0, STEPS - 1).astype(np.int64), -1, 0)
    numbers: _Labels = (light * STEPS + a) * STEPS + b
    return numbers


def _frequent(colours: _Labels) -> FloatArray:
    """How frequent each colour and its neighbours are, ``STEPS``³ that add up to 1 or less."""
    count = np.bincount(colours, minlength=STEPS**3).astype(np.float32)
    cube = count.reshape(STEPS, STEPS, STEPS)
    for axis in range(3):
        padded = np.pad(cube, [(1, 1) if i == axis else (0, 0) for i in range(3)])
        before, same, after = (
            np.take(padded, range(start, start + STEPS), axis) for start in (0, 1, 2)
        )
        cube = 0.25 * before + 0.5 * same + 0.25 * after
    frequent: FloatArray = cube.ravel() / max(1.0, float(cube.sum()))
    return frequent
