"""``evaluate-inpainter carried``: does what people carry or ride go with them, and nothing else?

In every photo of ``segmentation/coco_val`` in which a labelled thing touches a person, the people
are removed, by their class or by their labels as a mask. A thing is left if too much of it is still
there. What is removed as carried and is none of these things went by mistake, if it is more than a
little by the people's pixels, or a part of another labelled thing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pipeline.config import GivenWeights
from ...pipeline.pixels import dilate_square
from ...pipeline.removal.request import Removal
from ...pipeline.types import LAYER_COLOURS, Layer, Mask, Outcome, Photo, Pixels
from ..data.pictures import read_rgb
from .effects import painted, remover_with
from .kept import keep_sheet

#: Folder below the data folder, with ``images`` and ``things`` (COCO category x 100 + number).
FOLDER = "segmentation/coco_val"
#: COCO's categories of things that people carry, wear or ride, by their names.
CARRIED = {
    2: "bicycle",
    4: "motorcycle",
    19: "horse",
    27: "backpack",
    28: "umbrella",
    31: "handbag",
    32: "tie",
    33: "suitcase",
    34: "frisbee",
    35: "skis",
    36: "snowboard",
    37: "ball",
    38: "kite",
    39: "bat",
    40: "glove",
    41: "skateboard",
    42: "surfboard",
    43: "racket",
    44: "bottle",
    47: "cup",
    77: "phone",
}
PERSON = 1
#: A thing touches a person at most so many pixels away, and has at least this share of the photo.
NEAR, LEAST = 4, 5e-4
#: Share of a thing from which on it is gone: the labels are polygons, some pixels rough.
GONE = 0.85
#: Another thing was taken if this share of it is removed as carried. Pixels without a label were
#: if they are this share of the people's, and so many pixels away from people and their things.
TAKEN, UNLABELLED, ROUGH = 0.1, 0.05, 12


class Row(NamedTuple):
    """What became of the things of one photo.

    Attributes:
        name: of the photo.
        things: share of each carried thing that is removed, by its name and number.
        taken: share of each other thing that is removed as carried, and of the people's pixels
            that is removed so without a label, where that is too much.
    """

    name: str
    things: dict[str, float]
    taken: dict[str, float]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left in the air."""
        return all(share >= GONE for share in self.things.values())


def evaluate_carried(
    data: Path, *, count: int, weights: GivenWeights = (), keep: Path | None = None
) -> dict[str, list[Row]]:
    """Remove the people of each photo, and look what became of their things.

    Args:
        data: data folder.
        count: most photos.
        weights: the user's own, which replace bundled ones.
        keep: folder for the pictures side by side, or None.

    Returns:
        The photos' rows, by the way in which people are given: ``class``, ``mask``.

    Raises:
        FileNotFoundError: there is no photo with such things.
        WeightsError: a weight does not fit, or there is none of the effects network.
    """
    remover = remover_with(weights)
    rows: dict[str, list[Row]] = {"class": [], "mask": []}
    for path in sorted((data / FOLDER / "things").glob("*.png")):
        if len(rows["class"]) == count:
            break
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if labels is None or not (things := things_of(labels)):
            continue
        rgb = read_rgb(data / FOLDER / "images" / f"{path.stem}.jpg")
        people = labels // 100 == PERSON
        ways = {
            "class": Removal.from_settings(remover.settings, ["person"]),
            "mask": Removal.from_settings(remover.settings, mask=people),
        }
        shown: list[Pixels] = [rgb]
        for way, removal in ways.items():
            outcome = remover.clean(Photo(rgb), removal)
            rows[way].append(_row(path.stem, labels, things, outcome))
            shown += [_marked(rgb, outcome), rgb if outcome.result is None else outcome.result]
        keep_sheet(keep, path.stem, shown)
    if not rows["class"]:
        raise FileNotFoundError(f"{data / FOLDER}/things: no thing touches a person")
    return rows


def things_of(labels: NDArray[np.uint16]) -> dict[str, Mask]:
    """The things of a photo that somebody carries or rides, by name and number.

    Args:
        labels: HW, COCO category x 100 + number.
    """
    near = dilate_square(labels // 100 == PERSON, NEAR)
    found = {}
    for value in np.unique(labels):
        name, here = CARRIED.get(int(value) // 100), labels == value
        if name and here.mean() >= LEAST and (near & here).any():
            found[f"{name} {int(value) % 100}"] = here
    return found


def _row(name: str, labels: NDArray[np.uint16], things: dict[str, Mask], outcome: Outcome) -> Row:
    layers = np.zeros(labels.shape, np.uint8) if outcome.layers is None else outcome.layers
    carried, taken = layers == Layer.CARRIED, {}
    expected = np.any(list(things.values()), axis=0)
    people = labels // 100 == PERSON
    for value in np.unique(labels[carried & ~expected & ~people]):
        share = float(carried[labels == value].mean())
        if value and share >= TAKEN:
            taken[f"category {int(value) // 100} {int(value) % 100}"] = share
    beside = carried & (labels == 0) & ~dilate_square(expected | people, ROUGH)
    if beside.sum() >= UNLABELLED * people.sum():
        taken["unlabelled"] = float(beside.sum() / people.sum())
    shares = {thing: float((layers[mask] > 0).mean()) for thing, mask in things.items()}
    return Row(name, shares, taken)


def _marked(rgb: Pixels, outcome: Outcome) -> Pixels:
    """A photo with what is removed in its layers' colours."""
    layers = outcome.layers
    parts = [] if layers is None else [(c, layers == name) for name, c in LAYER_COLOURS.items()]
    return painted(rgb, parts)


def as_json(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """The rows as a JSON document holds them."""
    return {way: [row._asdict() for row in found] for way, found in rows.items()}


def render(rows: dict[str, list[Row]]) -> str:
    """The photos, one by one, and how many are whole."""
    lines = []
    for way, found in rows.items():
        lines.append(f"people by their {way}")
        for row in found:
            things = ", ".join(f"{name} {share:.0%}" for name, share in row.things.items())
            taken = ", ".join(f"{name} {share:.0%}" for name, share in row.taken.items())
            mistake = f"; by mistake {taken}" if taken else ""
            lines.append(f"  {'whole' if row.is_whole else 'left ':6}{row.name}  {things}{mistake}")
        whole = sum(row.is_whole for row in found)
        wrong = sum(bool(row.taken) for row in found)
        lines.append(f"  {whole} of {len(found)} whole, something taken by mistake in {wrong}")
    return "\n".join(lines)
