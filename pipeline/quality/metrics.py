"""Metrics of a result: seam and residue without ground truth, and errors against ground truth."""

from __future__ import annotations

import cv2
import numpy as np

from ..pixels import dilate_square, resize
from ..types import FloatArray, Hole, Mask, Pixels
from .nearby import nearby

#: Width of the ring outside the hole with which the rim is compared, in the reduced photo's pixels.
SEAM_RING = 8


def seam(result: Pixels, hole: Hole, hole_mask: Mask) -> float | None:
    """The step across the hole's rim, relative to the steps around it, on the reduced photo.

    Mean absolute difference of neighbouring pixels, one in the hole and one known, divided by that
    of neighbouring known pixels within ``SEAM_RING`` of the hole (at least 1/255, so that a blank
    wall does not divide by 0). At the photo's own pixels the grain of a fill would count for more
    the larger the photo is.

    Args:
        result: HWC uint8 or uint16, the filled photo.
        hole: the hole.
        hole_mask: HW bool, all holes.

    Returns:
        1 = as smooth as the surroundings, 3 = three times as rough; None if the hole has no known
        rim.
    """
    picture, inner, known, clear = nearby(result, hole, hole_mask, SEAM_RING + 1)
    ring = dilate_square(inner, SEAM_RING) & clear
    rim, around = [], []
    for a, b in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        step = np.abs(picture[a] - picture[b]).mean(2)
        rim.append(step[(inner[a] & known[b]) | (known[a] & inner[b])])
        around.append(step[ring[a] & ring[b]])
    across, level = np.concatenate(rim), np.concatenate(around)
    if not len(across) or not len(level):
        return None
    return float(across.mean() / max(float(level.mean()), 1 / 255))


def residue(probability: FloatArray, hole_mask: Mask, threshold: float) -> float:
    """The share of the holes in which the segmenter still detects the removed classes.

    Args:
        probability: hw in [0, 1], of the removed classes on the result, at the segmenter's size.
        hole_mask: HW bool, all holes.
        threshold: as in ``mask.class_mask``.

    Returns:
        In [0, 1]; 0 if there is no hole.
    """
    small = resize(hole_mask.astype(np.uint8), probability.shape).astype(bool)
    if not small.any():  # rounded away: count every pixel that a hole touches
        small = resize(hole_mask.astype(np.float32), probability.shape) > 0
    return float((probability[small] >= threshold).mean()) if small.any() else 0.0


def inside_errors(picture: FloatArray, truth: FloatArray, mask: Mask) -> tuple[float, float, float]:
    """Errors of a picture against ground truth, over a mask's pixels.

    Args:
        picture: hw3 in [0, 1].
        truth: hw3 in [0, 1].
        mask: hw bool, True somewhere.

    Returns:
        (L1, PSNR, SSIM). L1: mean absolute difference. PSNR: 10 log10(1 / MSE), at most 99 dB.
        SSIM: Wang et al. 2004 with a Gaussian window of 1.5 pixels, its map over the grey picture
        averaged over the mask; NaN if the picture is smaller than the window and not equal.
    """
    from skimage.metrics import structural_similarity

    difference = picture[mask] - truth[mask]
    mse = float((difference**2).mean())
    psnr = min(99.0, -10 * float(np.log10(max(mse, 1e-12))))
    if min(mask.shape) < 11:
        return float(np.abs(difference).mean()), psnr, 1.0 if mse == 0 else float("nan")
    grey = [
        cv2.cvtColor(np.ascontiguousarray(p, dtype=np.float32), cv2.COLOR_RGB2GRAY)
        for p in (picture, truth)
    ]
    _, ssim_map = structural_similarity(
        grey[0],
        grey[1],
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    return float(np.abs(difference).mean()), psnr, float(ssim_map[mask].mean())
