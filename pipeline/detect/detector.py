"""Where objects are that the segmenter may be silent about: boxes from the same features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..types import FloatArray, Pixels
from .companions import load_companion
from .segmenters import NEARER_SIZE, CompactSegmenterAdapter, resize_longest

if TYPE_CHECKING:
    import torch

    from ...models.own_weights import OwnWeight

#: Pixels of the picture between two places of the network's output.
PLACES = 8
#: Least score of a box, most boxes of a photo, and the overlap (IoU) from which two boxes of a
#: class are one object's.
LEAST_SCORE, MOST_BOXES, SAME = 0.1, 100, 0.55
#: Longer side in pixels at which a photo is seen: that of the segmenter's nearer pass.
DETECTOR_SIZE = NEARER_SIZE


class ObjectDetectorAdapter:
    """``ObjectDetector`` on the features of a compact segmenter.

    Args:
        compact: whose encoder gives the features; its weights stay as they are.
        weights: the user's own, which replace bundled ones.

    Attributes:
        compact: see above.
        device: where it runs.
        sha256: of its weight.

    Raises:
        WeightsError: the weight is damaged, or was trained with another compact segmenter.
    """

    def __init__(self, compact: CompactSegmenterAdapter, weights: Iterable[OwnWeight] = ()) -> None:
        self.compact, self.device = compact, compact.device
        self.network, self.sha256 = load_companion("object-detector", compact, weights)

    def boxes(self, levels: Sequence[torch.Tensor], height: int, width: int) -> FloatArray:
        """Detect objects by a picture's features.

        Args:
            levels: ``CompactSegmenterAdapter.levels`` of the picture.
            height: the picture's.
            width: the picture's.

        Returns:
            n6 float32, best first: left, top, right, bottom as shares of width and height in
            [0, 1], score in [0, 1], Pascal VOC class id.
        """
        import torch

        from ...models.precision import autocast

        with torch.inference_mode(), autocast(self.device, width):
            heat, sides = self.network(*levels)
        found = boxes_of(heat[0].float().sigmoid().cpu().numpy(), sides[0].float().cpu().numpy())
        found[:, :4] /= np.array([width, height, width, height], np.float32)
        found[:, :4] = found[:, :4].clip(0, 1)
        return found

    def detect(self, rgb: Pixels) -> FloatArray:
        """Detect the objects of a photo HWC; as ``boxes``."""
        small = resize_longest(rgb, DETECTOR_SIZE)
        return self.boxes(self.compact.levels(small), *small.shape[:2])


def boxes_of(heat: FloatArray, sides: FloatArray, least: float = LEAST_SCORE) -> FloatArray:
    """Boxes at the peaks of the heat.

    Args:
        heat: (classes)hw in [0, 1].
        sides: 4hw, distances to left, top, right and bottom, in pixels.
        least: least score.

    Returns:
        n6 float32, best first: left, top, right, bottom in pixels of the network's picture, score,
        class id from 1 on.
    """
    highest = cv2.dilate(np.ascontiguousarray(heat.transpose(1, 2, 0)), np.ones((3, 3), np.uint8))
    highest = highest.reshape(*heat.shape[1:], -1).transpose(2, 0, 1)
    k, y, x = np.nonzero((heat == highest) & (heat >= least))
    score = heat[k, y, x]
    order = np.argsort(-score, kind="stable")[: 4 * MOST_BOXES]
    k, y, x, score = k[order], y[order], x[order], score[order]
    left, top, right, bottom = sides[:, y, x]
    px, py = x * PLACES, y * PLACES
    boxes = np.stack([px - left, py - top, px + right, py + bottom, score, k + 1.0], axis=1)
    if not len(boxes):
        return boxes.astype(np.float32)
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(corners.tolist(), score.tolist(), k.tolist(), 0.0, SAME)
    return boxes[np.array(kept).reshape(-1)[:MOST_BOXES]].astype(np.float32)
