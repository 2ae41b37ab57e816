"""Fit and measure the rule of ``--keep main`` on photos whose main people somebody marked.

    python -m benchmarks.quality.keep fit --data DATA
    python -m benchmarks.quality.keep measure --data DATA [--pictures DIR]

``fit`` prints the numbers of ``pipeline.removal.main_people`` from the marks of training photos in
``tests/data/main_people_training.csv``. ``measure`` tells in how many photos of
``tests/data/main_people.csv``, on which no weight was fitted, the rule agrees with the marks: every
main person stays and every bystander who was found goes. People of whom two could honestly disagree
count neither way.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.removal.keep import decided, main_odds
from remove_objects.pipeline.removal.main_people import Traits, traits_of
from remove_objects.pipeline.removal.objects import Objects
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.selection import select
from remove_objects.pipeline.types import FloatArray, Pixels

#: The marks to fit and to measure with, and where the photos of each folder lie below the data
#: folder.
MARKS = Path(__file__).parents[2] / "tests" / "data"
TRAINING, MEASURED = "main_people_training.csv", "main_people.csv"
FOLDERS = {
    "coco_train": "instances/coco",
    "coco_val": "segmentation/coco_val/images",
    "voc_train": "segmentation/voc_train/images",
    "voc_val": "segmentation/voc_val/images",
    "street": "scenes/street",
}
#: A mark is at most this share of the photo's longer side from its person's pixels.
NEAR = 0.01
#: Ridge of the fit, chosen by leaving photos out; and which way each trait may count.
RIDGE = 5.0
TRAITS = Traits._fields
SIGNS = {
    "area": 1,
    "relative": 1,
    "aside": -1,
    "group_aside": -1,
    "group_faces": 1,
    "sharpness": 1,
    "cut": -1,
    "beheaded": -1,
    "others": -1,
    "confidence": 1,
    "animal": 1,
    "people": -1,
    "furniture": 1,
}
#: Photos are left out in so many parts; limits from which a person stays, to choose one.
PARTS, LIMITS = 8, (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5)


class Mark(NamedTuple):
    """A marked person: its place as shares of width and height."""

    x: float
    y: float
    main: bool
    sure: bool


def marks(file: str) -> dict[tuple[str, str], list[Mark]]:
    """The marks by (folder, photo's file)."""
    found: dict[tuple[str, str], list[Mark]] = defaultdict(list)
    with open(MARKS / file, encoding="utf-8") as rows:
        for row in csv.DictReader(line for line in rows if not line.startswith("#")):
            mark = Mark(float(row["x"]), float(row["y"]), row["main"] == "1", row["sure"] == "yes")
            found[row["folder"], row["file"]].append(mark)
    return found


def photos(data: Path, file: str) -> Iterator[tuple[str, Pixels, list[Mark]]]:
    """(name, photo, its marks) of each marked photo that the data folder has."""
    for (folder, name), each in marks(file).items():
        path = data / FOLDERS[folder] / name
        if path.exists():
            rgb = cv2.imread(str(path))
            if rgb is None:
                raise OSError(f"{path}: cannot be read")
            yield f"{folder}/{name}", rgb[..., ::-1].copy(), each  # type: ignore[misc]


def number_at(objects: Objects, mark: Mark) -> int:
    """The number of the object at a mark, or near it; 0 = none."""
    height, width = objects.labels.shape
    x, y = int(mark.x * width), int(mark.y * height)
    reach = max(1, round(NEAR * max(height, width)))
    around = objects.labels[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    count = np.bincount(around.ravel(), minlength=1)
    at = int(objects.labels[min(y, height - 1), min(x, width - 1)])
    if at or len(count) == 1:
        return at
    return 1 + int(count[1:].argmax())


def fit(data: Path, networks: Networks) -> None:
    """Print ``SLOPES`` and ``BASE``, and what each limit does to photos that are left out."""
    rows: list[Traits] = []
    truth: list[bool] = []
    photo: list[int] = []
    removal = Removal.from_settings(Settings(), ("person",))
    for n, (_, rgb, each) in enumerate(photos(data, TRAINING)):
        chosen = select(rgb, removal, networks)
        if chosen.objects is None or chosen.seen is None:
            continue
        traits = traits_of(rgb, chosen.objects, chosen.seen, networks.faces.detect(rgb))
        for mark in each:
            number = number_at(chosen.objects, mark)
            if mark.sure and number:
                rows.append(traits[number])
                truth.append(mark.main)
                photo.append(n)
    known, main, of = np.array(rows), np.array(truth), np.array(photo)
    print(f"{len(rows)} people of {len(set(photo))} photos, {sum(truth)} of them main")
    odds = np.zeros(len(rows))
    for part in range(PARTS):
        out = of % PARTS == part
        slopes, base = fitted(known[~out], main[~out])
        odds[out] = known[out] @ slopes + base
    for limit in LIMITS:
        wrong = (odds >= limit) != main
        print(
            f"kept from {limit:+.2f} on: wrong in {len(set(of[wrong]))} photos left out, "
            f"in {len(set(of[wrong & main]))} a main person goes"
        )
    slopes, base = fitted(known, main)
    for name, slope in zip(TRAITS, slopes, strict=True):
        print(f'    "{name}": {slope:.3f},')
    print(f"BASE = {base:.3f}")


def fitted(rows: FloatArray, truth: FloatArray) -> tuple[FloatArray, float]:
    """Logistic regression with a ridge: (slopes, base). A trait of the wrong sign counts nothing.

    Args:
        rows: people x traits.
        truth: bool, who is main.
    """
    used = list(range(rows.shape[1]))
    while True:
        slopes, base = _logistic(rows[:, used], truth)
        wrong = [k for k, slope in zip(used, slopes, strict=True) if slope * SIGNS[TRAITS[k]] < 0]
        if not wrong:
            break
        used = [k for k in used if k not in wrong]
    whole = np.zeros(rows.shape[1])
    whole[used] = slopes
    return whole, base


def _logistic(rows: FloatArray, truth: FloatArray) -> tuple[FloatArray, float]:
    """Newton's method for the ridge regression of ``fitted``, without signs."""
    mean, deviation = rows.mean(0), rows.std(0) + 1e-6
    scaled = np.hstack([(rows - mean) / deviation, np.ones((len(rows), 1))])
    penalty = RIDGE * np.diag([1.0] * rows.shape[1] + [0.0])
    weights = np.zeros(scaled.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-scaled @ weights))
        gradient = scaled.T @ (p - truth) + penalty @ weights
        curvature = (scaled * (p * (1 - p))[:, None]).T @ scaled + penalty
        weights -= np.linalg.solve(curvature, gradient)
    slopes = weights[:-1] / deviation
    return slopes, float(weights[-1] - slopes @ mean)


def measure(data: Path, networks: Networks, pictures: Path | None) -> None:
    """Print each photo in which rule and marks differ, and in how many they agree."""
    removal = Removal.from_settings(Settings(keep="main"), ("person",))
    plain = Removal.from_settings(Settings(), ("person",))
    agree = count = lost = doubted = 0
    for name, rgb, each in photos(data, MEASURED):
        chosen = select(rgb, plain, networks)
        if chosen.objects is None or chosen.seen is None or not chosen.objects.found:
            continue
        odds = partial(main_odds, rgb, chosen.objects, chosen.seen, networks)
        objects = decided(rgb, chosen.objects, odds, removal, networks)
        wrong = []
        for mark in each:
            number = number_at(objects, mark)
            if not number or not mark.sure:
                continue
            one = objects.found[number - 1]
            if one.removed == mark.main:
                wrong.append(f"{'main' if mark.main else 'bystander'} {number} {one.why}")
                lost += mark.main
        count += 1
        agree += not wrong
        doubted += bool(objects.doubtful)
        if wrong:
            print(f"{name}: {'; '.join(wrong)}")
        if pictures is not None:
            draw(rgb, objects, pictures / f"{name.replace('/', '_')}.jpg")
    print(
        f"agrees in {agree} of {count} photos ({agree / max(1, count):.0%}); "
        f"{lost} main people go; {doubted} photos in doubt"
    )


def draw(rgb: Pixels, objects: Objects, path: Path) -> None:
    """The photo with its kept objects in green and its removed ones in red."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = rgb.astype(np.float32)
    for removed, colour in ((True, (230, 30, 60)), (False, (40, 190, 60))):
        here = objects.mask_of(removed=removed)
        shown[here] += 0.45 * (np.array(colour, np.float32) - shown[here])
    drawn = np.ascontiguousarray(shown.astype(np.uint8)[..., ::-1])
    for one in objects.found:
        corner = one.box.x + 2, one.box.y + 14
        cv2.putText(drawn, str(one.number), corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 255, 255))
    cv2.imwrite(str(path), drawn)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("fit", "measure"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--segmenter", default="compact")
    args = parser.parse_args()
    networks = Networks(NetworkSettings(segmenter=args.segmenter, offline=True))
    if args.what == "fit":
        fit(args.data, networks)
    else:
        measure(args.data, networks, args.pictures)


if __name__ == "__main__":
    main()
