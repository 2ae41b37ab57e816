"""How sharp another photo is beside a hole, and what makes it as sharp as the photo.

A camera that moves smears a photo along its way, so that of two photos of one place each may be the
sharper one in some direction. A piece of one in the other is seen, however well it lies.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import blur
from ...types import FloatArray, Mask

#: Blur (standard deviation in pixels) before slopes are compared, pixels beside what is unknown
#: that are left out, and least pixels that are compared.
GRAIN, MARGIN, LEAST_PIXELS = 0.7, 3, 150
#: Slope (root mean square, in [0, 1] a pixel) that is no more than grain.
FLAT = 0.004
#: Least ratio of another photo's slope to the photo's, in any direction, the greatest one that is
#: no sharper, and the greatest one that a blur makes alike. Of 65 pairs of photos of still cameras
#: and quiet hands the least was 0.65 and the greatest 1.04; of 13 pairs of a camera that was torn
#: around, 0.44 and 1.89.
BLURRIER, SHARPER, MUCH_SHARPER = 0.55, 1.15, 1.7
#: Standard deviations, in pixels, of the blurs along a direction that are tried.
BLURS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
#: Greatest ratio of slopes, in every direction, below which a picture is sharpened, and how: by its
#: difference to a blur of so many pixels, times one of these.
DULLER, UNSHARP, AMOUNTS = 0.92, 1.0, (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)

#: Orders of the slopes in x and y.
WAYS = (1, 0), (0, 1)
#: 22, second moments.
Moments = NDArray[np.float64]


def as_sharp(picture: FloatArray, is_open: Mask, own: FloatArray, known: Mask) -> FloatArray | None:
    """A part of another photo, blurred or sharpened until it is as sharp as the photo itself.

    Args:
        picture: hw3 in [0, 1], of the other photo.
        is_open: hw bool; nothing else of ``picture`` is read.
        own: hw3, the same part of the photo.
        known: hw bool; nothing else of ``own`` is read.

    Returns:
        None if the other photo is much blurrier or much sharper in some direction. The picture
        itself if it is as sharp, or if too little is beside the hole to tell.
    """
    both = _Compared.of(is_open & known)
    if both.inner.sum() < LEAST_PIXELS:
        return picture
    wanted, found = _slopes(own, both), _slopes(picture, both)
    # Twice, as the directions in which two photos are blurred need not be at right angles.
    for _ in range(2):
        ratios, directions = _ratios(wanted, found)
        if ratios[0] < BLURRIER or ratios[1] > MUCH_SHARPER:
            return None
        if ratios[1] <= SHARPER:
            break
        picture, found = _blurred(picture, is_open, both, directions[:, 1], wanted)
    if _ratios(wanted, found)[0][1] < DULLER:
        return _sharpened(picture, is_open, both, wanted)
    return picture


class _Compared(NamedTuple):
    """What is compared of two pictures.

    Attributes:
        shown: hw bool, what both show.
        inner: hw bool, where it has slopes of its own.
    """

    shown: Mask
    inner: Mask

    @classmethod
    def of(cls, shown: Mask) -> _Compared:
        """By what both show."""
        inner = cv2.erode(
            shown.astype(np.uint8),
            np.ones((2 * MARGIN + 1, 2 * MARGIN + 1)),
            borderType=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        return cls(shown, inner > 0)


def _slopes(picture: FloatArray, where: _Compared) -> Moments:
    """Of a picture's luma in x and y, plus what grain has."""
    luma = cv2.cvtColor(_shown(picture, where.shown), cv2.COLOR_RGB2GRAY)
    luma = blur(luma, GRAIN)
    slopes = [cv2.Sobel(luma, cv2.CV_32F, *way, scale=1 / 8)[where.inner] for way in WAYS]
    each = np.stack(slopes).astype(np.float64)
    moments: Moments = each @ each.T / each.shape[1] + np.eye(2) * FLAT**2
    return moments


def _shown(picture: FloatArray, where: Mask) -> FloatArray:
    """The picture, 0 where it is not shown."""
    return np.where(where[..., None], picture, 0).astype(np.float32)


def _ratios(wanted: Moments, found: Moments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the greatest ratio of slopes, and 22: their directions (x, y) as columns."""
    # The generalised eigenvectors of both.
    root = np.linalg.inv(np.linalg.cholesky(wanted))
    squares, vectors = np.linalg.eigh(root @ found @ root.T)
    directions = root.T @ vectors
    return np.sqrt(squares), directions / np.linalg.norm(directions, axis=0)


def _blurred(
    picture: FloatArray,
    is_open: Mask,
    compared: _Compared,
    direction: NDArray[np.float64],
    wanted: Moments,
) -> tuple[FloatArray, Moments]:
    """The picture after the least blur along a direction that leaves no more slope, and its own."""
    weight = is_open.astype(np.float32)
    shown = _shown(picture, is_open)
    most = SHARPER**2 * direction @ wanted @ direction
    result, found = picture, wanted
    for sigma in BLURS:
        kernel = _line(direction, sigma)
        share = cv2.filter2D(weight, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        smooth = cv2.filter2D(shown, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        result = (smooth / np.maximum(share, 1e-3)[..., None]).astype(np.float32)
        found = _slopes(result, compared)
        if direction @ found @ direction <= most:
            break
    return result, found


def _sharpened(
    picture: FloatArray, is_open: Mask, compared: _Compared, wanted: Moments
) -> FloatArray:
    """The picture after the least sharpening that makes its slopes as steep in some direction."""
    weight = is_open.astype(np.float32)
    shown = _shown(picture, is_open)
    smooth = blur(shown, UNSHARP) / np.maximum(blur(weight, UNSHARP), 1e-3)[..., None]
    result = picture
    for amount in AMOUNTS:
        result = (shown + amount * (shown - smooth)).astype(np.float32)
        if _ratios(wanted, _slopes(result, compared))[0][1] >= 1:
            break
    return result


def _line(direction: NDArray[np.float64], sigma: float) -> FloatArray:
    """A blur along a direction alone: a Gaussian kernel that sums to 1."""
    reach = int(np.ceil(3 * sigma))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    along, across = x * direction[0] + y * direction[1], y * direction[0] - x * direction[1]
    kernel = np.exp(-0.5 * (along / sigma) ** 2 - 0.5 * (across / 0.35) ** 2)
    return (kernel / kernel.sum()).astype(np.float32)
