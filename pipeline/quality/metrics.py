"""What can be known of a result without knowing what was behind the object: seam, residue, probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry import hole_within
from ..pixels import as_float
from ..types import FloatArray, Hole, Mask, Pixels

if TYPE_CHECKING:
    pass


#: Width in pixels of the ring outside the hole against which the rim is compared.
SEAM_RING = 8


def seam(result: Pixels, hole: Hole, hole_mask: Mask) -> float | None:
    """The step across the hole's rim against the steps around it: 1 = as smooth as its surroundings, 3 = three times as rough.

    Mean absolute difference of neighbours of which one is in the hole and one is known, over the mean of neighbouring known pixels within
    ``SEAM_RING`` of the hole (at least 1/255, so that a blank wall does not divide by nothing).

    Returns:
        The ratio, or None where the hole has no known rim.
    """
    part = hole.box.grown(SEAM_RING + 1, hole_mask.shape)
    inner = hole_within(hole, part)
    known = ~hole_mask[part.slices]
    ring = (
        cv2.dilate(inner.astype(np.uint8), np.ones((2 * SEAM_RING + 1,) * 2, np.uint8)).astype(bool)
        & known
    )
    picture = as_float(result[part.slices])
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


def residue(probability: FloatArray, mask: Mask, threshold: float) -> float:
    """The share of the hole that the segmenter, looking at the result, still calls the removed class.

    Args:
        probability: hw of the removed classes on the result, at the segmenter's own size.
        mask: HW bool, all holes.
        threshold: as in ``mask.class_mask``.
    """
    small = cv2.resize(
        mask.astype(np.uint8),
        (probability.shape[1], probability.shape[0]),
        interpolation=cv2.INTER_AREA,
    ).astype(bool)
    if not small.any():
        small = (
            cv2.resize(
                mask.astype(np.float32),
                (probability.shape[1], probability.shape[0]),
                interpolation=cv2.INTER_AREA,
            )
            > 0
        )
    return float((probability[small] >= threshold).mean()) if small.any() else 0.0


def inside_errors(found: FloatArray, truth: FloatArray, mask: Mask) -> tuple[float, float, float]:
    """(L1, PSNR, SSIM) of two hw3 pictures in [0, 1], over the mask's pixels.

    L1: mean absolute difference. PSNR: 10 log10(1 / MSE), at most 99 dB. SSIM: Wang et al. 2004, Gaussian window of 1.5 pixels, its
    map over the grey picture averaged over the mask.
    """
    from skimage.metrics import structural_similarity

    difference = found[mask] - truth[mask]
    mse = float((difference**2).mean())
    psnr = min(99.0, -10 * float(np.log10(max(mse, 1e-12))))
    if min(mask.shape) < 11:
        return float(np.abs(difference).mean()), psnr, 1.0 if mse == 0 else float("nan")
    grey = [
        cv2.cvtColor(np.ascontiguousarray(p, dtype=np.float32), cv2.COLOR_RGB2GRAY)
        for p in (found, truth)
    ]
    _, full = structural_similarity(
        grey[0],
        grey[1],
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    return float(np.abs(difference).mean()), psnr, float(full[mask].mean())
