"""Compare a weight of the face detector with OpenCV's Haar cascades, against YuNet.

    python -m benchmarks.quality.faces --data DATA --teacher DIR --weights FILE [--photos coco_val]

Each finds the faces of the same photos, of the training folders' held-out ones by default. YuNet,
whose file lies in ``DIR``, says which faces there are: its boxes with a score of 0.7 or more, those
between 0.3 and 0.7 count neither way. Time is the processor's on one thread, of the photo at two
megapixels, the detectors in turn. ``--sheet FILE`` shows 60 of the photos: YuNet green, the network
red, the cascades blue.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from remove_objects.models.own_weights import open_weights
from remove_objects.pipeline.detect.faces import FaceDetector
from remove_objects.pipeline.types import FloatArray, Pixels
from remove_objects.train.data import faces
from remove_objects.train.data.objects import boxes
from remove_objects.train.data.pictures import read_rgb
from remove_objects.train.detection_metrics import HIT, hits_of, overlaps
from remove_objects.train.face_teacher import FaceTeacher

#: Longer side in pixels at which the teacher sees a photo, with its margin.
TEACHERS_SIZE = 1024
#: Bands of a face's longer side, as a share of the photo's.
BANDS = (0.0, 0.04, 0.08, 0.16, 1.0)
#: Pixels of a photo whose time counts, and every how many is timed; photos of a sheet, and of its
#: rows.
PIXELS, TIMED, SHOWN, COLUMNS = 2_000_000, 6, 60, 10
#: What the cascades are run with: longer side, overlapping windows, least
#: window as a share of the shorter side.
HAAR_SIZE, HAAR_NEIGHBOURS, HAAR_LEAST = 1024, 6, 20

Detect = Callable[[Pixels], FloatArray]


def haar() -> Detect:
    """The cascades: HWC -> n5 of left, top, right, bottom and score."""
    folder: str = cv2.data.haarcascades  # type: ignore[attr-defined]
    cascade = cv2.CascadeClassifier(str(Path(folder) / "haarcascade_frontalface_default.xml"))

    def detect(rgb: Pixels) -> FloatArray:
        scale = min(1.0, HAAR_SIZE / max(rgb.shape[:2]))
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        side = max(20, min(grey.shape) // HAAR_LEAST)
        boxes, _, levels = cascade.detectMultiScale3(
            grey, 1.1, HAAR_NEIGHBOURS, minSize=(side, side), outputRejectLevels=True
        )
        rows = [[x, y, x + w, y + h, 0] for x, y, w, h in boxes]
        found = np.array(rows, np.float32).reshape(-1, 5) / scale
        found[:, 4] = np.reshape(levels, -1)
        return found[np.argsort(-found[:, 4], kind="stable")]

    return detect


def network(weights: Path) -> Detect:
    """The network: as ``haar``."""
    own = open_weights({"face-detector": weights})
    detector = FaceDetector(torch.device("cpu"), offline=True, weights=own)

    def detect(rgb: Pixels) -> FloatArray:
        rows = [
            [f.box.x, f.box.y, f.box.right, f.box.bottom, f.score] for f in detector.detect(rgb)
        ]
        return np.array(rows, np.float32).reshape(-1, 5)

    return detect


def photos(data: Path, which: str) -> list[Path]:
    """The photos to measure on."""
    if which != "held-out":
        return boxes.photos_of(data, f"segmentation/{which}/images")
    return [p for f in boxes.FOLDERS for p in boxes.photos_of(data, f)[:: boxes.HELD_OUT]]


def measure(
    files: Sequence[Path], teacher: FaceTeacher, detectors: dict[str, Detect], sheet: Path | None
) -> None:
    """Print what each detector finds of the teacher's faces, and what it takes."""
    found_of: dict[str, list[tuple[float, bool]]] = {name: [] for name in detectors}
    false = dict.fromkeys(detectors, 0)
    seconds: dict[str, list[float]] = {name: [] for name in detectors}
    tiles: list[Pixels] = []
    for n, path in enumerate(files):
        rgb = read_rgb(path)
        truth = teacher.faces(rgb, TEACHERS_SIZE, faces.STORED)
        certain = truth[truth[:, 4] >= faces.CERTAIN]
        shares = (certain[:, 2:4] - certain[:, :2]).max(1, initial=0) / max(rgb.shape[:2])
        large = cv2.resize(rgb, None, fx=(k := (PIXELS / rgb[..., 0].size) ** 0.5), fy=k)
        shown = rgb.copy()
        _draw(shown, certain, (0, 200, 0))
        for name, detect in detectors.items():
            found = detect(rgb)
            _draw(shown, found, (220, 0, 0) if name == "network" else (0, 0, 255))
            rated, _ = hits_of(found, truth, faces.CERTAIN)
            false[name] += sum(right is False for _, right in rated)
            for share, row in zip(shares, certain, strict=True):
                hit = bool(len(found)) and float(overlaps(row, found).max()) >= HIT
                found_of[name].append((float(share), hit))
            if n % TIMED == 0:
                start = time.process_time()
                detect(large)
                seconds[name].append(time.process_time() - start)
        if sheet is not None and len(truth) and len(tiles) < SHOWN:
            tiles.append(cv2.resize(shown, (320, 240), interpolation=cv2.INTER_AREA))
    print(f"{len(files)} photos")
    for name in detectors:
        shares, hits = (np.array(v) for v in zip(*found_of[name], strict=True))
        bands = [
            f"{hits[inside].mean():.0%} of {inside.sum()} from {low:.0%}"
            for low, high in pairwise(BANDS)
            if (inside := (shares >= low) & (shares < high)).any()
        ]
        print(
            f"{name}: finds {hits.mean():.0%} of {len(hits)} ({', '.join(bands)} of the longer "
            f"side), {false[name]} false; {np.median(seconds[name]):.4f} s"
        )
    if sheet is not None:
        rows = [
            np.hstack(tiles[i : i + COLUMNS])
            for i in range(0, len(tiles) // COLUMNS * COLUMNS, COLUMNS)
        ]
        cv2.imwrite(str(sheet), np.vstack(rows)[..., ::-1])


def _draw(image: Pixels, boxes: FloatArray, colour: tuple[int, int, int]) -> None:
    thick = max(1, max(image.shape[:2]) // 200)
    for left, top, right, bottom in boxes[:, :4].astype(int):
        cv2.rectangle(image, (left, top), (right, bottom), colour, thick)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--photos", default="held-out", choices=("held-out", "coco_val"))
    parser.add_argument("--weights", type=Path, required=True, help="of the face detector")
    parser.add_argument("--most", type=int, default=10_000, help="photos at most, evenly spread")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    detectors = {"haar": haar(), "network": network(options.weights)}
    files = photos(options.data, options.photos)
    files = files[:: -(-len(files) // options.most)]
    measure(files, FaceTeacher(options.teacher), detectors, options.sheet)


if __name__ == "__main__":
    main()
