"""Views of objects as the effects network sees them: picture, given mask, and what is asked for."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....pipeline.types import Box, FloatArray, Mask
from ..objects.rough import rough_probability

#: An object's own pixels, and so many around them, have no shadow and no reflection.
WITHIN = 1
#: What a mask leaves of an object counts as such from so many pixels beside it on.
RIM = 2
#: How far a view reaches beyond an object, in objects' longer sides, from the least to the largest.
REACHES = (0.25, 1.3)
#: Shift of an object out of its view's middle, as a share of the view (standard deviation).
ASIDE = 0.08


def given_mask(alpha: FloatArray, rng: np.random.Generator, effects: FloatArray) -> Mask:
    """Objects as a segmenter or a person marks them: rarely to the pixel.

    Args:
        alpha: HW in [0, 1], the objects.
        rng: random state.
        effects: HW in [0, 1], their effects, which a generous brush takes along.
    """
    size = len(alpha)
    way = rng.random()
    mask: Mask = alpha >= 0.5
    if way < 0.3:
        mask = rough_probability(alpha, rng) >= 0.5
    if 0.2 < way < 0.8:
        mask = widened(mask, int(rng.integers(1, max(2, round(0.04 * size)))))
    if way > 0.85:  # a generous brush takes the shadow at the foot along
        near = widened(mask, int(rng.integers(2, max(3, round(0.08 * size)))))
        mask = mask | (near & (effects >= 0.5))
    return mask if mask.any() or not alpha.any() else alpha >= min(0.5, float(alpha.max()))


def to_tensors(
    image: NDArray[np.uint8],
    mask: Mask,
    goes: FloatArray,
    effects: FloatArray,
    known: FloatArray,
    *,
    carried_is_known: FloatArray,
) -> tuple[Tensor, ...]:
    """A sample.

    Args:
        image: HWC RGB.
        mask: HW, as it is given.
        goes: HW in [0, 1], the objects that go, whole, with what they carry.
        effects: 2HW in [0, 1], their shadows and reflections.
        known: 2HW, 1 = ``effects`` is right there, 0 = nobody knows.
        carried_is_known: HW, the same of ``goes``.

    Returns:
        (3HW RGB, 1HW mask, 3HW effects, 3HW weight), uint8, 0 to 255. The third effect is what the
        mask leaves of what goes. Nothing is asked for under the mask.
    """
    own = widened(goes >= 0.3, WITHIN) | mask
    rim = mask | (widened(mask, RIM) & (goes >= 0.05))
    wanted = np.concatenate([effects, goes[None]])
    weight = np.concatenate([known * ~own, (carried_is_known * ~rim)[None]])
    picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    maps = (mask[None].astype(np.float32), wanted, weight)
    return picture, *(torch.from_numpy((m * 255).round().astype(np.uint8)) for m in maps)


def widened(mask: Mask, radius: int) -> Mask:
    """A mask, wider by a disk of ``radius`` pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def square_around(box: Box, shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """A square of a photo with an object about in its middle, as far as the photo allows.

    Args:
        box: the object's.
        shape: the photo's (height, width, ...).
        rng: random state.
    """
    longer = max(box.w, box.h)
    side = min(*shape[:2], max(32, round(longer * (1 + 2 * rng.uniform(*REACHES)))))
    corner = []
    for start, length, whole in ((box.x, box.w, shape[1]), (box.y, box.h, shape[0])):
        middle = start + length / 2 + rng.normal(0, ASIDE) * side
        corner.append(int(np.clip(round(middle - side / 2), 0, whole - side)))
    return Box(corner[0], corner[1], side, side)


def coloured(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """HWC in [0, 1], each channel a little brighter or darker; now and then grey."""
    found = image * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.04:
        found = np.repeat(found.mean(2, keepdims=True), 3, axis=2)
    return np.clip(found, 0, 1).astype(np.float32)
