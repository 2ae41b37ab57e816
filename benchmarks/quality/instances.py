"""Measure how well single people are told apart, on labelled photos.

    python -m benchmarks.quality.instances --data DATA [--weights object-instances=FILE]

All people of ``segmentation/coco_val`` above 1 % of their photo. A person is matched if an object
overlaps it by 0.6 (IoU), one to one; pixels that the labels leave open count neither way. Rows:
*parts*, the connected parts of the program's class mask; *network*, its objects; *network, labels'
mask*, the network's with the class mask of the labels; *mask alone*, the program's class mask
divided by the labels themselves: no network can do better with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.objects import INSTANCES_PER_CLASS
from remove_objects.pipeline.config import Settings, parse_weights
from remove_objects.pipeline.detect import mask, multi_scale
from remove_objects.pipeline.detect.instances import divide
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.pixels import nearest_values
from remove_objects.pipeline.removal.selection import whole_objects
from remove_objects.pipeline.types import Mask, Pixels
from remove_objects.train.data.labelled import PERSON, VOID

#: Least share of a photo of a person that counts, and of a large one; least overlap; and how many
#: pixels may lie between people who touch.
LEAST, LARGE, MATCHED, TOUCHING = 0.01, 0.05, 0.6, 4

Labels = NDArray[np.integer]


class Labelled(NamedTuple):
    """A photo and its people.

    Attributes:
        rgb: HWC.
        people: HW, the number of each pixel's person, 0 = none.
        void: HW bool, pixels that the labels leave open.
    """

    rgb: Pixels
    people: Labels
    void: Mask


def labelled(data: Path) -> Iterator[Labelled]:
    """The photos with people."""
    folder = data / "segmentation" / "coco_val"
    for path in sorted((folder / "instances").glob("*.png")):
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        image = cv2.imread(str(folder / "images" / f"{path.stem}.jpg"))
        label = cv2.imread(str(folder / "labels" / path.name), cv2.IMREAD_UNCHANGED)
        if values is None or image is None or label is None:
            raise OSError(f"{path}, its photo or its label cannot be read")
        is_person = values // INSTANCES_PER_CLASS == PERSON
        if is_person.any():
            people = np.where(is_person, values % INSTANCES_PER_CLASS, 0)
            yield Labelled(image[..., ::-1].copy(), people, label == VOID)  # type: ignore[arg-type]


def matched(true: Labelled, found: Labels) -> Iterator[tuple[float, bool, bool]]:
    """(share of the photo, whether somebody touches, whether matched) of each person."""
    known = ~true.void
    areas = np.bincount(found[known].ravel(), minlength=int(found.max()) + 1)
    for number in np.unique(true.people[true.people > 0]):
        here = true.people == number
        if here.mean() < LEAST:
            continue
        inside = np.bincount(found[here], minlength=len(areas))
        inside[0] = 0
        best = int(inside.argmax())
        union = here.sum() + areas[best] - inside[best]
        around = mask.dilate(here, TOUCHING) & ~here
        touches = bool((true.people[around] > 0).any())
        # Above one half, no object overlaps two people.
        yield float(here.mean()), touches, bool(best and inside[best] >= MATCHED * union)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    args = parser.parse_args()
    weights = parse_weights(args.weights)
    settings = Settings(segmenter="compact", offline=True, weights=weights)
    networks = Networks(NetworkSettings.from_settings(settings))
    network = networks.instances
    assert network is not None, "no weight ships: give --weights object-instances=FILE"

    def parts(_: Labelled, own: Mask) -> Labels:
        return cv2.connectedComponents(own.astype(np.uint8), connectivity=8)[1]

    def by_network(true: Labelled, own: Mask) -> Labels:
        found = divide(network, true.rgb, own)
        return np.where(found.own, found.labels, 0)

    def by_labels(true: Labelled, own: Mask) -> Labels:
        found: Labels = np.where(own, nearest_values(true.people, true.people > 0), 0)
        return found

    ways: dict[str, Callable[[Labelled, Mask], Labels]] = {
        "parts": parts,
        "network": by_network,
        "network, labels' mask": lambda true, _: by_network(true, true.people > 0),
        "mask alone": by_labels,
    }
    rows: dict[str, list[tuple[float, bool, bool]]] = {name: [] for name in ways}
    for true in labelled(args.data):
        looks = multi_scale.look(networks.segmenter, true.rgb, networks.detector)
        probability = whole_objects(true.rgb, looks, ("person",), 0.5, networks)
        height, width = true.rgb.shape[:2]
        own = mask.class_mask(probability, height, width, 0.5)
        for name, way in ways.items():
            rows[name] += matched(true, way(true, own))
    print(f"{'':24}{'> 1 %':>8}{'touching':>10}{'alone':>8}{'> 5 %':>8}")
    for name, found in rows.items():
        share, touches, hit = (np.array(column) for column in zip(*found, strict=True))
        groups = (share > 0, touches, ~touches, share >= LARGE)
        cells = [f"{hit[group].mean():.0%} ({group.sum()})" for group in groups]
        print(f"{name:24}" + "".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    main()
