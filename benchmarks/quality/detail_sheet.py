"""Draw a sheet of twenty crops at 1:1: the hole, the network's plain output, texture, SHIFTMAP.

    python -m benchmarks.quality.detail_sheet docs/detail.jpg

The photos are those of ``sample_images`` (without their people) and CC0 photos of scikit-image, so
the sheet may be published. The holes are the outlines of the people and the cat in
``sample_images``, moved. Needs OpenCV's ``xphoto``: install opencv-contrib-python in a separate
environment.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import torch

from benchmarks.quality.detail import contrib, placed
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.types import Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb
from remove_objects.train.evaluation.probes import ours

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"
CC0 = ("chelsea", "coffee", "rocket", "brick", "gravel", "grass", "camera")
ROWS, SIDE = 20, 208


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("sheet", type=Path, help="the JPEG to write")
    args = p.parse_args()
    if not contrib():
        sys.exit("this OpenCV has no xphoto; install opencv-contrib-python")
    photos = [read_rgb(p) for p in find_images([SAMPLES / ".truth"])]
    for name in CC0:
        picture = getattr(skimage.data, name)()
        photos.append(picture if picture.ndim == 3 else picture[..., None].repeat(3, 2))
    shapes = [read_rgb(p)[..., 0] > 127 for p in find_images([SAMPLES / ".masks"])]
    network = Inpainters(torch.device("cpu"))
    plain = Inpainters(torch.device("cpu"), detail=False)
    fillers = [ours(plain, Route.FREE_FORM), ours(network, Route.FREE_FORM), contrib()["shiftmap"]]
    rng = np.random.default_rng(11)
    rows: list[Pixels] = []
    for i in range(ROWS):
        rgb = photos[i % len(photos)]
        hole = placed(
            shapes[(i * 2 + i // len(photos)) % len(shapes)], rgb.shape[:2], rng, 0.04, 0.09
        )
        blank = np.where(hole[..., None], 128, rgb).astype(np.uint8)
        ys, xs = np.nonzero(hole)
        y = int(np.clip(ys.mean() - SIDE / 2, 0, rgb.shape[0] - SIDE))
        x = int(np.clip(xs.mean() - SIDE / 2, 0, rgb.shape[1] - SIDE))
        crop = slice(y, y + SIDE), slice(x, x + SIDE)
        rows.append(
            np.concatenate([blank[crop], *(fill(blank, hole)[crop] for fill in fillers)], axis=1)
        )
    half = ROWS // 2
    gap = np.full((half * SIDE, 12, 3), 255, np.uint8)
    sheet = np.concatenate([np.concatenate(rows[:half]), gap, np.concatenate(rows[half:])], axis=1)
    bgr = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(args.sheet), bgr, [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
