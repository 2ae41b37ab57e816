"""NanoDet-m, a detector of COCO's 80 classes, as a teacher: its boxes of Pascal VOC's classes.

It runs with the package ``ncnn``, which is needed for training only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: NanoDet's files in the teacher's folder.
FILES = ("nanodet-m.param", "nanodet-m-416.bin")
#: Pascal VOC's class id of COCO's classes, by their number among the 80.
VOC_OF_COCO = {
    0: 15,
    1: 2,
    2: 7,
    3: 14,
    4: 1,
    5: 6,
    6: 19,
    8: 4,
    14: 3,
    15: 8,
    16: 12,
    17: 13,
    18: 17,
    19: 10,
    39: 5,
    56: 9,
    57: 18,
    58: 16,
    60: 11,
    62: 20,
}
#: Mean and standard deviation of BGR that the network was trained with.
_MEAN, _DEVIATION = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
#: Strides of its three heads, distances that each side of a box is spread over, and the least
#: overlap (IoU) of two boxes of one object.
_STRIDES, _BINS, _SAME = (8, 16, 32), 8, 0.55
#: A side of the input is a multiple of this many pixels.
_STEP = 32


@dataclass(frozen=True)
class TeachersBox:
    """An object as the teacher sees it.

    Attributes:
        x0: left, in pixels of the photo.
        y0: top.
        x1: right.
        y1: bottom.
        score: in [0, 1].
        category: Pascal VOC class id.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
    category: int


class DetectionTeacher:
    """NanoDet-m.

    Args:
        folder: holds ``FILES``.

    Raises:
        FileNotFoundError: one of them is missing.
        ValueError: the package ``ncnn`` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        for name in FILES:
            if not (folder / name).exists():
                raise FileNotFoundError(f"{folder / name}: the teacher's file is missing")
        try:
            import ncnn
        except ImportError as error:
            raise ValueError("the teacher needs the package ncnn: pip install ncnn") from error
        self._ncnn: Any = ncnn
        self._net = ncnn.Net()
        self._net.opt.num_threads = 1  # its threads spin, and starve each other on a busy machine
        self._net.load_param(str(folder / FILES[0]))
        self._net.load_model(str(folder / FILES[1]))

    def boxes(
        self, rgb: NDArray[np.uint8], sizes: tuple[int, ...], least: float
    ) -> list[TeachersBox]:
        """Detect objects of VOC's classes.

        Args:
            rgb: HWC.
            sizes: longer sides in pixels at which the photo is seen; larger ones find smaller
                objects.
            least: least score.

        Returns:
            Best first, one box of each object.
        """
        found = [box for size in sizes for box in self._at(rgb, size, least)]
        if not found:
            return []
        corners = [[b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0] for b in found]
        kept = cv2.dnn.NMSBoxesBatched(
            corners, [b.score for b in found], [b.category for b in found], 0.0, _SAME
        )
        return [found[int(k)] for k in np.array(kept).reshape(-1)]

    def _at(self, rgb: NDArray[np.uint8], size: int, least: float) -> list[TeachersBox]:
        h, w = rgb.shape[:2]
        scale = size / max(h, w)
        nh, nw = max(1, round(h * scale)), max(1, round(w * scale))
        left, top = (-nw) % _STEP // 2, (-nh) % _STEP // 2
        kind = self._ncnn.Mat.PixelType.PIXEL_RGB2BGR
        x = self._ncnn.Mat.from_pixels_resize(np.ascontiguousarray(rgb), kind, w, h, nw, nh)
        x = self._ncnn.copy_make_border(
            x,
            top,
            (-nh) % _STEP - top,
            left,
            (-nw) % _STEP - left,
            self._ncnn.BorderType.BORDER_CONSTANT,
            0.0,
        )
        x.substract_mean_normalize(list(_MEAN), [1 / d for d in _DEVIATION])
        run = self._net.create_extractor()
        run.input("input.1", x)
        columns = nw + (-nw) % _STEP
        found = []
        for stride in _STRIDES:
            scores = np.array(run.extract(f"cls_pred_stride_{stride}")[1])
            sides = np.array(run.extract(f"dis_pred_stride_{stride}")[1])
            for coco, category in VOC_OF_COCO.items():
                for k in np.flatnonzero(scores[:, coco] >= least):
                    p = sides[k].reshape(4, _BINS)
                    p = np.exp(p - p.max(1, keepdims=True))
                    reach = (p / p.sum(1, keepdims=True) * np.arange(_BINS)).sum(1) * stride
                    across = columns // stride
                    x0 = (k % across + 0.5) * stride - left
                    y0 = (k // across + 0.5) * stride - top
                    corners = np.array([x0 - reach[0], y0 - reach[1], x0 + reach[2], y0 + reach[3]])
                    limits = np.array([w, h, w, h])
                    corners = np.clip(corners / scale, 0, limits)
                    x1, y1, x2, y2 = corners.tolist()
                    score = float(scores[k, coco])
                    found.append(TeachersBox(x1, y1, x2, y2, score, category))
        return found
