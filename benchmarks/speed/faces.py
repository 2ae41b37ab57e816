"""The time of the Haar cascades: where the holes need it, and everywhere.

    python -m benchmarks.speed.faces --data DATA --teacher DIR

Training photos in which YuNet, whose file lies in ``DIR``, sees a face, at two megapixels, have
three kinds of holes in turn: on the face, of a tenth of the photo's height elsewhere, and tall as
a person. Both searches run on one thread, in turn, and should choose the same routes.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch

from remove_objects.pipeline.detect.faces import FaceDetector
from remove_objects.pipeline.inpaint.route import choose_route, least_face
from remove_objects.pipeline.types import Box, Hole, Pixels, Route
from remove_objects.train.data import faces
from remove_objects.train.data.objects import boxes
from remove_objects.train.data.pictures import read_rgb
from remove_objects.train.face_teacher import FaceTeacher

#: Pixels of a photo, every how many photo is taken, and the photos at most.
PIXELS, EVERY, MOST = 2_000_000, 7, 24


def holes(face: Box, rgb: Pixels, rng: np.random.Generator) -> dict[str, Box]:
    """A hole of each kind."""
    height, width = rgb.shape[:2]
    small, tall = height // 10, height // 2
    x, y = (int(rng.integers(0, side - small)) for side in (width, height))
    return {
        "on a face": Box(face.x + face.w // 4, face.y + face.h // 3, face.w // 2, face.h // 3),
        "small, anywhere": Box(x, y, small, small),
        "tall as a person": Box(width // 3, height // 4, tall // 3, tall),
    }


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    teacher, detector = (
        FaceTeacher(options.teacher),
        FaceDetector(torch.device("cpu"), offline=True),
    )
    rng = np.random.default_rng(0)
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    routes: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    files = boxes.photos_of(options.data, boxes.FOLDERS[0])[::EVERY]
    files += boxes.photos_of(options.data, boxes.FOLDERS[1])[::EVERY]
    taken = 0
    for path in files:
        rgb = read_rgb(path)
        scale = (PIXELS / rgb[..., 0].size) ** 0.5
        found = teacher.faces(rgb, faces.SIZE, faces.CERTAIN)
        if not len(found) or taken == MOST:
            continue
        taken += 1
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale)  # type: ignore[assignment]
        face = Box.from_corners(*(round(float(v) * scale) for v in found[0, :4]))
        for kind, box in holes(face, rgb, rng).items():
            hole = Hole(box, np.ones((box.h, box.w), bool), box.area / PIXELS)
            mask = np.zeros(rgb.shape[:2], bool)
            mask[box.slices] = True
            chosen = []
            for way, near in (("everywhere", ()), ("where needed", [box])):
                least = least_face([hole]) if near else 0.0
                start = time.process_time()
                here = detector.detect(rgb, least, near)
                seconds[kind, way].append(time.process_time() - start)
                chosen.append(choose_route(hole, mask, here).route is Route.FACE)
            routes[kind].append((chosen[0], chosen[1]))
    for kind, both in routes.items():
        before, after = (np.median(seconds[kind, w]) for w in ("everywhere", "where needed"))
        same = sum(a == b for a, b in both)
        ours = sum(b for _, b in both)
        print(
            f"{kind}: {before:.3f} s everywhere, {after:.3f} s where needed; "
            f"{same} of {len(both)} routes alike, {ours} to the face network"
        )


if __name__ == "__main__":
    main()
