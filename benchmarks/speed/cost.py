"""Fit what a photo costs: processor seconds by its pixels and by its holes' pixels.

    python -m benchmarks.speed.cost [--repeats 2]

An enlarged sample picture with one hole and with two of the same size, by masks, at 2 and at 12
megapixels: read, cleaned without the probe, and written, in processor seconds of this process and
its decoders (Linux), which a busy machine changes little. docs/scale.md has the formula.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.speed.pipeline import SIZES, mask_file, photo_file
from benchmarks.speed.scale import CoreSeconds
from remove_objects.pipeline import images
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover


def used(meter: CoreSeconds) -> float:
    """Processor seconds so far."""
    meter.sample()
    return meter.samples[-1][1]


def clean(remover: ObjectRemover, photo_path: Path, mask_path: Path) -> float:
    """Read, clean and write a photo; returns its holes' megapixels."""
    photo = images.read_photo(photo_path)
    mask = cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    outcome = remover.clean(photo, Removal.from_settings(remover.settings, (), mask > 0))
    assert outcome.result is not None
    assert outcome.mask is not None
    images.write_photo(
        photo, outcome.result, outcome.mask, photo_path.with_suffix(".out.jpg"), lossless=False
    )
    return float(outcome.mask.sum()) / 1e6


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2, help="of each, the least counts")
    args = parser.parse_args()
    remover = ObjectRemover(Settings(segmenter="compact", device="cpu", offline=True, probe=False))
    meter = CoreSeconds(os.getpid())
    rows: list[tuple[float, float, int, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in ("2mp", "12mp"):
            photo = photo_file(folder, SIZES[size], size)
            for holes in (1, 2):
                mask_file(folder, SIZES[size], "mask", holes)
                if not rows:
                    clean(remover, photo, folder / "mask.png")  # loads the networks
                taken: list[float] = []
                for _ in range(args.repeats):
                    begun = used(meter)
                    megapixels = clean(remover, photo, folder / "mask.png")
                    taken.append(used(meter) - begun)
                pixels = SIZES[size][0] * SIZES[size][1] / 1e6
                rows.append((pixels, megapixels, holes, min(taken)))
    terms = np.array([(1, pixels, holes, hole) for pixels, hole, holes, _ in rows])
    fitted = np.linalg.lstsq(terms, np.array([row[-1] for row in rows]), rcond=None)[0]
    table = [
        dict(zip(("megapixels", "hole_megapixels", "holes", "core_seconds"), row, strict=True))
        for row in rows
    ]
    names = ("a_photo", "a_megapixel", "a_hole", "a_megapixel_of_holes")
    print(json.dumps({"runs": table, **dict(zip(names, fitted.tolist(), strict=True))}, indent=1))


if __name__ == "__main__":
    main()
