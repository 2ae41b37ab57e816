"""Face detection: YuNet if its file is available, else the Haar cascades inside opencv-python."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..pixels import eight_bits, reduction, resize, scaled_size
from ..types import Box, Face, Pixels

#: Longer side in pixels at which faces are detected.
DETECTION_SIZE = 1024
#: Least score of YuNet, in [0, 1], and least number of overlapping detections of the cascades.
YUNET_SCORE, HAAR_NEIGHBOURS = 0.7, 6
#: Least side in pixels of a face.
LEAST_FACE = 8
#: The cascades' windows may be so much smaller than the smallest face that matters: a face is the
#: mean of windows of several sizes.
SMALLER = 0.75
#: ``Face.side`` and ``Face.below`` for each detector's boxes: medians over 300 of the aligned faces
#: on which the face network is trained.
FRAMING = {"yunet": (0.86, 0.135), "haar": (0.96, 0.087)}

#: x, y, width, height and score of a detection.
_Detection = tuple[float, float, float, float, float]


class FaceDetector:
    """Detects faces. The Haar cascades find fewer than YuNet, with more false positives.

    Attributes:
        name: ``yunet`` or ``haar``.
        missing: why YuNet is unavailable, or empty.
    """

    def __init__(self, *, offline: bool = False) -> None:
        self._lock = threading.Lock()  # OpenCV's detectors keep state between calls
        path, self.missing = find_yunet(offline)
        self._yunet = (
            cv2.FaceDetectorYN.create(str(path), "", (320, 320), YUNET_SCORE) if path else None
        )
        cascades: str = cv2.data.haarcascades  # type: ignore[attr-defined]
        cascade = Path(cascades) / "haarcascade_frontalface_default.xml"
        self._haar = None if path else cv2.CascadeClassifier(str(cascade))
        self.name = "yunet" if path else "haar"

    def detect(self, rgb: Pixels, least: float = 0) -> list[Face]:
        """Detect faces in a photo.

        Args:
            rgb: HWC uint8 or uint16.
            least: side in pixels of the smallest face that matters. The cascades take time for
                small ones above all.

        Returns:
            Faces by descending score; their boxes are in the photo's pixels and clipped to it.
        """
        scale = reduction(rgb.shape, DETECTION_SIZE)
        small = eight_bits(resize(rgb, scaled_size(rgb.shape, scale)))
        with self._lock:
            detections = (
                self._run_yunet(small)
                if self._yunet is not None
                else self._run_haar(small, scale * least)
            )
        faces = []
        for x, y, width, height, score in detections:
            box = Box.from_corners(
                round(x / scale),
                round(y / scale),
                round((x + width) / scale),
                round((y + height) / scale),
            ).intersection(Box.full(rgb.shape))
            if min(box.w, box.h) >= LEAST_FACE:
                faces.append(Face(box, float(score), *FRAMING[self.name]))
        return sorted(faces, key=lambda f: -f.score)

    def _run_yunet(self, rgb: Pixels) -> list[_Detection]:
        """YuNet's detections on an HWC uint8 picture."""
        assert self._yunet is not None
        self._yunet.setInputSize((rgb.shape[1], rgb.shape[0]))
        _, rows = self._yunet.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        return [] if rows is None else [_detection(row[:4], row[-1]) for row in rows]

    def _run_haar(self, rgb: Pixels, least: float) -> list[_Detection]:
        """The Haar cascade's detections on an HWC uint8 picture; see ``detect``."""
        assert self._haar is not None
        grey = cv2.equalizeHist(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        side = max(20, min(grey.shape) // 20, round(SMALLER * least))
        boxes, _, levels = self._haar.detectMultiScale3(
            grey, 1.1, HAAR_NEIGHBOURS, minSize=(side, side), outputRejectLevels=True
        )
        # The cascade's level weights have no upper bound: mapped to [0, 1), they only rank faces.
        return [
            _detection(box, 1 - np.exp(-max(0.0, float(level)) / 3))
            for box, level in zip(boxes, levels, strict=False)
        ]


def _detection(box: Sequence[float], score: float) -> _Detection:
    """One detection as plain floats."""
    x, y, width, height = (float(v) for v in box)
    return x, y, width, height, float(score)


def find_yunet(offline: bool) -> tuple[Path | None, str]:
    """Locate YuNet's file, and download it if that is allowed.

    Returns:
        (the file with its hash checked, ""), or (None, why it is unavailable).
    """
    from ...models.checkpoint import CheckpointError
    from ...models.hub import YUNET, fetch, why_missing

    why = why_missing(YUNET, offline=offline)
    if why:
        return None, f"YuNet is {why}"
    try:
        return fetch(YUNET, progress=False).path, ""
    except CheckpointError as error:
        return None, str(error)
