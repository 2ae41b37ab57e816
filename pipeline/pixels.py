"""Sample depths, and OpenCV's operations with types: each returns the kind of array it was given.

OpenCV's stubs mix up array types, and it takes sizes as (width, height). Here sizes are NumPy's
(height, width), so that a shape can be passed, and masks stay bool.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .types import Box, FloatArray, Mask

_Array = TypeVar("_Array", bound=NDArray[Any])


def eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 unchanged (the same array); uint16 reduced, white stays white; [0, 1] rounded."""
    if samples.dtype.kind == "f":
        return (np.clip(samples, 0, 1) * 255 + 0.5).astype(np.uint8)
    return samples if samples.dtype == np.uint8 else (samples // 257).astype(np.uint8)


def as_float(samples: NDArray[Any]) -> FloatArray:
    """uint8 or uint16 -> float32 in [0, 1]; floats unchanged (the same array)."""
    if samples.dtype.kind == "f":
        return samples
    return as_own_float(samples)


def as_own_float(samples: NDArray[Any]) -> FloatArray:
    """``as_float`` in memory of its own, which the caller may write to."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    own = samples.astype(np.float32)
    own /= np.float32(np.iinfo(samples.dtype).max)
    return own


def reduction(shape: tuple[int, ...], longest: int) -> float:
    """The factor, at most 1, that reduces a picture to ``longest`` pixels on its longer side.

    Args:
        shape: (height, width, …) in pixels.
        longest: in pixels; a smaller picture keeps its size.
    """
    return min(1.0, longest / max(shape[:2]))


def scaled_size(shape: tuple[int, ...], scale: float, least: int = 1) -> tuple[int, int]:
    """(height, width) of a picture scaled by a factor, each at least ``least`` pixels."""
    return max(least, round(shape[0] * scale)), max(least, round(shape[1] * scale))


def resize(image: _Array, size: tuple[int, ...], interpolation: int = cv2.INTER_AREA) -> _Array:
    """Resample a picture.

    Args:
        image: HW or HWC, uint8, uint16 or float.
        size: (height, width, …), for example an array's shape.
        interpolation: one of OpenCV's ``INTER_…`` constants; the default averages areas, which is
            for shrinking.

    Returns:
        A picture of the same dtype.
    """
    return cv2.resize(image, (size[1], size[0]), interpolation=interpolation)


def covered_shares(mask: Mask, size: tuple[int, ...]) -> FloatArray:
    """The share of each pixel of a picture of another size that a mask covers.

    Args:
        mask: HW bool.
        size: (height, width, …) of the other picture.

    Returns:
        hw float32 in [0, 1], in steps of 1/255.
    """
    return as_float(resize(mask.astype(np.uint8) * np.uint8(255), size))


def wholly_covered(mask: Mask, size: tuple[int, ...]) -> Mask:
    """Which pixels of a picture of another size, (height, width, …), a mask covers wholly; hw."""
    found: Mask = resize(mask.astype(np.float32), size) > 1 - 1e-6
    return found


def nearest_values(values: _Array, known: Mask, precision: int = cv2.DIST_MASK_5) -> _Array:
    """Each pixel's value, and where it is not known that of the nearest pixel.

    Args:
        values: HW or HWC.
        known: HW bool.
        precision: one of OpenCV's ``DIST_MASK_…`` constants.

    Returns:
        The same shape and dtype; 0 if nothing is known.
    """
    if not known.any():
        return cast(_Array, np.zeros_like(values))
    filled = values.copy()
    if not known.all():
        # OpenCV looks two pixels far, so that what lies farther from an unknown pixel is nobody's
        # nearest.
        near = Box.bounding(~known).grown(2, known.shape).slices
        _fill_unknown(filled[near], known[near], precision)
    return filled


def _fill_unknown(values: NDArray[Any], known: Mask, precision: int) -> None:
    """``nearest_values`` in place."""
    unknown = ~known
    nearest = cv2.distanceTransformWithLabels(
        unknown.view(np.uint8), cv2.DIST_L2, precision, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    # Places instead of values: a photo's are a third as large, and known pixels need none.
    places = np.zeros(int(nearest.max()) + 1, np.int32)
    places[nearest[known]] = np.flatnonzero(known)
    of = nearest[unknown]
    row, column = np.divmod(places[of], known.shape[1])
    taken = values[row, column]
    taken[of == 0] = 0  # so far from everything known that OpenCV does not say what is nearest
    values[unknown] = taken


def blur(image: _Array, sigma: float) -> _Array:
    """Gaussian blur of an HW or HWC picture; ``sigma`` is the standard deviation in pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def either(one: Mask | None, other: Mask | None) -> Mask | None:
    """The pixels of one mask or another; None is an empty one."""
    if one is None or other is None:
        return other if one is None else one
    return one | other


def dilate_square(mask: Mask, radius: int) -> Mask:
    """Every pixel of an HW bool mask, and those within ``radius`` rows and columns of one."""
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def depth_inside(mask: Mask, precision: int = cv2.DIST_MASK_5) -> FloatArray:
    """The distance of each pixel of a mask to the nearest pixel outside it.

    Args:
        mask: HW bool; beyond the picture's border counts as inside.
        precision: one of OpenCV's ``DIST_MASK_…`` constants.

    Returns:
        HW float32, in pixels; 0 outside the mask.
    """
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, precision)
