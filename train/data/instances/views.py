"""A view of objects of one class, as the instance network sees it, and whose each pixel is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.object_instances import PLACES
from ....pipeline.pixels import resize
from ....pipeline.types import Box, FloatArray, Mask, Pixels
from ..effects.views import coloured, given_mask
from ..objects.photo_noise import photo_noise

#: Value of a pixel of which nobody knows whose it is, or whether it is of an object.
UNKNOWN = 255
#: Colour of what lies outside a photo.
GREY = 127
#: Most objects of a sample.
MOST = 24
#: How far a view reaches beyond its part of the mask, in the part's longer sides.
REACHES = (0.04, 0.5)
#: Longer side in pixels of the smallest part that has a view.
LEAST_SIDE = 24
#: How often a view shows one object of a part of several, and only some of the others.
NEARER = 0.25
#: Parts of a mask that are at most so many pixels apart are one, as a segmenter joins them.
JOINED = 3


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture with objects of one class.

    Attributes:
        image: HWC uint8 RGB.
        mask: HW bool, the objects of the class.
        numbers: HW uint8, the object of each pixel from 1 on, 0 = none, ``UNKNOWN`` = of the class,
            but whose is unknown.
        boxes: n4 float32, left, top, right, bottom in pixels of objects 1 to n.
        belongs: HW uint8, 1 = of an object of the class, 0 = of none, ``UNKNOWN``.
        is_found: a segmenter found the mask: it is given as it is.
    """

    image: Pixels
    mask: Mask
    numbers: NDArray[np.uint8]
    boxes: FloatArray
    belongs: NDArray[np.uint8]
    is_found: bool = False


def drawn_part(labelled: Labelled, rng: np.random.Generator, least: int) -> Box | None:
    """The box of a random connected part of the mask, rather one of several objects; or of one.

    Args:
        labelled: the picture.
        rng: random state.
        least: pixels of a part.

    Returns:
        None if there is no part.
    """
    near = cv2.dilate(labelled.mask.astype(np.uint8), np.ones((JOINED, JOINED), np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    boxes, weights, objects = [], [], []
    for number in range(1, len(stats)):
        box = Box(*(int(v) for v in stats[number, :4]))
        if stats[number, cv2.CC_STAT_AREA] < least or max(box.w, box.h) < LEAST_SIDE:
            continue
        here = np.unique(labelled.numbers[parts == number])
        here = here[np.isin(here, (0, UNKNOWN), invert=True)]
        if len(here):
            boxes.append(box)
            objects.append(here)
            weights.append(float(min(len(here), 4)) ** 1.5)
    if not boxes:
        return None
    chosen = int(rng.choice(len(boxes), p=np.array(weights) / sum(weights)))
    if len(objects[chosen]) > 1 and rng.random() < NEARER:
        corners = labelled.boxes[int(rng.choice(objects[chosen])) - 1]
        near = Box.from_corners(*(int(v) for v in corners))
        if max(near.w, near.h) >= LEAST_SIDE:
            return near
    return boxes[chosen]


def to_sample(
    labelled: Labelled, part: Box, size: int, rng: np.random.Generator
) -> tuple[Tensor, ...]:
    """A square view around a part of the mask, mirrored or not.

    Args:
        labelled: the picture.
        part: from ``drawn_part``.
        size: side of the sample in pixels.
        rng: random state.

    Returns:
        (3HW uint8 RGB; 1HW uint8 mask, 0 or 255; 1hw uint8, the object's number at each place of
        the network's output, 0 or ``UNKNOWN`` where nothing is asked; (MOST)4 float32 boxes in
        pixels of the view; 1hw uint8, whether each place is of an object: 0, 1 or ``UNKNOWN``)
    """
    longer = max(part.w, part.h)
    side = max(32, round(longer * (1 + 2 * rng.uniform(*REACHES))))
    middle_x = part.x + part.w / 2 + rng.normal(0, 0.04) * side
    middle_y = part.y + part.h / 2 + rng.normal(0, 0.04) * side
    scale = size / side
    mirrored = rng.random() < 0.5
    flip = -scale if mirrored else scale
    # A pixel's middle lies at + 1/2.
    move_x = size / 2 - flip * middle_x
    move_y = size / 2 - scale * middle_y
    matrix = np.array(
        [[flip, 0, move_x + flip / 2 - 0.5], [0, scale, move_y + scale / 2 - 0.5]], np.float32
    )
    image, numbers = labelled.image, labelled.numbers
    if scale < 0.7:  # warping does not average
        shape = tuple(max(1, round(v * scale)) for v in image.shape[:2])
        image = resize(image, shape, cv2.INTER_AREA)
        across, down = shape[1] / numbers.shape[1], shape[0] / numbers.shape[0]
        shrunk = matrix.copy()
        shrunk[0, 0], shrunk[1, 1] = flip / across, scale / down
        shrunk[0, 2] = move_x + shrunk[0, 0] / 2 - 0.5
        shrunk[1, 2] = move_y + shrunk[1, 1] / 2 - 0.5
    else:
        shrunk = matrix
    picture = cv2.warpAffine(
        image, shrunk, (size, size), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY)
    )
    mask = _warped(labelled.mask.astype(np.float32), matrix, size)
    seen, belongs = (
        cv2.warpAffine(values, matrix, (size, size), flags=cv2.INTER_NEAREST)
        for values in (numbers, labelled.belongs)
    )
    given = mask >= 0.5 if labelled.is_found else given_mask(mask, rng, np.zeros_like(mask))
    boxes = labelled.boxes[:MOST].copy()
    seen = np.where((seen > MOST) & (seen != UNKNOWN), UNKNOWN, seen)
    boxes[:, [0, 2]] = boxes[:, [0, 2]] * flip + move_x
    boxes[:, [1, 3]] = boxes[:, [1, 3]] * scale + move_y
    if mirrored:
        boxes[:, [0, 2]] = boxes[:, [2, 0]]
    filled = np.zeros((MOST, 4), np.float32)
    filled[: len(boxes)] = boxes
    noisy = photo_noise(coloured(picture.astype(np.float32) / 255, rng), rng)
    at = slice(PLACES // 2, None, PLACES)
    # Outside the mask nothing is asked.
    belongs = np.where(given, belongs, UNKNOWN)
    return (
        torch.from_numpy(np.ascontiguousarray(noisy.transpose(2, 0, 1))),
        torch.from_numpy(given[None].astype(np.uint8) * 255),
        torch.from_numpy(np.ascontiguousarray(seen[None, at, at]).astype(np.uint8)),
        torch.from_numpy(filled),
        torch.from_numpy(np.ascontiguousarray(belongs[None, at, at]).astype(np.uint8)),
    )


def _warped(values: FloatArray, matrix: FloatArray, size: int) -> FloatArray:
    warped = cv2.warpAffine(values, matrix, (size, size), flags=cv2.INTER_LINEAR)
    found: FloatArray = np.asarray(warped, np.float32)
    return found
