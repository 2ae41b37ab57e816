"""Face detection: a network's or YuNet's if it is available, else the Haar cascades of OpenCV."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from ..pixels import eight_bits, reduction, resize, scaled_size
from ..types import Box, Face, FloatArray, Pixels
from .companions import has_weight
from .face_network import FACES_SIZE, faces_of, picture_of

if TYPE_CHECKING:
    import torch

    from ...models.own_weights import OwnWeight

#: Longer side in pixels at which YuNet and the cascades see a photo.
DETECTION_SIZE = 1024
#: Least scores of YuNet and of the network, in [0, 1], and least number of overlapping detections
#: of the cascades.
YUNET_SCORE, NETWORK_SCORE, HAAR_NEIGHBOURS = 0.7, 0.4, 6
#: Least side in pixels of a face.
LEAST_FACE = 8
#: A face may be so much smaller than the smallest one that matters: the cascades' is the mean of
#: windows of several sizes, and boxes are not exact.
SMALLER = 0.75
#: Near boxes, the cascades look for faces of up to so many times the least side, and elsewhere for
#: larger ones: a face holds most of a box that is so many of its sides away at most. It is worth it
#: if those places are at most such a share of the picture.
SMALL, REACH, WORTH = 4, 1.5, 0.5
#: Side in pixels at which the network sees the smallest face that matters, and the least longer
#: side of its picture: where only large faces matter, it sees the photo smaller.
SEEN, LEAST_SIZE = 20, 257
#: ``Face.side`` and ``Face.below`` for each detector's boxes: medians over 300 of the aligned faces
#: on which the face network is trained. YuNet taught the network its boxes.
FRAMING = {"yunet": (0.86, 0.135), "face-detector": (0.86, 0.135), "haar": (0.96, 0.087)}


class _Detector(Protocol):
    """What finds faces."""

    name: str

    def find(self, rgb: Pixels, least: float, near: Sequence[Box]) -> FloatArray:
        """Faces of a photo HWC: n6, as ``face_network.faces_of`` gives them."""


class FaceDetector:
    """Detects faces. The Haar cascades find fewer than YuNet, with more false positives.

    Args:
        device: where the network runs.
        offline: never download YuNet.
        weights: the user's own. One of the face detector's network goes before YuNet, and a bundled
            one, if it ships, before the cascades.

    Attributes:
        name: ``yunet``, ``face-detector`` or ``haar``.
        missing: why YuNet is unavailable, or empty.
        sha256: of the network's weight; empty if another one detects.

    Raises:
        WeightsError: the network's weight is damaged.
    """

    def __init__(
        self, device: torch.device, *, offline: bool = False, weights: Iterable[OwnWeight] = ()
    ) -> None:
        from ...models.own_weights import find_own

        weights = tuple(weights)
        self.missing, self.sha256 = "", ""
        path = None
        if find_own(weights, "face-detector") is None:
            path, self.missing = find_yunet(offline)
        self._detector: _Detector
        if path is not None:
            self._detector = _YuNet(path)
        elif has_weight("face-detector", weights):
            network = _Network(device, weights)
            self._detector, self.sha256 = network, network.sha256
        else:
            self._detector = _Haar()
        self.name = self._detector.name

    def detect(self, rgb: Pixels, least: float = 0, near: Sequence[Box] = ()) -> list[Face]:
        """Detect faces in a photo.

        Args:
            rgb: HWC uint8 or uint16.
            least: side in pixels of the smallest face that matters. Small ones take time.
            near: only faces matter that hold most of one of these boxes; none given, all do. What
                is found elsewhere may be returned too.

        Returns:
            Faces by descending score; their boxes are in the photo's pixels and clipped to it.
        """
        faces = []
        smallest = max(LEAST_FACE, SMALLER * least)
        for left, top, right, bottom, score, turn in self._detector.find(rgb, least, near):
            corners = round(left), round(top), round(right), round(bottom)
            box = Box.from_corners(*corners).intersection(Box.full(rgb.shape))
            if min(box.w, box.h) >= LEAST_FACE and max(box.w, box.h) >= smallest:
                faces.append(Face(box, float(score), *FRAMING[self.name], float(turn)))
        return sorted(faces, key=lambda f: -f.score)


class _YuNet:
    """OpenCV's YuNet."""

    name = "yunet"

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()  # it keeps state between calls
        self._net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), YUNET_SCORE)

    def find(self, rgb: Pixels, least: float, near: Sequence[Box]) -> FloatArray:
        """See ``_Detector``."""
        scale = reduction(rgb.shape, DETECTION_SIZE)
        small = eight_bits(resize(rgb, scaled_size(rgb.shape, scale)))
        with self._lock:
            self._net.setInputSize((small.shape[1], small.shape[0]))
            _, rows = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return _corners(rows if rows is not None else (), scale)


def _corners(rows: Sequence[FloatArray], scale: float) -> FloatArray:
    """YuNet's rows, x, y, width and height, five landmarks and the score, as n6."""
    found = []
    for row in rows:
        x, y, width, height = row[:4] / scale
        turn = min(1.0, yaw(row[4:14].reshape(5, 2)))
        found.append([x, y, x + width, y + height, row[-1], turn])
    return np.array(found, np.float32).reshape(-1, 6)


class _Haar:
    """The cascade of frontal faces inside opencv-python."""

    name = "haar"

    def __init__(self) -> None:
        self._lock = threading.Lock()  # it keeps state between calls
        cascades: str = cv2.data.haarcascades  # type: ignore[attr-defined]
        cascade = Path(cascades) / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(cascade))

    def find(self, rgb: Pixels, least: float, near: Sequence[Box]) -> FloatArray:
        """See ``_Detector``."""
        scale = reduction(rgb.shape, DETECTION_SIZE)
        small = eight_bits(resize(rgb, scaled_size(rgb.shape, scale)))
        grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        side = max(20, min(grey.shape) // 20, round(SMALLER * scale * least))
        largest = round(SMALL * side)
        places = _places(near, scale, round(REACH * largest), grey.shape)
        found = [self._windows(grey, Box.full(grey.shape), side * SMALL if places else side)]
        found += [self._windows(grey, place, side, largest) for place in places]
        rows = np.concatenate(found)
        rows[:, :4] /= scale
        return rows

    def _windows(
        self, grey: NDArray[np.uint8], place: Box, side: float, largest: float = 0
    ) -> FloatArray:
        """Faces at a place of a picture HW, n6 in its pixels, by windows of some sides; 0 = any."""
        with self._lock:
            boxes, _, levels = self._cascade.detectMultiScale3(
                grey[place.slices],
                1.1,
                HAAR_NEIGHBOURS,
                minSize=(round(side),) * 2,
                maxSize=(round(largest / SMALLER**2),) * 2,
                outputRejectLevels=True,
            )
        # The cascade's level weights have no upper bound: mapped to [0, 1), they only rank faces.
        found = [
            [place.x + x, place.y + y, place.x + x + w, place.y + y + h, 1 - np.exp(-max(0, v) / 3)]
            for (x, y, w, h), v in zip(boxes, np.ravel(levels), strict=False)
        ]
        rows = np.array(found, np.float32).reshape(-1, 5)
        return np.concatenate([rows, np.zeros((len(rows), 1), np.float32)], axis=1)


def _places(near: Sequence[Box], scale: float, reach: int, shape: tuple[int, ...]) -> list[Box]:
    """Boxes of a photo in its reduced picture, grown; none if they are most of the picture."""
    places = []
    for box in near:
        corners = (box.x, box.y, box.right, box.bottom)
        reduced = Box.from_corners(*(round(scale * v) for v in corners))
        places.append(reduced.grown(reach, shape))
    area = sum(place.area for place in places)
    return places if area < WORTH * shape[0] * shape[1] else []


class _Network:
    """The network: the user's own weight, or the bundled one."""

    name = "face-detector"

    def __init__(self, device: torch.device, weights: Iterable[OwnWeight]) -> None:
        import torch

        from ...models.checkpoint import CheckpointError
        from ...models.folding import fold_batch_norm
        from ...models.own_weights import load_network

        self._device = device
        try:
            network, self.sha256 = load_network("face-detector", weights)
        except CheckpointError as error:
            raise WeightsError(str(error)) from error
        folded = fold_batch_norm(network)
        self._net = folded.to(device, memory_format=torch.channels_last)

    def find(self, rgb: Pixels, least: float, near: Sequence[Box]) -> FloatArray:
        """See ``_Detector``."""
        import torch

        longest = FACES_SIZE
        if least > 0:
            enough = round(SEEN / (SMALLER * least) * max(rgb.shape[:2]))
            longest = min(FACES_SIZE, max(LEAST_SIZE, enough))
        picture, scale = picture_of(rgb, longest)
        with torch.inference_mode():
            maps = [each[0].cpu().numpy() for each in self._net(picture.to(self._device))]
        found = faces_of(maps, scale, rgb.shape)
        return found[found[:, 4] >= NETWORK_SCORE]


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


def yaw(landmarks: FloatArray) -> float:
    """The nose's distance from the line through the middles of eyes and mouth.

    Args:
        landmarks: 5 x 2, (x, y) of right eye, left eye, nose, right and left corner of the
            mouth.

    Returns:
        The distance over that of the eyes: 0 = frontal; NaN if the two middles coincide.
    """
    right, left, nose, *mouth = (np.asarray(p, float) for p in landmarks)
    middle, foot = (right + left) / 2, (mouth[0] + mouth[1]) / 2
    down = foot - middle
    length = float(np.hypot(*down))
    if length == 0:
        return math.nan
    off = abs(down[0] * (nose - middle)[1] - down[1] * (nose - middle)[0]) / length
    return float(off / max(1e-6, np.hypot(*(left - right))))
