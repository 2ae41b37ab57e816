"""Predicted class ids of photos, and the metrics that compare them with labels.

It lies below the tasks, because the segmenter's held-out metrics need it, and below
``train.evaluation``, which measures the shipped segmenter.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from ..models.categories import CATEGORIES
from ..models.segmenter import photo_logits
from ..pipeline.detect.segmenters import resize_longest


def predict_labels(
    network: nn.Module, image: NDArray[np.uint8], longest: int, device: torch.device | str = "cpu"
) -> NDArray[np.uint8]:
    """Predict the class ids of a photo at its own size.

    Args:
        network: the segmenter.
        image: RGB HWC.
        longest: longer side in pixels at which the network sees the photo.
        device: the network's device.

    Returns:
        HW class ids.
    """
    logits = photo_logits(network, resize_longest(image, longest), device)[None]
    return (
        F.interpolate(logits, size=image.shape[:2], mode="bilinear", align_corners=False)[0]
        .argmax(0)
        .byte()
        .cpu()
        .numpy()
    )


def confusion(predicted: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count pixels by (true, predicted) class, 21 x 21; void pixels do not count.

    Args:
        predicted: HW class ids.
        truth: HW class ids, 21 and above = void.
    """
    known = truth < 21
    pairs = truth[known].astype(int) * 21 + predicted[known]
    return np.bincount(pairs, minlength=441).reshape(21, 21)


def intersection_over_union(counts: NDArray[np.int64]) -> dict[str, float]:
    """IoU by class name, for the classes that occur in the ground truth, and their ``mean``.

    Args:
        counts: of ``confusion``.
    """
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    present = counts.sum(1) > 0
    ious = {CATEGORIES[i]: float(counts[i, i] / union[i]) for i in range(21) if present[i]}
    return {**ious, "mean": float(np.mean(list(ious.values())))}
