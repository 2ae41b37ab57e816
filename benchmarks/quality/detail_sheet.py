"""Draw a sheet of crops at 1:1: the hole, the network's plain output, texture, SHIFTMAP.

    python -m benchmarks.quality.detail_sheet docs/detail.jpg
    python -m benchmarks.quality.detail_sheet --built FOLDER docs/detail-built.jpg

Twenty crops come from the photos of ``sample_images`` (without their people) and CC0 photos of
scikit-image, so the sheet may be published.

``--built`` draws ten scenes that people built instead: the photo, the hole, texture, SHIFTMAP.
FOLDER holds the CC0 photos of two WordPress themes, which are Debian's packages
``wordpress-theme-twentytwentyfour`` and ``wordpress-theme-twentytwentyfive`` (both of trixie),
unpacked with ``dpkg-deb -x``; the themes' ``readme.txt`` names each photo's licence and source.

The holes are the outlines of the people and the cat in ``sample_images``, moved. Needs OpenCV's
``xphoto``: install opencv-contrib-python in a separate environment.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
import torch

from benchmarks.quality.detail import contrib, placed
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.types import Mask, Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb
from remove_objects.train.evaluation.probes import Filler, ours

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"
CC0 = ("chelsea", "coffee", "rocket", "brick", "gravel", "grass", "camera")
ROWS, SIDE = 20, 208
#: A built scene's longest side, and the side of its crop; pixels.
LONGEST, BUILT_SIDE = 800, 320


class Built(NamedTuple):
    """A built scene, and where somebody stands in it."""

    photo: str
    """The file's name without its suffix."""
    person: str
    """The file in ``sample_images/.masks`` with the outline."""
    share: float
    """Of the photo's area, 0 to 1."""
    x: float
    """Centre of the outline's box, 0 to 1 of the photo's width."""
    y: float
    """The same of its height."""


BUILT = (
    Built("windows", "one_place/visit_3", 0.09, 0.45, 0.55),
    Built("abstract-geometric-art", "one_place/visit_1", 0.08, 0.55, 0.48),
    Built("hotel-facade", "one_place/visit_3", 0.09, 0.52, 0.52),
    Built("museum", "one_place/visit_3", 0.07, 0.52, 0.74),
    Built("angular-roof", "one_place/visit_2", 0.07, 0.38, 0.84),
    Built("art-gallery", "one_place/visit_1", 0.08, 0.52, 0.52),
    Built("building-exterior", "one_place/visit_2", 0.09, 0.33, 0.56),
    Built("green-staircase", "one_place/visit_1", 0.08, 0.52, 0.46),
    Built("parthenon-square", "one_place/visit_3", 0.08, 0.55, 0.55),
    Built("poster-image-background", "one_place/visit_2", 0.09, 0.6, 0.42),
)


def moved() -> Iterator[tuple[Pixels, Mask]]:
    """(HWC uint8 RGB, HW bool hole) of the twenty crops."""
    photos = [read_rgb(p) for p in find_images([SAMPLES / ".truth"])]
    for name in CC0:
        picture = getattr(skimage.data, name)()
        photos.append(picture if picture.ndim == 3 else picture[..., None].repeat(3, 2))
    shapes = [read_rgb(p)[..., 0] > 127 for p in find_images([SAMPLES / ".masks"])]
    rng = np.random.default_rng(11)
    for i in range(ROWS):
        rgb = photos[i % len(photos)]
        shape = shapes[(i * 2 + i // len(photos)) % len(shapes)]
        yield rgb, placed(shape, rgb.shape[:2], rng, 0.04, 0.09)


def built(folder: Path) -> Iterator[tuple[Pixels, Mask]]:
    """(HWC uint8 RGB, HW bool hole) of the built scenes.

    Args:
        folder: holds their photos, at any depth.

    Raises:
        FileNotFoundError: a photo is missing.
    """
    files = {p.stem: p for p in find_images([folder])}
    for scene in BUILT:
        if scene.photo not in files:
            raise FileNotFoundError(f"{folder}: no photo {scene.photo}")
        rgb = read_rgb(files[scene.photo])
        scale = min(1.0, LONGEST / max(rgb.shape))
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield rgb, standing(scene, rgb.shape[:2])


def standing(scene: Built, size: tuple[int, ...]) -> Mask:
    """The person's hole in a scene of this (height, width), HW bool."""
    shape = read_rgb(SAMPLES / ".masks" / f"{scene.person}.png")[..., 0] > 127
    x, y, width, height = cv2.boundingRect(shape.astype(np.uint8))
    h, w = size
    scale = float(np.sqrt(scene.share * h * w / shape.sum()))
    there = np.array([[scale, 0, scene.x * w], [0, scale, scene.y * h]])
    there[:, 2] -= scale * np.array([x + width / 2, y + height / 2])
    hole = cv2.warpAffine(shape.astype(np.uint8), there, (w, h), flags=cv2.INTER_NEAREST)
    return hole.astype(bool)


def crops(
    cases: Iterator[tuple[Pixels, Mask]], fillers: Sequence[Filler], side: int, *, before: bool
) -> Pixels:
    """Lay out crops around the holes in two columns: the hole, then each filler's result.

    Args:
        cases: HWC uint8 RGB, and HW bool hole.
        fillers: fill the hole.
        side: of a crop in pixels.
        before: show the photo itself before the hole.
    """
    rows: list[Pixels] = []
    for rgb, hole in cases:
        blank = np.where(hole[..., None], 128, rgb).astype(np.uint8)
        y, x = (
            int(np.clip(at.mean() - side / 2, 0, length - side))
            for at, length in zip(np.nonzero(hole), hole.shape, strict=True)
        )
        crop = slice(y, y + side), slice(x, x + side)
        shown = [rgb, blank] if before else [blank]
        rows.append(np.hstack([p[crop] for p in (*shown, *(f(blank, hole) for f in fillers))]))
    half = len(rows) // 2
    gap = np.full((half * side, 12, 3), 255, np.uint8)
    return np.hstack([np.vstack(rows[:half]), gap, np.vstack(rows[half:])])


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("sheet", type=Path, help="the JPEG to write")
    p.add_argument("--built", type=Path, metavar="FOLDER", help="ten built scenes of this folder")
    args = p.parse_args()
    if not contrib():
        sys.exit("this OpenCV has no xphoto; install opencv-contrib-python")
    texture = ours(Inpainters(torch.device("cpu")), Route.FREE_FORM)
    shiftmap = contrib()["shiftmap"]
    if args.built:
        sheet = crops(built(args.built), [texture, shiftmap], BUILT_SIDE, before=True)
    else:
        plain = ours(Inpainters(torch.device("cpu"), detail=False), Route.FREE_FORM)
        sheet = crops(moved(), [plain, texture, shiftmap], SIDE, before=False)
    bgr = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(args.sheet), bgr, [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
