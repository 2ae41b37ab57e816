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

from ....pipeline.types import Box, FloatArray, Mask, Pixels
from ..labelled import PERSON, VOID, read_pair
from ..objects.boxes import CERTAIN, INSTANCES, Boxes, photos_of, without_parts
from ..objects.cut_outs import label_of
from ..pictures import first_drawn, read_rgb
from .found import path_of
from .views import JOINED, MOST, UNKNOWN, Labelled, drawn_part, to_sample

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
#: Those of them in whose photos of people the pipeline's masks are found.
FOUND_IN = ("segmentation/voc_train",)
#: One photo of ``FOLDER`` in so many is never trained on.
HELD_OUT = 5
#: Folder below the data folder, with a folder for each source, as ``FOLDER``: photos of one object
#: each.
ALONE = "instance_singles"
#: How often a photo of each kind is drawn, where there are all: of ``FOLDER``, ``DRAWN``, ``BOXED``
#: and ``ALONE``.
KINDS = {"labelled": 0.45, "drawn": 0.25, "boxed": 0.2, "alone": 0.1}
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
        store: has the masks of ``found.build``; a photo of ``DRAWN`` or ``ALONE`` without one is
            left out.
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
        alone = [] if held_out else labelled_photos(data, ALONE)
        files_of = {
            "labelled": self.labelled,
            "drawn": sorted(drawn),
            "boxed": sorted(known),
            "alone": [p for p in alone if path_of(store, p).exists()],
        }
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
            found = by_drawn_boxes(read_rgb(path), given == PERSON, self.boxes[path])
        elif kind == "alone":
            image, values = read_instances(path)
            found = of_one_class(image, values, _read_found(self.store, path), rng)
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
        given = None
        if rng.random() < self.found:
            given = _read_found(self.store, path)
        own = boxes[boxes[:, 5] == category]
        return by_label(image, label, category, own, given)


def labelled_photos(data: Path, folder: str = FOLDER) -> list[Path]:
    """The photos of ``FOLDER``, in the order that decides which are held out."""
    return sorted((data / folder).glob("*/*_image.png"))


def drawn_boxes(data: Path) -> dict[Path, Boxes]:
    """The boxes n6 of the photos of ``DRAWN``, those of crowds with them.

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
                found[photo] = np.array(rows[photo.stem], np.float32)
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
    for path in (*labelled_photos(data), *labelled_photos(data, ALONE)):
        ids = np.unique(read_instances(path)[1] // INSTANCES)
        asked[path] = [int(i) for i in ids if 0 < i < VOID]
    for folder in FOUND_IN:
        for path in photos_of(data, f"{folder}/images"):
            ids = np.unique(read_pair(path, label_of(path))[1])
            if PERSON in ids:
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
    numbers = np.where(given, UNKNOWN, 0).astype(np.uint8)
    belongs = mask.astype(np.uint8)
    belongs[mask & (values % INSTANCES == CROWD)] = UNKNOWN
    boxes = []
    for value in objects[categories == category][:MOST]:
        here = values == value
        box = Box.bounding(here)
        boxes.append([box.x, box.y, box.right, box.bottom])
        numbers[here & given] = len(boxes)
    is_found = found is not None
    belongs = _where_known(belongs, given)
    return Labelled(image, given, numbers, np.array(boxes, np.float32), belongs, is_found)


def _where_known(belongs: NDArray[np.uint8], given: Mask) -> NDArray[np.uint8]:
    """What is known of a class, without the parts of a mask in which nothing is labelled.

    They may be a mistake of the mask, or somebody whom nobody labelled.

    Args:
        belongs: as in ``Labelled``.
        given: HW bool, the mask.
    """
    near = cv2.dilate(given.astype(np.uint8), np.ones((JOINED, JOINED), np.uint8))
    count, parts = cv2.connectedComponents(near, connectivity=8)
    labelled = np.zeros(count, bool)
    labelled[np.unique(parts[belongs != 0])] = True
    labelled[0] = True
    found: NDArray[np.uint8] = np.where(labelled[parts], belongs, UNKNOWN).astype(np.uint8)
    return found


def _drawn_crop(shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """A random part of a picture of (height, width)."""
    height, width = (round(side * rng.uniform(LEAST_CROP, 1)) for side in shape[:2])
    top, left = (int(rng.integers(s - n + 1)) for s, n in zip(shape, (height, width), strict=False))
    return Box(left, top, width, height)


def by_label(
    image: Pixels,
    label: NDArray[np.uint8],
    category: int,
    boxes: Boxes,
    found: NDArray[np.uint8] | None,
) -> Labelled:
    """The objects of a class by the label of the class and a detector's boxes.

    Args:
        image: HWC RGB.
        label: HW, class ids, ``VOID`` = unknown.
        category: id of the class.
        boxes: n6 of the class.
        found: HW, class ids: the mask that is given in place of the label's; or None.
    """
    own = label == category
    numbers, corners, _ = divided(own, boxes)
    belongs = np.where(label == VOID, UNKNOWN, own).astype(np.uint8)
    if found is None:
        return Labelled(image, own, numbers, corners, belongs)
    given = found == category
    numbers = np.where(given, np.where(own, numbers, UNKNOWN), 0).astype(np.uint8)
    return Labelled(image, given, numbers, corners, _where_known(belongs, given), is_found=True)


def by_drawn_boxes(image: Pixels, found: Mask, boxes: Boxes) -> Labelled:
    """The objects of a class by the mask that is found of it, and the boxes of all of them.

    A pixel of the mask outside all boxes is of nobody; of the others it is not known.

    Args:
        image: HWC RGB.
        found: HW bool.
        boxes: n6, those of crowds with them.
    """
    numbers, corners, _ = divided(found, without_crowds(boxes))
    _, _, covers = divided(np.ones_like(found), boxes)
    belongs = np.where(covers > 0, UNKNOWN, 0).astype(np.uint8)
    return Labelled(image, found, numbers, corners, _where_known(belongs, found), is_found=True)


def divided(mask: Mask, boxes: Boxes) -> tuple[NDArray[np.uint8], FloatArray, NDArray[np.uint8]]:
    """Divide a class's area among boxes.

    Args:
        mask: HW bool, the class.
        boxes: n6 of the class.

    Returns:
        (numbers HW and boxes k4 as in ``Labelled``; HW, how many of the boxes cover each pixel)
    """
    kept: list[NDArray[np.float32]] = []
    covers = np.zeros(mask.shape, np.uint8)
    numbers = np.zeros(mask.shape, np.uint8)
    for box in boxes:
        x0, y0, x1, y1 = (max(0, round(float(v))) for v in box[:4])
        inside = mask[y0:y1, x0:x1]
        if not inside.size or inside.mean() < LEAST_INSIDE:
            continue
        covers[y0:y1, x0:x1] += 1
        if len(kept) < MOST:
            kept.append(box[:4])
            numbers[y0:y1, x0:x1] = len(kept)
        else:
            numbers[y0:y1, x0:x1] = UNKNOWN
    numbers = np.where(mask & (covers == 1), numbers, np.where(mask, UNKNOWN, 0)).astype(np.uint8)
    return numbers, np.array(kept, np.float32).reshape(-1, 4), covers
