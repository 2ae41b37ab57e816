"""Measure which people take a mount along, on training photos whose riders somebody marked.

    python -m benchmarks.quality.ridden --data DATA

The notes of ``tests/data/main_people_training.csv`` say who rides or drives, and who holds, leads
or strokes an animal. The class labels of ``segmentation/voc_train`` take the place of the
segmenter: what is measured is the test of ``pipeline.detect.ridden`` alone.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.detect.ridden import MOUNTS, RIDER, is_ridden
from remove_objects.pipeline.pixels import dilate_square
from remove_objects.pipeline.types import Mask

MARKS = Path(__file__).parents[2] / "tests" / "data" / "main_people_training.csv"
LABELS = "segmentation/voc_train/labels"
#: Beginnings of words in the notes.
KINDS = {
    "rides": ("rid", "driv"),
    "holds": ("hold", "lead", "strok", "stand", "handler", "groom", "beside", "pat", "feed"),
}
#: Longer side at which a label is seen, and by how many pixels a person's hole is wider there.
SIZE, WIDER = 320, 4


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    count: Counter[str] = Counter()
    take: Counter[str] = Counter()
    with MARKS.open(encoding="utf-8") as rows:
        for row in csv.DictReader(line for line in rows if not line.startswith("#")):
            kind = kind_of(row["note"])
            path = data / LABELS / f"{Path(row['file']).stem}.png"
            if row["folder"] != "voc_train" or not kind or not path.exists():
                continue
            taken = takes_along(path, float(row["x"]), float(row["y"]))
            if taken is not None:
                count[kind] += 1
                take[kind] += taken
    for kind in KINDS:
        print(f"{kind}: {take[kind]} of {count[kind]} people take a mount along")


def kind_of(note: str) -> str:
    """The kind of a note; empty if it is of none."""
    words = note.lower()
    return next((kind for kind, parts in KINDS.items() if any(p in words for p in parts)), "")


def takes_along(path: Path, x: float, y: float) -> bool | None:
    """Whether the person at a place of a label picture takes a mount along.

    Args:
        path: the label picture.
        x: as a share of its width.
        y: as a share of its height.

    Returns:
        None if there is no mount, or no person at the place.
    """
    label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if label is None:
        raise OSError(f"{path}: cannot be read")
    label = label[..., 0] if label.ndim == 3 else label
    scale = SIZE / max(label.shape)
    label = cv2.resize(label, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    height, width = label.shape
    person = dilate_square(label == CATEGORIES.index(RIDER), WIDER)
    people = _parts(person)
    number = people[min(height - 1, int(y * height)), min(width - 1, int(x * width))]
    mounts = _parts(np.isin(label, [CATEGORIES.index(name) for name in MOUNTS]))
    if not number or not mounts.any():
        return None
    rider = people == number
    return any(is_ridden(mounts == n, rider) for n in range(1, int(mounts.max()) + 1))


def _parts(mask: Mask) -> np.ndarray:
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    return labels


if __name__ == "__main__":
    main()
