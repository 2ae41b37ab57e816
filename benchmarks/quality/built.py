"""Measure what lines, planes and few offsets are worth for texture, on scenes that people built.

    python -m benchmarks.quality.built --data DATA [--count 40] [--seed 3] [--sheet DIR] [--pieces]

People's silhouettes of ``segmentation/human``, scaled to 4-15 % of the photo, are cut into photos
of ``scenes/train`` (those of Urban100, and every 23rd of all), ``scenes/rooms`` and
``scenes/street``, on which all were developed. LPIPS (SqueezeNet) is of the whole composite
against the photo. ``changed`` tells in how many photos the fill differs from the first one, and
the means of those. Seconds are processor time for a whole fill.

``--pieces`` compares the cheapest labelling with few offsets instead, everything else as shipped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.quality.ablation import lpips
from benchmarks.quality.detail import placed
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.inpaint.texture import labelling, patch
from remove_objects.pipeline.types import Mask, Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb
from remove_objects.train.evaluation.probes import Filler, ours

#: Folder below the data folder, beginning of the files' names, and every which photo is taken.
SCENES = {
    "urban": ("scenes/train", "urban_", 1),
    "rooms": ("scenes/rooms", "", 7),
    "street": ("scenes/street", "", 7),
    "all kinds": ("scenes/train", "", 23),
}
#: A person's label.
PERSON = 15
#: Without both, with each, and as shipped: whether there are lines, and planes.
ARMS = {
    "neither": (False, False),
    "lines": (True, False),
    "planes": (False, True),
    "both": (True, True),
}


def cases(data: Path, kind: str, count: int, seed: int) -> Iterator[tuple[str, Pixels, Mask]]:
    """(name, HWC uint8 RGB, HW bool hole) of the first photos of a kind of scenes."""
    folder, begins, step = SCENES[kind]
    photos = [p for p in find_images([data / folder]) if p.name.startswith(begins)][::step]
    shapes = sorted((data / "segmentation" / "human" / "labels").glob("*.png"))
    rng = np.random.default_rng(seed)
    for i, path in enumerate(photos[:count]):
        rgb, label = read_rgb(path), cv2.imread(str(shapes[i * 5 % len(shapes)]), 0)
        yield path.stem, rgb, placed(np.asarray(label == PERSON), rgb.shape[:2], rng, 0.04, 0.15)


def arms(fill: Filler) -> dict[str, Filler]:
    """The filler with and without lines and planes."""
    found = {name: getattr(patch, name) for name in ("crossing_lines", "planes")}

    def arm(lines: bool, planes: bool) -> Filler:
        def filled(rgb: Pixels, hole: Mask) -> Pixels:
            wanted: dict[str, Callable[..., Any]] = dict(found)
            if not lines:
                wanted["crossing_lines"] = lambda *_: None
            if not planes:
                wanted["planes"] = lambda *_: []
            for name, function in wanted.items():
                setattr(patch, name, function)
            return fill(rgb, hole)

        return filled

    return {name: arm(*parts) for name, parts in ARMS.items()}


def pieces(fill: Filler) -> dict[str, Filler]:
    """The filler with the cheapest labelling, and with few offsets, as shipped."""
    shipped = labelling.DEARER

    def arm(dearer: float) -> Filler:
        def filled(rgb: Pixels, hole: Mask) -> Pixels:
            labelling.DEARER = dearer
            return fill(rgb, hole)

        return filled

    return {"cheapest": arm(0.0), "few": arm(shipped)}


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--data", type=Path, required=True, help="the data folder")
    p.add_argument("--count", type=int, default=40, help="photos of each kind (default 40)")
    p.add_argument("--seed", type=int, default=3, help="of the holes' places (default 3)")
    p.add_argument("--sheet", type=Path, help="write hole, fills and truth of changed ones here")
    p.add_argument("--pieces", action="store_true", help="compare few offsets with all")
    args = p.parse_args()
    distance = lpips()
    variants = pieces if args.pieces else arms
    fillers = variants(ours(Inpainters(torch.device("cpu")), Route.FREE_FORM))
    for kind in SCENES:
        errors, seconds, changed = [], [], []
        for name, rgb, hole in cases(args.data, kind, args.count, args.seed):
            results, took = [], []
            for fill in fillers.values():
                begun = time.process_time()
                results.append(fill(rgb, hole))
                took.append(time.process_time() - begun)
            errors.append([distance(r, rgb) for r in results])
            seconds.append(took)
            changed.append([not np.array_equal(r, results[0]) for r in results])
            if args.sheet and any(changed[-1]):
                args.sheet.mkdir(parents=True, exist_ok=True)
                blank = np.where(hole[..., None], 128, rgb).astype(np.uint8)
                sheet = np.hstack([blank, *results, rgb])[..., ::-1]
                cv2.imwrite(str(args.sheet / f"{kind}_{name}.png"), sheet)
        table, differs = np.array(errors), np.array(changed)
        for k, name in enumerate(fillers):
            of = differs[:, k]
            line = f"{kind:9s} {name:8s} LPIPS {table[:, k].mean():.4f} ({len(table)} photos), "
            line += f"seconds {np.mean(seconds, axis=0)[k]:.2f}"
            if of.any():
                step = table[of, k] - table[of, 0]
                line += f"; changed {of.sum()}: {table[of, 0].mean():.4f} to "
                line += f"{table[of, k].mean():.4f}, {step.min():+.4f} to {step.max():+.4f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
