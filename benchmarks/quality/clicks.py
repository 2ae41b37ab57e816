"""Measure how well a selection by clicks finds labelled objects.

    python -m benchmarks.quality.clicks --photos DIR --instances DIR [--most N]

One click is made at each object's deepest point, then four more, each at the deepest point of the
largest error of what was selected. Printed are the mean overlap (IoU) after one, three and five
clicks, the share of objects with an IoU of at least 0.8, and the seconds of a selection. The
objects are those above 1 % of their photo, at most N, drawn by a fixed seed. The widening to the
object's edge, which the board does before the result is shown, is not in it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from remove_objects.pipeline.detect.clicked import Click, select_clicked
from remove_objects.pipeline.detect.segmenters import CompactSegmenterAdapter
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.pixels import depth_inside
from remove_objects.pipeline.types import Mask, Pixels

#: Least share of a photo of an object that counts; a good overlap; clicks on each object.
LEAST, GOOD, CLICKS = 0.01, 0.8, 5
#: Endings of the two files of a photo, beside its name: in training data and in others.
PICTURES = ("_image.png", ".png", ".jpg")


def labelled(photos: Path, instances: Path, most: int) -> Iterator[tuple[Pixels, Mask]]:
    """Photos, HWC, each with one object, HW bool."""
    objects: list[tuple[Path, int]] = []
    for path in sorted(instances.glob("*.png")):
        if not path.stem.endswith("_image"):
            numbers, counts = np.unique(_read(path), return_counts=True)
            large = counts > LEAST * counts.sum()
            objects += [(path, int(number)) for number in numbers[large] if number]
    drawn = np.random.default_rng(0).permutation(len(objects))[:most]
    for path, number in (objects[i] for i in sorted(drawn)):
        name = path.stem.removesuffix("_instances")
        source = next(p for end in PICTURES if (p := photos / f"{name}{end}").exists())
        yield _read(source)[..., ::-1].copy(), _read(path) == number


def _read(path: Path) -> Pixels:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise OSError(f"{path}: cannot be read")
    return picture  # type: ignore[return-value]


def deepest(mask: Mask) -> tuple[float, int, int]:
    """(depth, column, row) of the pixel of a mask that is farthest from its border."""
    depth = depth_inside(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(depth[row, column]), int(column), int(row)


def next_click(selected: Mask, true: Mask) -> Click | None:
    """The click at the deepest point of the largest error; None if there is hardly any."""
    missed, wrong = deepest(true & ~selected), deepest(selected & ~true)
    depth, x, y = max(missed, wrong)
    return Click(x + 0.5, y + 0.5, missed >= wrong) if depth >= 1 else None


def overlaps(compact: CompactSegmenterAdapter, rgb: Pixels, true: Mask) -> list[float]:
    """The overlap after each click."""
    clicks: list[Click] = []
    selected, found = np.zeros(true.shape, bool), []
    for _ in range(CLICKS):
        click = next_click(selected, true)
        if click is not None:
            clicks.append(click)
            selected = select_clicked(compact, rgb, clicks)
        found.append(float((selected & true).sum() / (selected | true).sum()))
    return found


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--most", type=int, default=60)
    args = parser.parse_args()
    networks = Networks(NetworkSettings(segmenter="compact", offline=True))
    begun = time.perf_counter()
    rows = np.array(
        [
            overlaps(networks.compact, rgb, true)
            for rgb, true in labelled(args.photos, args.instances, args.most)
        ]
    )
    seconds = (time.perf_counter() - begun) / rows.size
    for clicks in (1, 3, 5):
        found = rows[:, clicks - 1]
        print(f"{clicks} clicks: mean IoU {found.mean():.3f}, good {(found >= GOOD).mean():.0%}")
    print(f"{len(rows)} objects, {seconds:.2f} s a selection")


if __name__ == "__main__":
    main()
