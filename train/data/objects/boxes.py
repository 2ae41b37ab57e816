"""Boxes to train the detector on: a teacher's, corrected by what is labelled; and its samples."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from ....models.object_detector import PLACES
from ....pipeline.pixels import resize
from ....pipeline.system.atomic import atomic_write
from ....pipeline.types import FloatArray
from ...detection_teacher import DetectionTeacher, TeachersBox
from ..labelled import PEOPLE_ONLY, PERSON, VOID, read_pair
from ..pictures import read_rgb
from .photo_noise import photo_noise

_Teacher = TypeVar("_Teacher")

#: Folders of photos below the data folder.
FOLDERS = (
    "segmentation/voc_train/images",
    "segmentation/ccp_person/images",
    "segmentation/human/images",
    "segmentation/camvid_train/images",
    "scenes/street",
    "scenes/rooms",
    "scenes/train",
)
#: People that somebody marked in ``scenes/street``.
MARKED = "scenes/street_boxes.csv"
#: One photo in so many is never trained on.
HELD_OUT = 12
#: Longer sides at which the teacher sees a photo, the least score of a box that is stored, and the
#: score from which it is an object. What lies between them counts neither as object nor as none.
SIZES, STORED, CERTAIN = (416, 832), 0.15, 0.4
#: Least share of a person's box that is labelled as one, where all people are labelled; and the
#: least share of a labelled object that lies in boxes: below, it counts neither way.
LABELLED, BOXED = 0.15, 0.5
#: A box is a part of another if so much of it lies inside; it then counts neither way. Close up,
#: the teacher takes a torso for a person.
PART = 0.75
#: Share of samples that show four photos; by how much a photo is enlarged or reduced.
FOUR, SMALLEST, LARGEST = 0.45, 0.45, 1.9
#: Least longer side in pixels of an object that is found, and that counts neither way.
LEAST, TINY = 12.0, 7.0
#: Radius of a centre as a share of the box's sides: where the heat is that of a normal
#: distribution, and where the box is learned.
HEAT, INNER = 0.12, 0.22
#: An instance's value is its class id times this, plus the number of the object.
INSTANCES = 1000
#: Number of classes: Pascal VOC's, without the background.
CLASSES = 20

#: n6: left, top, right, bottom in pixels, score, VOC class id.
Boxes = NDArray[np.float32]


def photos_of(data: Path, folder: str) -> list[Path]:
    """The photos of one of ``FOLDERS``, in the order that decides which are held out."""
    return sorted((data / folder).glob("*.[jp][pn]g"))


def build(
    path: Path, data: Path, photos: Sequence[Path], teacher: DetectionTeacher | None
) -> dict[Path, Boxes]:
    """The teacher's boxes of every photo, and the marked people; see ``taught``."""

    def detect(teacher: DetectionTeacher, photo: Path) -> list[list[float]]:
        return [_rounded(box) for box in teacher.boxes(read_rgb(photo), SIZES, STORED)]

    marked = _marked(data)
    return {
        p: np.array([*rows, *marked.get(p, [])], np.float32).reshape(-1, 6)
        for p, rows in taught(path, data, photos, teacher, detect).items()
    }


def taught(
    path: Path,
    data: Path,
    photos: Sequence[Path],
    teacher: _Teacher | None,
    detect: Callable[[_Teacher, Path], list[list[float]]],
) -> dict[Path, list[list[float]]]:
    """What a teacher says of every photo, stored in a JSON file.

    Args:
        path: the file; what it holds already is not detected again.
        data: the data folder.
        photos: the photos.
        teacher: detects; None if the file holds everything.
        detect: what the teacher says of a photo, one row for each box.

    Raises:
        ValueError: of a photo nothing is stored, and there is no teacher.
    """
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = [p for p in photos if _key(p, data) not in stored]
    if missing and teacher is None:
        raise ValueError(f"{missing[0]}: not in {path}, and there is no teacher; give --teacher")
    for p in tqdm(missing, unit="photo", dynamic_ncols=True):
        assert teacher is not None
        stored[_key(p, data)] = detect(teacher, p)
    if missing:
        with atomic_write(path) as file:
            file.write(json.dumps(stored).encode())
    return {p: stored[_key(p, data)] for p in photos}


def _key(path: Path, data: Path) -> str:
    return str(path.relative_to(data)) if path.is_relative_to(data) else str(path)


def _rounded(box: TeachersBox) -> list[float]:
    return [round(float(v), 3) for v in astuple(box)]


def _marked(data: Path) -> dict[Path, list[list[float]]]:
    """People by street photo; the teacher's box of the same one is the worse, and comes later."""
    file, marked = data / MARKED, dict[Path, list[list[float]]]()
    if file.exists():
        with open(file, newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                box = [float(row[k]) for k in ("x0", "y0", "x1", "y1")]
                path = file.parent / "street" / row["picture"]
                marked.setdefault(path, []).append([*box, 1.0, float(PERSON)])
    return marked


class DetectorSamples(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of ``seed`` and n alone.

    Args:
        boxes: of each photo, from ``build``.
        data: the data folder.
        size: side of a sample in pixels, 16 k + 1.
        seed: see above.
    """

    def __init__(self, boxes: dict[Path, Boxes], data: Path, *, size: int, seed: int = 0) -> None:
        self.boxes, self.data, self.size, self.seed = boxes, data, size, seed
        self.photos = sorted(boxes)
        people = [p for p in self.photos if (boxes[p][:, 5] == PERSON).any()]
        self.people = people or self.photos

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """(3HW RGB uint8, and what ``target`` returns)."""
        rng = np.random.default_rng((self.seed, n, 7))
        canvas = np.full((self.size, self.size, 3), 127, np.uint8)
        boxes: list[Boxes] = []
        if rng.random() < FOUR:
            middle = [int(v) for v in rng.integers(self.size // 3, 2 * self.size // 3, 2)]
            for top, bottom in ((0, middle[0]), (middle[0], self.size)):
                for left, right in ((0, middle[1]), (middle[1], self.size)):
                    boxes.append(self._put(canvas, (left, top, right, bottom), rng))
        else:
            boxes.append(self._put(canvas, (0, 0, self.size, self.size), rng))
        image = photo_noise(canvas.astype(np.float32) / 255, rng)
        picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        places = (self.size - 1) // PLACES + 1
        wanted = target(np.concatenate(boxes), places, CLASSES)
        return picture, *(torch.from_numpy(part) for part in wanted)

    def _put(
        self, canvas: NDArray[np.uint8], part: tuple[int, int, int, int], rng: np.random.Generator
    ) -> Boxes:
        """Put a random part of a random photo into a part of the canvas; return its boxes there."""
        files = self.people if rng.random() < 0.7 else self.photos
        path = files[int(rng.integers(len(files)))]
        image, boxes = read_rgb(path), self.checked(path)
        left, top, right, bottom = part
        width, height = right - left, bottom - top
        fit = max(width, height) / max(image.shape[:2])
        scale = fit * float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            boxes = boxes.copy()
            boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
        h, w = (max(1, round(side * scale)) for side in image.shape[:2])
        image = resize(image, (h, w), cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        x, y = (int(rng.integers(min(0, room - side), max(0, room - side) + 1))
                for room, side in ((width, w), (height, h)))  # fmt: skip
        own = canvas[top:bottom, left:right]
        y0, x0, y1, x1 = max(0, y), max(0, x), min(height, y + h), min(width, x + w)
        own[y0:y1, x0:x1] = image[y0 - y : y1 - y, x0 - x : x1 - x]
        moved = boxes.copy()
        moved[:, :4] = moved[:, :4] * scale + np.array([x, y, x, y], np.float32)
        return _cut(moved, (x0, y0, x1, y1), (left, top))

    def checked(self, path: Path) -> Boxes:
        """A photo's boxes, corrected by its label; score 0 to ``CERTAIN``: counts neither way."""
        boxes = without_parts(self.boxes[path])
        instances = path.parent.parent / "instances" / f"{path.stem}.png"
        if instances.exists():
            return _with_people(boxes, instances, path.parent.parent / "labels" / instances.name)
        label_path = path.parent.parent / "labels" / f"{path.stem}.png"
        if not label_path.exists():
            return boxes
        _, label = read_pair(path, label_path)
        if any(path.is_relative_to(self.data / folder) for folder in PEOPLE_ONLY):
            return corrected(boxes, label, (PERSON,), complete=False)
        return corrected(boxes, label, range(1, CLASSES + 1))


def _with_people(boxes: Boxes, instances: Path, labels: Path) -> Boxes:
    """A teacher's boxes with the labelled people in place of its own; crowds count neither way.

    Args:
        boxes: n6.
        instances: 16 bit, class id * 1000 + number.
        labels: class ids, 255 = a crowd.
    """
    values, label = (cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in (instances, labels))
    if values is None or label is None:
        raise OSError(f"{instances} or {labels}: not a readable label picture")
    found = list(boxes[boxes[:, 5] != PERSON])
    people = [(values == v, 1.0) for v in np.unique(values) if v // INSTANCES == PERSON]
    _, parts = cv2.connectedComponents((label == VOID).astype(np.uint8))
    crowds = [(parts == i, 0.0) for i in range(1, int(parts.max()) + 1)]
    for mask, score in (*people, *crowds):
        y, x = np.nonzero(mask)
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1, score, PERSON]
        found.append(np.array(box, np.float32))
    return np.array(found, np.float32).reshape(-1, 6)


def without_parts(boxes: Boxes) -> Boxes:
    """The boxes n6; those inside a larger one of their class get a score below ``CERTAIN``."""
    found = boxes.copy()
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    for i, (box, area) in enumerate(zip(boxes, areas, strict=True)):
        larger = (areas > area) & (boxes[:, 5] == box[5]) & (boxes[:, 4] >= CERTAIN)
        lower = np.maximum(box[:2], boxes[larger, :2])
        upper = np.minimum(box[2:4], boxes[larger, 2:4])
        inside = np.prod(np.maximum(upper - lower, 0), axis=1)
        if box[4] < 1 and inside.max(initial=0) > PART * area:
            found[i, 4] = min(float(box[4]), CERTAIN / 2)
    return found


def corrected(
    boxes: Boxes, label: NDArray[np.uint8], classes: Sequence[int], *, complete: bool = True
) -> Boxes:
    """Boxes without those that a label refutes, and with what is labelled and has none.

    Args:
        boxes: n6.
        label: HW class ids, 255 = void.
        classes: those that the label names.
        complete: it names all objects of them; else somebody in the background may have no label.

    Returns:
        m6; a labelled object that no box covers counts neither way.
    """
    kept = []
    covered = np.zeros(label.shape, bool)
    for box in boxes:
        x0, y0, x1, y1 = (round(float(v)) for v in box[:4])
        inside = label[y0:y1, x0:x1]
        here = np.isin(inside, (int(box[5]), VOID)) if inside.size else inside
        if complete and int(box[5]) in classes and (not here.size or here.mean() < LABELLED):
            continue
        kept.append(box)
        if box[4] >= CERTAIN:
            covered[y0:y1, x0:x1] = True
    for category in classes:
        _, parts, stats, _ = cv2.connectedComponentsWithStats((label == category).astype(np.uint8))
        for i, (x, y, w, h, area) in enumerate(stats[1:], 1):
            if max(w, h) >= TINY and (covered & (parts == i)).sum() < BOXED * area:
                box = [x, y, x + w, y + h, CERTAIN / 2, category]
                kept.append(np.array(box, np.float32))
    return np.array(kept, np.float32).reshape(-1, 6)


def _cut(boxes: Boxes, limits: tuple[int, int, int, int], shift: tuple[int, int]) -> Boxes:
    """Boxes cut off at limits and shifted; those of which little is left count neither way."""
    x0, y0, x1, y1 = limits
    cut = boxes.copy()
    cut[:, [0, 2]] = np.clip(cut[:, [0, 2]], x0, x1)
    cut[:, [1, 3]] = np.clip(cut[:, [1, 3]], y0, y1)
    before, after = (np.prod(np.maximum(b[:, 2:4] - b[:, :2], 0), axis=1) for b in (boxes, cut))
    longest = np.max(cut[:, 2:4] - cut[:, :2], axis=1, initial=0)
    cut[(after < 0.3 * before) | (longest < LEAST), 4] = CERTAIN / 2
    cut[:, :4] += np.array([*shift, *shift], np.float32)
    return cut[longest > 2]


def target(
    boxes: Boxes, places: int, classes: int
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
    """What the network should say of boxes.

    Args:
        boxes: n6.
        places: side of the output.
        classes: number of classes.

    Returns:
        ((classes)hw heat in [0, 1]; (classes)hw weight; 4hw distances to the sides in pixels; 1hw
        bool, where they count).
    """
    heat = np.zeros((classes, places, places), np.float32)
    weight = np.ones_like(heat)
    sides = np.zeros((4, places, places), np.float32)
    counts = np.zeros((1, places, places), bool)
    at = np.arange(places, dtype=np.float32) * PLACES
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for x0, y0, x1, y1, score, category in boxes[np.argsort(-areas, kind="stable")]:
        k = int(category) - 1
        if score < CERTAIN:
            inside = np.ix_((at >= y0) & (at <= y1), (at >= x0) & (at <= x1))
            weight[k][inside] = 0
            continue
        cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
        px, py = (round(float(c) / PLACES) for c in (cx, cy))
        px, py = min(max(px, 0), places - 1), min(max(py, 0), places - 1)
        reach_x, reach_y = max(HEAT * w, 0.6 * PLACES), max(HEAT * h, 0.6 * PLACES)
        bump = np.outer(
            np.exp(-0.5 * ((at - at[py]) / reach_y) ** 2),
            np.exp(-0.5 * ((at - at[px]) / reach_x) ** 2),
        )
        heat[k] = np.maximum(heat[k], bump)
        heat[k, py, px] = 1
        weight[k] = np.maximum(weight[k], bump > 0.3)
        inner = np.outer(
            np.abs(at - at[py]) <= max(INNER * h, 1), np.abs(at - at[px]) <= max(INNER * w, 1)
        )
        for i, d in enumerate((at[None] - x0, at[:, None] - y0, x1 - at[None], y1 - at[:, None])):
            sides[i][inner] = np.broadcast_to(d, (places, places))[inner]
        counts[0] |= inner
    counts[0] &= (sides > 0).all(0)
    return heat, weight, sides, counts
