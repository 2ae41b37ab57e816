"""Measure whether the same picture has the same seam and score at several sizes.

    python -m benchmarks.quality.photo_sizes --photos DATA/large --sizes 320 640 1280 0

Two made-up holes of each photo are filled at every size (the longer side in pixels; 0 is the
photo's own). Printed are each hole's scores, and for every size the geometric mean of seam and
score over those at the first size, and the largest change of a hole.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.pixels import reduction, resize, scaled_size
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Mask, Photo, Pixels
from remove_objects.train.data.pictures import find_images, read_rgb

#: Centre (x, y) and radii of the holes, as shares of the photo's sides.
HOLES = ((0.30, 0.45, 0.07, 0.16), (0.68, 0.62, 0.11, 0.13))


def ellipse(shape: tuple[int, ...], place: tuple[float, float, float, float]) -> Mask:
    """Return the mask of a hole, HW bool."""
    height, width = shape[:2]
    x, y, rx, ry = place
    mask = np.zeros((height, width), np.uint8)
    centre, radii = (round(x * width), round(y * height)), (round(rx * width), round(ry * height))
    cv2.ellipse(mask, centre, radii, 20, 0, 360, 1, -1)
    return mask > 0


def reduced(rgb: Pixels, size: int) -> Pixels:
    """Return a photo at this longer side, or as it is if that is 0 or more than it has."""
    if size == 0:
        return rgb
    return resize(rgb, scaled_size(rgb.shape, reduction(rgb.shape, size)))


def measured(
    remover: ObjectRemover, rgb: Pixels, place: tuple[float, float, float, float]
) -> tuple[float, float, str]:
    """Fill one hole; return (the largest hole's seam, its score, the verdict)."""
    removal = Removal.from_settings(remover.settings, [], ellipse(rgb.shape, place))
    outcome = remover.clean(Photo(rgb), removal)
    hole = max(outcome.holes, key=lambda h: h.share)
    assert hole.seam is not None
    assert hole.score is not None
    return hole.seam, hole.score, outcome.status.value


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--photos", type=Path, required=True)
    p.add_argument("--sizes", type=int, nargs="+", default=[320, 640, 1280, 0])
    args = p.parse_args()
    remover = ObjectRemover(Settings(segmenter="compact", offline=True, along=()))
    values = []
    for file in find_images([args.photos]):
        full = read_rgb(file)
        pictures = [reduced(full, size) for size in args.sizes]
        for i, place in enumerate(HOLES):
            holes = [measured(remover, picture, place) for picture in pictures]
            values.append([hole[:2] for hole in holes])
            shown = ", ".join(f"{score:.3f} {status}" for _, score, status in holes)
            print(f"{file.name} {i}: {shown}", flush=True)
    change = np.log(np.array(values))
    change -= change[:, :1]
    for size, logs in zip(args.sizes, change.transpose(1, 0, 2), strict=True):
        mean, most = np.exp(logs.mean(0)), np.exp(np.abs(logs).max(0)) - 1
        print(
            f"{size or 'own size'}: seam x {mean[0]:.2f}, score x {mean[1]:.2f} "
            f"(at most {most[0]:.0%}, {most[1]:.0%})"
        )


if __name__ == "__main__":
    main()
