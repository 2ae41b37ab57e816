"""Photos whose objects are known: by labels of each object, or by class labels and boxes.

In a class label, people who touch are one area. A detector's boxes divide it: a pixel of the class
in one box alone is that object's, and of the others nobody knows whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.types import Box, Mask, Pixels
from ..labelled import PERSON, read_pair
from ..objects.boxes import CERTAIN, INSTANCES, Boxes, without_parts
from ..objects.cut_outs import label_of
from ..pictures import first_drawn, read_rgb
from .views import MOST, UNKNOWN, Labelled, drawn_part, to_sample

#: Folder below the data folder, with a folder for each source. ``NAME_image.png`` has
#: ``NAME_instances.png`` beside it: 16 bit, Pascal VOC class id * 1000 + number of the object;
#: 999 in place of the number = of the class, but whose is unknown.
FOLDER = "instances"
#: Number of an object in the files of ``FOLDER`` whose pixels are of several objects.
CROWD = 999
#: Label folders below the data folder whose photos have boxes.
BOXED = ("segmentation/voc_train", "segmentation/camvid_train", "segmentation/human")
#: One photo of ``FOLDER`` in so many is never trained on.
HELD_OUT = 5
#: How often a photo of ``FOLDER`` is drawn, where there are both kinds.
LABELLED = 0.6
#: Fewer pixels of an object are none; a box in which less than this share is of its class is
#: another thing's.
LEAST_PIXELS, LEAST_INSIDE = 60, 0.2
#: How much more often than another object a person decides the class.
PEOPLE = 2.0
#: Photos that are tried for a sample.
ATTEMPTS = 30


class Photos(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of ``seed`` and n alone.

    Args:
        data: data folder.
        boxes: of the photos in ``BOXED``.
        size: side of a sample in pixels.
        held_out: of photos of ``FOLDER`` that are never trained on, or of all others.
        seed: see above.

    Raises:
        FileNotFoundError: there are no such photos.
    """

    def __init__(
        self,
        data: Path,
        boxes: Mapping[Path, Boxes],
        size: int,
        *,
        held_out: bool = False,
        seed: int = 0,
    ) -> None:
        self.size, self.seed = size, seed
        files = labelled_photos(data)
        self.labelled = [p for i, p in enumerate(files) if (i % HELD_OUT == 0) == held_out]
        # Half of a box's pixels may be unknown: nothing is measured on these.
        self.boxes = {} if held_out else {p: b for p, b in boxes.items() if len(b)}
        self.boxed = sorted(self.boxes)
        if not self.labelled and not self.boxed:
            raise FileNotFoundError(f"{data / FOLDER}: no folder with *_image.png found")

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """As ``views.to_sample`` gives them."""
        what = f"{FOLDER}: {ATTEMPTS} photos could not be read or show no object"
        return first_drawn(self._draw, (self.seed, n, 16), ATTEMPTS, what)

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, ...] | None:
        is_labelled = bool(self.labelled) and (not self.boxed or rng.random() < LABELLED)
        files = self.labelled if is_labelled else self.boxed
        path = files[int(rng.integers(len(files)))]
        found = from_instances(path, rng) if is_labelled else self._from_boxes(path, rng)
        part = None if found is None else drawn_part(found, rng, LEAST_PIXELS)
        if found is None or part is None:
            return None
        return to_sample(found, part, self.size, rng)

    def _from_boxes(self, path: Path, rng: np.random.Generator) -> Labelled | None:
        image, label = read_pair(path, label_of(path))
        boxes = without_parts(self.boxes[path])
        boxes = boxes[boxes[:, 4] >= CERTAIN]
        classes = np.unique(boxes[:, 5])
        if not len(classes):
            return None
        category = int(rng.choice(classes))
        return divided(image, label == category, boxes[boxes[:, 5] == category])


def labelled_photos(data: Path) -> list[Path]:
    """The photos of ``FOLDER``, in the order that decides which are held out."""
    return sorted((data / FOLDER).glob("*/*_image.png"))


def from_instances(path: Path, rng: np.random.Generator) -> Labelled | None:
    """The objects of a random class of a photo of ``FOLDER``; None if it shows none.

    Raises:
        OSError: the photo or its label cannot be read.
    """
    label = path.with_name(path.name.replace("_image.png", "_instances.png"))
    values = cv2.imread(str(label), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise OSError(f"{label}: cannot be read; every photo of {FOLDER} has one")
    present, count = np.unique(values, return_counts=True)
    present = present[(count >= LEAST_PIXELS) & (present >= INSTANCES)]
    objects = present[present % INSTANCES != CROWD]
    if not len(objects):
        return None
    categories = objects // INSTANCES
    weights = np.where(categories == PERSON, PEOPLE, 1.0)
    category = int(rng.choice(categories, p=weights / weights.sum()))
    mask = values // INSTANCES == category
    numbers = np.where(mask, UNKNOWN, 0).astype(np.uint8)
    boxes = []
    for value in objects[objects // INSTANCES == category][:MOST]:
        here = values == value
        box = Box.bounding(here)
        boxes.append([box.x, box.y, box.right, box.bottom])
        numbers[here] = len(boxes)
    return Labelled(read_rgb(path), mask, numbers, np.array(boxes, np.float32))


def divided(image: Pixels, mask: Mask, boxes: Boxes) -> Labelled:
    """Divide a class's area among boxes.

    Args:
        image: HWC RGB.
        mask: HW bool, the class.
        boxes: n6 of the class.
    """
    kept = []
    covers = np.zeros(mask.shape, np.uint8)
    numbers = np.zeros(mask.shape, np.uint8)
    for box in boxes[:MOST]:
        x0, y0, x1, y1 = (max(0, round(float(v))) for v in box[:4])
        inside = mask[y0:y1, x0:x1]
        if not inside.size or inside.mean() < LEAST_INSIDE:
            continue
        kept.append(box[:4])
        covers[y0:y1, x0:x1] += 1
        numbers[y0:y1, x0:x1] = len(kept)
    numbers = np.where(mask & (covers == 1), numbers, np.where(mask, UNKNOWN, 0)).astype(np.uint8)
    return Labelled(image, mask, numbers, np.array(kept, np.float32).reshape(-1, 4))
