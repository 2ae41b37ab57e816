"""Measure how well masks of the wrong place, and pictures that are no masks, are recognised.

    python -m benchmarks.quality.own_masks --data DATA [--count 30]

Every mask of an object is laid on its photo as orientations 2 to 4 would lay it, and compared with
the right place, and the other way round. Then every photo is read as a mask, and every mask.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images.mask_contents import understand
from remove_objects.pipeline.images.mask_turn import fits_better
from remove_objects.pipeline.images.modes import upright
from remove_objects.pipeline.images.read import read_photo
from remove_objects.pipeline.types import Mask
from tools.package_tree import ROOT


def pairs(data: Path, count: int) -> Iterator[tuple[Path, Path]]:
    """Yield photos with their masks: the sample pictures, cut-out objects, and labels of people."""
    for mask in sorted((ROOT / "sample_images" / ".masks").glob("*.png")):
        yield ROOT / "sample_images" / f"{mask.stem}.jpg", mask
    for mask in sorted((data / "removal" / "objects").glob("*_mask.png")):
        yield mask.with_name(f"{mask.stem.removesuffix('_mask')}.jpg"), mask
    for mask in sorted((data / "segmentation" / "ccp_person" / "labels").glob("*.png"))[:count]:
        yield mask.parent.parent / "images" / f"{mask.stem}.jpg", mask


def object_mask(file: Path, size: tuple[int, int]) -> Mask:
    """Return the mask of a file at a size (height, width): True where it is not black."""
    read = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    assert read is not None
    mask = (read > 0).astype(np.uint8)
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST).view(bool)


def main() -> int:
    """Run the benchmark, and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--count", type=int, default=30, help="labels of people, at most")
    args = parser.parse_args()
    laid = doubted = wrongly = photos = refused = masks = understood = 0
    for photo_file, mask_file in pairs(args.data, args.count):
        photo = read_photo(photo_file)
        mask = object_mask(mask_file, photo.size)
        for turn in (2, 3, 4):
            wrong = cast(Mask, upright(mask.view(np.uint8), turn).view(bool))
            laid += 1
            doubted += fits_better(photo, mask, wrong)
            wrongly += fits_better(photo, wrong, mask)
        photos, masks = photos + 1, masks + 1
        try:
            understand(photo)
        except UnreadableError:
            refused += 1
        understood += bool(understand(read_photo(mask_file)).mask.any())
    print(f"masks in a wrong place: {doubted} of {laid} doubted; in the right one: {wrongly}")
    print(f"photos refused as masks: {refused} of {photos}; masks read: {understood} of {masks}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
