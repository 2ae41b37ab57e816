"""Compare texture with and without planes in perspective, on scenes that people built.

    python -m benchmarks.quality.planes --data DATA [--count 40] [--seed 3] [--sheet DIR]

People's silhouettes of ``segmentation/human``, scaled to 4-15 % of the photo, are cut into photos
of ``scenes/train`` (those of Urban100), ``scenes/rooms`` and ``scenes/street``, which the choice
between planes was developed on. LPIPS (SqueezeNet) is of the whole composite against the photo.
``used`` counts the photos of which a plane was used; the other photos are equal in both. Seconds
are processor time for a whole fill.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.quality.detail import placed
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.inpaint.texture import patch
from remove_objects.pipeline.pixels import as_float
from remove_objects.pipeline.quality.lpips import Perceptual
from remove_objects.pipeline.types import Mask, Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb
from remove_objects.train.evaluation.probes import ours

#: Folder below the data folder, beginning of the files' names, and every which photo is taken.
SCENES = {
    "urban": ("scenes/train", "urban_", 1),
    "rooms": ("scenes/rooms", "", 7),
    "street": ("scenes/street", "", 7),
}
#: A person's label.
PERSON = 15


def cases(data: Path, kind: str, count: int, seed: int) -> Iterator[tuple[str, Pixels, Mask]]:
    """(name, HWC uint8 RGB, HW bool hole) of the first photos of a kind of scenes."""
    folder, begins, step = SCENES[kind]
    photos = [p for p in find_images([data / folder]) if p.name.startswith(begins)][::step]
    shapes = sorted((data / "segmentation" / "human" / "labels").glob("*.png"))
    rng = np.random.default_rng(seed)
    for i, path in enumerate(photos[:count]):
        rgb, label = read_rgb(path), cv2.imread(str(shapes[i * 5 % len(shapes)]), 0)
        yield path.stem, rgb, placed(np.asarray(label == PERSON), rgb.shape[:2], rng, 0.04, 0.15)


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--data", type=Path, required=True, help="the data folder")
    p.add_argument("--count", type=int, default=40, help="photos of each kind (default 40)")
    p.add_argument("--seed", type=int, default=3, help="of the holes' places (default 3)")
    p.add_argument(
        "--sheet", type=Path, help="write hole, without, with and truth of each use here"
    )
    args = p.parse_args()
    perceptual = Perceptual(torch.device("cpu"), offline=False)
    fill = ours(Inpainters(torch.device("cpu")), Route.FREE_FORM)
    find, choose = (getattr(patch, name) for name in ("planes", "_best_front"))
    chosen: list[Any] = []

    def none(*_: Any) -> list[Any]:
        return []

    def watched(*arguments: Any) -> Any:
        chosen.append(choose(*arguments))
        return chosen[-1]

    setattr(patch, "_best_front", watched)  # noqa: B010
    for kind in SCENES:
        rows = []
        for name, rgb, hole in cases(args.data, kind, args.count, args.seed):
            results, seconds = [], []
            chosen.clear()
            for found in (none, find):
                setattr(patch, "planes", found)  # noqa: B010
                begun = time.process_time()
                results.append(fill(rgb, hole))
                seconds.append(time.process_time() - begun)
            of_plane = any(each is not None for each in chosen)
            errors = [perceptual.distance(as_float(one), as_float(rgb)) for one in results]
            rows.append((*errors, *seconds, of_plane))
            if args.sheet and of_plane:
                args.sheet.mkdir(parents=True, exist_ok=True)
                blank = np.where(hole[..., None], 128, rgb).astype(np.uint8)
                sheet = np.hstack([blank, *results, rgb])[..., ::-1]
                cv2.imwrite(str(args.sheet / f"{kind}_{name}.png"), sheet)
        table = np.array(rows, float)
        used = table[:, 4] > 0
        change = table[:, 1] - table[:, 0]
        print(
            f"{kind:7s} {len(table)} photos: LPIPS {table[:, 0].mean():.4f} without, "
            f"{table[:, 1].mean():.4f} with; used in {used.sum()}: "
            f"{table[used, 0].mean():.4f} without, {table[used, 1].mean():.4f} with, "
            f"change {change.min():+.4f} to {change.max():+.4f}; "
            f"seconds {table[:, 2].mean():.2f} and {table[:, 3].mean():.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
