"""The face detector's network on photos: what it sees, and the boxes that follow from its maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..pixels import eight_bits, reduction, resize, scaled_size
from ..types import FloatArray, Pixels

if TYPE_CHECKING:
    import torch

#: Longer side in pixels at which faces are detected.
FACES_SIZE = 513
#: Least score of a face that is looked at, most faces of a photo, and the overlap (IoU) from which
#: two boxes are one face's.
LEAST_SCORE, MOST_FACES, SAME = 0.05, 200, 0.4


def picture_of(rgb: Pixels, longest: int) -> tuple[torch.Tensor, float]:
    """A photo as the network takes it.

    Args:
        rgb: HWC uint8 or uint16.
        longest: longer side in pixels at which it is seen; a smaller photo stays as it is.

    Returns:
        (13HW float32 in [-1, 1], padded with grey to 32 k + 1; its scale, at most 1)
    """
    import torch

    from ...models.face_detector import FaceDetector

    scale = reduction(rgb.shape, longest)
    small = eight_bits(resize(rgb, scaled_size(rgb.shape, scale)))
    h, w = small.shape[:2]
    x = torch.zeros(1, 3, FaceDetector.legal_size(h), FaceDetector.legal_size(w))
    x[0, :, :h, :w] = torch.from_numpy(small).permute(2, 0, 1).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last), scale


def faces_of(maps: Sequence[FloatArray], scale: float, shape: tuple[int, ...]) -> FloatArray:
    """Faces at the peaks of the centres.

    Args:
        maps: 1hw logits of a centre; 4hw distances to left, top, right and bottom, in pixels; 1hw,
            how far a face is turned.
        scale: of the network's picture.
        shape: the photo's.

    Returns:
        n6 float32, best first: left, top, right, bottom in pixels of the photo, clipped to it;
        score in [0, 1]; how far it is turned, 0 to 1.
    """
    from ...models.face_detector import PLACES

    logits, sides, turn = maps
    heat = 1 / (1 + np.exp(-logits[0].astype(np.float32)))
    highest = cv2.dilate(heat, np.ones((3, 3), np.uint8))
    y, x = np.nonzero((heat == highest) & (heat >= LEAST_SCORE))
    order = np.argsort(-heat[y, x], kind="stable")[:MOST_FACES]
    y, x = y[order], x[order]
    left, top, right, bottom = sides[:, y, x]
    px, py = x * PLACES, y * PLACES
    boxes = np.stack([px - left, py - top, px + right, py + bottom], axis=1) / scale
    score = heat[y, x]
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = np.array(cv2.dnn.NMSBoxes(corners.tolist(), score.tolist(), 0.0, SAME), int).reshape(-1)
    height, width = shape[:2]
    boxes = boxes.clip(0, np.array([width, height, width, height]))
    found = np.concatenate([boxes, score[:, None], turn[0][y, x][:, None]], axis=1)
    return found[kept].astype(np.float32)
