"""Face detection: YuNet where its file can be had, else the Haar cascades inside opencv-python."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np

from ..pixels import eight_bits
from ..types import Box, Face, Pixels

#: Longer side in pixels at which faces are looked for.
LOOK_AT = 1024
YUNET_SCORE = 0.7
HAAR_NEIGHBOURS = 6
#: ``Face.side`` and ``Face.below`` of each detector's boxes: medians over 300 of the aligned faces that the face network learns from.
FRAMING = {"yunet": (0.86, 0.135), "haar": (0.96, 0.087)}


class FaceDetector:
    """Detects faces. ``name`` says with what; the cascades find fewer, and mistake more. ``missing``: why it is not YuNet, or empty."""

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

    def detect(self, rgb: Pixels) -> list[Face]:
        """Faces on an RGB HWC photo (uint8 or uint16), best first; boxes in its pixels, cut to the photo."""
        h, w = rgb.shape[:2]
        scale = min(1.0, LOOK_AT / max(h, w))
        small = eight_bits(
            cv2.resize(
                rgb,
                (max(1, round(w * scale)), max(1, round(h * scale))),
                interpolation=cv2.INTER_AREA,
            )
        )
        with self._lock:
            found = self._with_yunet(small) if self._yunet is not None else self._with_haar(small)
        faces = []
        for x, y, width, height, score in found:
            x0, y0 = max(0, round(x / scale)), max(0, round(y / scale))
            x1, y1 = min(w, round((x + width) / scale)), min(h, round((y + height) / scale))
            if x1 - x0 >= 8 and y1 - y0 >= 8:
                faces.append(Face(Box(x0, y0, x1 - x0, y1 - y0), float(score), *FRAMING[self.name]))
        return sorted(faces, key=lambda f: -f.score)

    def _with_yunet(self, rgb: Pixels) -> list[tuple[float, float, float, float, float]]:
        assert self._yunet is not None
        self._yunet.setInputSize((rgb.shape[1], rgb.shape[0]))
        _, rows = self._yunet.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        return [] if rows is None else [(*(float(v) for v in r[:4]), float(r[-1])) for r in rows]  # type: ignore[misc]

    def _with_haar(self, rgb: Pixels) -> list[tuple[float, float, float, float, float]]:
        assert self._haar is not None
        grey = cv2.equalizeHist(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        least = max(20, min(grey.shape) // 20)
        boxes, _, levels = self._haar.detectMultiScale3(
            grey, 1.1, HAAR_NEIGHBOURS, minSize=(least, least), outputRejectLevels=True
        )
        # The cascade's level weights have no upper bound; squashed, they only serve to order the faces.
        return [
            (*(float(v) for v in b), float(1 - np.exp(-max(0.0, float(s)) / 3)))  # type: ignore[misc]
            for b, s in zip(boxes, levels, strict=False)
        ]


def find_yunet(offline: bool) -> tuple[Path | None, str]:
    """(YuNet's file, its hash checked, "") or (None, why it is not to be had)."""
    from ...models.checkpoint import CheckpointError
    from ...models.hub import YUNET, fetch, why_missing

    why = why_missing(YUNET, offline=offline)
    if why:
        return None, f"YuNet is {why}"
    try:
        return fetch(YUNET, progress=False).path, ""
    except CheckpointError as error:
        return None, str(error)
