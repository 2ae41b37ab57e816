"""YuNet, a public face detector, as a teacher: its boxes, and how far each face is turned."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pipeline.detect.faces import yaw
from ..pipeline.pixels import resize, scaled_size

#: The teacher's file in its folder.
FILE = "face_detection_yunet_2023mar.onnx"
#: Grey pixels around a photo, as a share of its longer side: the teacher misses faces that fill it.
_MARGIN = 0.1
#: Least score at all.
_LEAST = 0.1


class FaceTeacher:
    """YuNet.

    Args:
        folder: holds ``FILE``.

    Raises:
        FileNotFoundError: the file is missing.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / FILE).exists():
            raise FileNotFoundError(f"{folder / FILE}: the teacher's file is missing")
        self._net = cv2.FaceDetectorYN.create(str(folder / FILE), "", (320, 320), _LEAST)

    def faces(self, rgb: NDArray[np.uint8], size: int, least: float) -> NDArray[np.float32]:
        """Detect faces.

        Args:
            rgb: HWC.
            size: longer side in pixels at which the photo, with a margin, is seen.
            least: least score.

        Returns:
            n6, best first: left, top, right, bottom in pixels; score in [0, 1]; how far the face is
            turned, by ``yaw``.
        """
        margin = round(_MARGIN * max(rgb.shape[:2]))
        wide = cv2.copyMakeBorder(rgb, *(margin,) * 4, cv2.BORDER_CONSTANT, value=(127,) * 3)
        found = self._at(wide, size)
        found[:, :4] -= margin
        h, w = rgb.shape[:2]
        found[:, [0, 2]] = found[:, [0, 2]].clip(0, w)
        found[:, [1, 3]] = found[:, [1, 3]].clip(0, h)
        large = (found[:, 2:4] - found[:, :2]).min(1, initial=np.inf) >= 1
        found = found[(found[:, 4] >= least) & large]
        return found[np.argsort(-found[:, 4], kind="stable")]

    def _at(self, rgb: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
        scale = size / max(rgb.shape[:2])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = resize(rgb, scaled_size(rgb.shape, scale), way)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        found = [
            [*(row[:2] / scale), *((row[:2] + row[2:4]) / scale), row[14],
             yaw(row[4:14].reshape(5, 2))]
            for row in (rows if rows is not None else ())
        ]  # fmt: skip
        return np.array(found, np.float32).reshape(-1, 6)
