"""Photos whose objects are known: by labels of each object, or by boxes and a mask of the class.

In a mask of a class, people who touch are one area. Boxes divide it: a pixel of the class in one
box alone is that object's, and of the others nobody knows whose they are. The mask is a label, and
a detector gave the boxes, or somebody drew the boxes, and the pipeline found the mask.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.types import Box, Mask, Pixels
from ..labelled import PERSON, VOID, read_pair
from ..objects.boxes import CERTAIN, INSTANCES, Boxes, without_parts
from ..objects.cut_outs import label_of
from ..pictures import first_drawn, read_rgb
from .found import path_of
from .views import MOST, UNKNOWN, Labelled, drawn_part, to_sample

#: Folder below the data folder, with a folder for each source. ``NAME_image.png`` has
#: ``NAME_instances.png`` beside it: 16 bit, Pascal VOC class id * 1000 + number of the object;
#: 999 in place of the number = of the class, but whose is unknown.
FOLDER = "instances"
#: Folder below the data folder, with a folder for each source: photos, and ``boxes.csv`` with the
#: boxes of all people in pixels (``photo,x0,y0,x1,y1``; photo = the file's stem).
DRAWN = "instance_boxes"
#: A drawn box that holds so many others by this share is a crowd's.
CROWDED, HELD = 4, 0.8
#: Number of an object in the files of ``FOLDER`` whose pixels are of several objects.
CROWD = 999
#: Label folders below the data folder whose photos have boxes.
BOXED = ("segmentation/voc_train", "segmentation/camvid_train", "segmentation/human")
#: One photo of ``FOLDER`` in so many is never trained on.
HELD_OUT = 5
#: How often photos of ``FOLDER``, of ``DRAWN`` and of ``BOXED`` are drawn, where there are all.
KINDS = {"labelled": 0.45, "drawn": 0.4, "boxed": 0.15}
#: How often a photo of ``FOLDER`` comes with the mask that the pipeline finds in it; and how often
#: only a part of it is shown, of at least this share of each side.
FOUND, CROPPED, LEAST_CROP = 0.6, 0.35, 0.5
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
        store: has the masks of ``found.build``; a photo of ``DRAWN`` without one is left out.
        size: side of a sample in pixels.
        held_out: of photos of ``FOLDER`` that are never trained on, with found masks, or of all
            others.
        seed: see above.

    Raises:
        FileNotFoundError: there are no such photos.
    """

    def __init__(
        self,
        data: Path,
        boxes: Mapping[Path, Boxes],
        store: Path,
        size: int,
        *,
        held_out: bool = False,
        seed: int = 0,
    ) -> None:
        self.store, self.size, self.seed = store, size, seed
        self.found, self.cropped = (1.0, 0.0) if held_out else (FOUND, CROPPED)
        files = labelled_photos(data)
        self.labelled = [p for i, p in enumerate(files) if (i % HELD_OUT == 0) == held_out]
        # Half of a box's pixels may be unknown: nothing is measured on these.
        known = {} if held_out else {p: b for p, b in boxes.items() if len(b)}
        drawn = {} if held_out else drawn_boxes(data)
        drawn = {p: b for p, b in drawn.items() if len(b) and path_of(store, p).exists()}
        self.boxes = {**known, **drawn}
        files_of = {"labelled": self.labelled, "drawn": sorted(drawn), "boxed": sorted(known)}
        self.files = {kind: files for kind, files in files_of.items() if files}
        if not self.files:
            raise FileNotFoundError(f"{data / FOLDER}: no folder with *_image.png found")
        shares = np.array([KINDS[kind] for kind in self.files])
        self._shares = shares / shares.sum()

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """As ``views.to_sample`` gives them."""
        what = f"{FOLDER}: {ATTEMPTS} photos could not be read or show no object"
        return first_drawn(self._draw, (self.seed, n, 16), ATTEMPTS, what)

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, ...] | None:
        kind = str(rng.choice(list(self.files), p=self._shares))
        files = self.files[kind]
        path = files[int(rng.integers(len(files)))]
        if kind == "labelled":
            found = self._from_labels(path, rng)
        elif kind == "drawn":
            given = _read_found(self.store, path)
            if given is None:
                return None
            found = divided(read_rgb(path), given == PERSON, self.boxes[path], is_found=True)
        else:
            found = self._from_boxes(path, rng)
        part = None if found is None else drawn_part(found, rng, LEAST_PIXELS)
        if found is None or part is None:
            return None
        return to_sample(found, part, self.size, rng)

    def _from_labels(self, path: Path, rng: np.random.Generator) -> Labelled | None:
        image, values = read_instances(path)
        given = None
        if rng.random() < self.found:
            given = _read_found(self.store, path)
        if rng.random() < self.cropped:
            part = _drawn_crop(values.shape, rng).slices
            image, values = image[part], values[part]
            given = None if given is None else given[part]
        return of_one_class(image, values, given, rng)

    def _from_boxes(self, path: Path, rng: np.random.Generator) -> Labelled | None:
        image, label = read_pair(path, label_of(path))
        boxes = without_parts(self.boxes[path])
        boxes = boxes[boxes[:, 4] >= CERTAIN]
        classes = np.unique(boxes[:, 5])
        if not len(classes):
            return None
        category = int(rng.choice(classes))
        return divided(image, label == category, boxes[boxes[:, 5] == category])


def labelled_photos(data: Path, folder: str = FOLDER) -> list[Path]:
    """The photos of ``FOLDER``, in the order that decides which are held out."""
    return sorted((data / folder).glob("*/*_image.png"))


def drawn_boxes(data: Path) -> dict[Path, Boxes]:
    """The boxes n6 of the photos of ``DRAWN``, without those of crowds.

    Raises:
        ValueError: a table lacks a column, or has what is no number.
    """
    found: dict[Path, Boxes] = {}
    for table in sorted((data / DRAWN).glob("*/boxes.csv")):
        rows: dict[str, list[list[float]]] = defaultdict(list)
        try:
            for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
                corners = [float(row[side]) for side in ("x0", "y0", "x1", "y1")]
                rows[row["photo"]].append([*corners, 1.0, PERSON])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{table}: {error!r}; photo,x0,y0,x1,y1 is asked for") from error
        for photo in sorted(table.parent.glob("*.[jp][pn]g")):
            if photo.stem in rows:
                found[photo] = without_crowds(np.array(rows[photo.stem], np.float32))
    return found


def without_crowds(boxes: Boxes) -> Boxes:
    """The boxes that do not hold ``CROWDED`` others."""
    first = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    last = np.minimum(boxes[:, None, 2:4], boxes[None, :, 2:4])
    both = np.maximum(last - first, 0).prod(2)
    areas = (boxes[:, 2:4] - boxes[:, :2]).prod(1)
    held = both >= HELD * np.maximum(areas[None], 1e-6)
    return boxes[held.sum(1) - 1 < CROWDED]


def _read_found(store: Path, photo: Path) -> NDArray[np.uint8] | None:
    path = path_of(store, photo)
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.exists() else None


def categories_of(data: Path) -> dict[Path, Sequence[int]]:
    """The photos that ``found.build`` is asked for, with the class ids that are labelled there."""
    asked: dict[Path, Sequence[int]] = {}
    for path in labelled_photos(data):
        ids = np.unique(read_instances(path)[1] // INSTANCES)
        asked[path] = [int(i) for i in ids if 0 < i < VOID]
    return asked | dict.fromkeys(drawn_boxes(data), (PERSON,))


def read_instances(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """A photo of ``FOLDER`` (HWC RGB) and the values of its objects (HW).

    Raises:
        OSError: the photo or its label cannot be read.
    """
    label = path.with_name(path.name.replace("_image.png", "_instances.png"))
    values = cv2.imread(str(label), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise OSError(f"{label}: cannot be read; every photo of {FOLDER} has one")
    return read_rgb(path), values.astype(np.uint16)


def of_one_class(
    image: Pixels,
    values: NDArray[np.uint16],
    found: NDArray[np.uint8] | None,
    rng: np.random.Generator,
) -> Labelled | None:
    """The objects of a random class, rather people.

    Args:
        image: HWC RGB.
        values: HW, as in the files of ``FOLDER``.
        found: HW, class ids: the mask that is given in place of the labels'; or None.
        rng: random state.

    Returns:
        None if there is no object.
    """
    present, count = np.unique(values, return_counts=True)
    present = present[(count >= LEAST_PIXELS) & (present >= INSTANCES)]
    objects = present[present % INSTANCES != CROWD]
    if not len(objects):
        return None
    categories = objects // INSTANCES
    weights = np.where(categories == PERSON, PEOPLE, 1.0)
    category = int(rng.choice(categories, p=weights / weights.sum()))
    mask = values // INSTANCES == category
    given = mask if found is None else found == category
    # What is found beside the labelled objects is nobody's for sure.
    numbers = np.where(given, UNKNOWN, 0).astype(np.uint8)
    boxes = []
    for value in objects[categories == category][:MOST]:
        here = values == value
        box = Box.bounding(here)
        boxes.append([box.x, box.y, box.right, box.bottom])
        numbers[here & given] = len(boxes)
    is_found = found is not None
    return Labelled(image, given, numbers, np.array(boxes, np.float32), is_found)


def _drawn_crop(shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """A random part of a picture of (height, width)."""
    height, width = (round(side * rng.uniform(LEAST_CROP, 1)) for side in shape[:2])
    top, left = (int(rng.integers(s - n + 1)) for s, n in zip(shape, (height, width), strict=False))
    return Box(left, top, width, height)


def divided(image: Pixels, mask: Mask, boxes: Boxes, *, is_found: bool = False) -> Labelled:
    """Divide a class's area among boxes.

    Args:
        image: HWC RGB.
        mask: HW bool, the class.
        boxes: n6 of the class.
        is_found: see ``Labelled``.
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
    corners = np.array(kept, np.float32).reshape(-1, 4)
    return Labelled(image, mask, numbers, corners, is_found)
