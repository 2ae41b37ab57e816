"""Leave parts of an object out of its mask, as a segmenter or a person does.

``benchmarks.quality.verdicts`` plants them in half of its photos.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from remove_objects.pipeline.detect.mask import dilate
from remove_objects.pipeline.types import Box, Mask, Pixels

#: Kinds of leftovers: an end of the object behind a line, a round part of it, a strip along its
#: rim, and a second object of its class.
KINDS = ("end", "blob", "strip", "second")
#: Share of the object that an end or a round part takes, and the strip's width as a share of the
#: root of the object's area.
PART, STRIP = (0.1, 0.4), (0.05, 0.12)
#: A leftover is clearly visible from this share of the object and this number of pixels on.
VISIBLE_SHARE, VISIBLE_PIXELS = 0.02, 150


class Planted(NamedTuple):
    """A photo, and a mask of its object that is not whole.

    Attributes:
        rgb: the photo; of a second object, with it.
        kept: HW bool, the object's pixels that are in the mask.
        whole: HW bool, all pixels that should go.
    """

    rgb: Pixels
    kept: Mask
    whole: Mask


def plant(kind: str, rgb: Pixels, whole: Mask, rng: np.random.Generator) -> Planted | None:
    """Leave a part of an object out.

    Args:
        kind: one of ``KINDS``.
        rgb: the photo with the object, HW3 uint8.
        whole: HW bool, the object.
        rng: decides which part.

    Returns:
        None if there is no place for a second object.
    """
    if kind == "second":
        return _second(rgb, whole, rng)
    cut = {"end": _end, "blob": _blob, "strip": _strip}[kind](whole, rng)
    return Planted(rgb, whole & ~cut, whole)


def is_visible(missed: Mask, whole: Mask) -> bool:
    """Whether the missed pixels of an object are clearly visible."""
    count = int(missed.sum())
    return count >= max(VISIBLE_PIXELS, VISIBLE_SHARE * float(whole.sum()))


def _end(whole: Mask, rng: np.random.Generator) -> Mask:
    """The part behind a line: mostly the head or the legs, else an arm or a side."""
    y, x = np.nonzero(whole)
    angle = rng.choice([0, 90, 180, 270], p=[0.2, 0.3, 0.2, 0.3]) + rng.uniform(-25, 25)
    along = x * np.cos(np.deg2rad(angle)) + y * np.sin(np.deg2rad(angle))
    behind = along > np.quantile(along, 1 - rng.uniform(*PART))
    cut = np.zeros_like(whole)
    cut[y[behind], x[behind]] = True
    return cut


def _blob(whole: Mask, rng: np.random.Generator) -> Mask:
    """The part nearest to one of the object's pixels."""
    y, x = np.nonzero(whole)
    middle = int(rng.integers(len(y)))
    distance = np.hypot(y - y[middle], x - x[middle])
    near = distance < np.quantile(distance, rng.uniform(*PART))
    cut = np.zeros_like(whole)
    cut[y[near], x[near]] = True
    return cut


def _strip(whole: Mask, rng: np.random.Generator) -> Mask:
    """A strip along one side: what a mask misses that is moved a little."""
    width = max(3.0, rng.uniform(*STRIP) * float(np.sqrt(whole.sum())))
    angle = rng.uniform(0, 2 * np.pi)
    move = np.array([[1, 0, width * np.cos(angle)], [0, 1, width * np.sin(angle)]], np.float32)
    height, wide = whole.shape
    moved = cv2.warpAffine(whole.astype(np.uint8), move, (wide, height), flags=cv2.INTER_NEAREST)
    return whole & (moved == 0)


def _second(rgb: Pixels, whole: Mask, rng: np.random.Generator) -> Planted | None:
    """The object once more, mirrored and up to 40 % smaller, beside the first or far from it."""
    box = Box.bounding(whole)
    scale = float(rng.uniform(0.6, 1.0))
    size = max(8, round(box.w * scale)), max(8, round(box.h * scale))
    picture = cv2.resize(rgb[box.slices][:, ::-1], size, interpolation=cv2.INTER_AREA)
    opacity = whole[box.slices][:, ::-1].astype(np.float32)
    opacity = cv2.resize(opacity, size, interpolation=cv2.INTER_AREA)
    height, width = whole.shape
    first = dilate(whole, 4)
    for _ in range(40):
        x = int(rng.integers(0, max(1, width - size[0])))
        y = min(max(box.bottom - size[1] + int(rng.integers(-30, 31)), 0), height - size[1])
        place = slice(y, y + size[1]), slice(x, x + size[0])
        if y < 0 or first[place][opacity > 0.02].any():
            continue
        both, other = rgb.copy(), np.zeros_like(whole)
        alpha = opacity[..., None]
        both[place] = (rgb[place] * (1 - alpha) + picture * alpha + 0.5).astype(np.uint8)
        other[place] = opacity > 0.02
        return Planted(both, whole, whole | other)
    return None
