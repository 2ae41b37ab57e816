"""TODO docstring."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from ..models.segmenter import photo_logits
from ..pipeline.detect.segmenters import shrink


def predict_labels(
    network: nn.Module, image: NDArray[np.uint8], longest: int, device: torch.device | str = "cpu"
) -> NDArray[np.uint8]:  # fmt: skip
    """Class ids at the photo's size: RGB HWC uint8 in, HW uint8 out. The network sees it at ``longest`` pixels."""
    logits = photo_logits(network, shrink(image, longest), device)[None]
    return (
        F.interpolate(logits, size=image.shape[:2], mode="bilinear", align_corners=False)[0]
        .argmax(0)
        .byte()
        .cpu()
        .numpy()
    )


def confusion(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Counts by (truth, found), 21 x 21; void pixels left out."""
    known = truth < 21
    return np.bincount(truth[known].astype(int) * 21 + found[known], minlength=441).reshape(21, 21)


def intersection_over_union(counts: NDArray[np.int64]) -> dict[str, float]:
    """IoU by class name for the classes present in the truth, and their ``mean``."""
    from ..models.categories import CATEGORIES

    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    present = counts.sum(1) > 0
    figures = {CATEGORIES[i]: float(counts[i, i] / union[i]) for i in range(21) if present[i]}
    return {**figures, "mean": float(np.mean(list(figures.values())))}
