"""Objects cut out of labelled photos, with soft edges and clean colours, in one mapped file.

Colours just outside an object are its own, continued outwards: pasted elsewhere, it brings no rim
of its old background along.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.system.atomic import atomic_write
from ....pipeline.types import FloatArray
from ..labelled import read_pair

log = logging.getLogger(__name__)

#: Label folders below the data folder, and by how much the labels there are too wide: half pixels
#: that an object's edge is drawn in by.
SOURCES = {
    "segmentation/ccp_person": 1,
    "segmentation/human": 1,
    "segmentation/voc_train": 2,
}
#: Folders whose labels are right to the pixel, with one person a photo.
PRECISE = ("segmentation/ccp_person", "segmentation/human")
#: VOC's classes that stand or move by themselves. Tables, sofas, plants and screens are cut off by
#: what stands on them.
CATEGORIES = (1, 2, 3, 4, 6, 7, 8, 10, 12, 13, 14, 15, 17, 19)
#: Least share of its photo that an object covers, and pixels that are kept around it.
LEAST_SHARE, MARGIN = 0.02, 4
#: One photo in so many, with its objects, is never trained on.
HELD_OUT = 12

#: Which borders of its photo cut an object: top, right, bottom, left.
Cut: TypeAlias = tuple[bool, bool, bool, bool]


@dataclass(frozen=True)
class CutOut:
    """Where an object lies in the file, and what it is.

    Attributes:
        offset: of its HW4 uint8 block, in bytes.
        height: in pixels.
        width: in pixels.
        source: label folder that it comes from.
        category: VOC class id.
        cut: see ``Cut``.
        held_out: whether it is never trained on.
    """

    offset: int
    height: int
    width: int
    source: str
    category: int
    cut: Cut
    held_out: bool


class CutOuts:
    """What ``build`` wrote.

    Args:
        folder: holds ``cut_outs.u8`` and ``cut_outs.json``.
        held_out: give the objects that are never trained on, or the others.
    """

    def __init__(self, folder: Path, *, held_out: bool) -> None:
        rows = json.loads((folder / "cut_outs.json").read_text(encoding="utf-8"))
        entries = [CutOut(**{**row, "cut": tuple(row["cut"])}) for row in rows]
        self.entries = [entry for entry in entries if entry.held_out == held_out]
        self._path = folder / "cut_outs.u8"
        self._data: NDArray[np.uint8] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_data": None}  # a worker maps the file itself

    def __getitem__(self, entry: CutOut) -> NDArray[np.uint8]:
        """The object, HW4 uint8: red, green, blue, alpha."""
        if self._data is None:
            self._data = np.memmap(self._path, np.uint8, "r")
        size = entry.height * entry.width * 4
        block = self._data[entry.offset : entry.offset + size]
        return block.reshape(entry.height, entry.width, 4)


def label_of(photo: Path) -> Path:
    """The label picture of a photo in a label folder."""
    return photo.parent.parent / "labels" / f"{photo.stem}.png"


def photos_of(data: Path, source: str) -> list[Path]:
    """The photos of a label folder, in the order that decides which are held out."""
    folder = data / source / "images"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in paths if label_of(path).exists()]


def build(data: Path, folder: Path) -> None:
    """Cut every object out, if that has not been done. Unreadable photos are logged and left out.

    Args:
        data: data folder.
        folder: to write to, created if missing.

    Raises:
        FileNotFoundError: there are no labelled photos.
    """
    photos = [(s, i, p) for s in SOURCES for i, p in enumerate(photos_of(data, s))]
    write(
        folder,
        (
            (source, i % HELD_OUT == 0, partial(_objects, path, source))
            for source, i, path in photos
        ),
        f"{data}: no labelled objects in {', '.join(SOURCES)} below it",
    )


#: A cut-out, its class id, and which borders cut it.
Object: TypeAlias = tuple[NDArray[np.uint8], int, Cut]


def write(
    folder: Path,
    photos: Iterable[tuple[str, bool, Callable[[], Iterable[Object]]]],
    missing: str,
) -> None:
    """Store the objects of photos for ``CutOuts``, if that has not been done.

    Args:
        folder: to write to, created if missing.
        photos: (source, whether it is never trained on, what cuts its objects out) of each. One
            that raises ``OSError`` or ``ValueError`` is logged and left out.
        missing: what the error says if there are no objects.

    Raises:
        FileNotFoundError: there are no objects.
    """
    if (folder / "cut_outs.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[CutOut] = []
    with open(folder / "cut_outs.u8", "wb") as file:
        for source, held_out, objects_of in photos:
            try:
                objects = list(objects_of())
            except (OSError, ValueError) as error:
                log.warning("%s; left out", error)
                continue
            for rgba, category, cut in objects:
                h, w = rgba.shape[:2]
                entries.append(CutOut(file.tell(), h, w, source, category, cut, held_out))
                file.write(rgba.tobytes())
    if not entries:
        raise FileNotFoundError(missing)
    text = json.dumps([asdict(entry) for entry in entries])
    with atomic_write(folder / "cut_outs.json") as part:
        part.write(text.encode())


def _objects(path: Path, source: str) -> Iterator[Object]:
    """(HW4 cut-out, class id, which borders cut it) of every large object of a photo."""
    image, label = read_pair(path, label_of(path))
    for category in (int(c) for c in np.unique(label) if int(c) in CATEGORIES):
        mask = (label == category).astype(np.uint8)
        _, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA]
        large = [i for i in range(1, len(stats)) if areas[i] >= LEAST_SHARE * label.size]
        # A person in the precise folders is one, in however many pieces.
        whole = source in PRECISE and large
        for one in [mask] if whole else [(parts == i).astype(np.uint8) for i in large]:
            yield cut_out(image, one, SOURCES[source]), category, borders_of(one)


def cut_out(image: NDArray[np.uint8], mask: NDArray[np.uint8], trim: int) -> NDArray[np.uint8]:
    """Cut an object out.

    Args:
        image: HWC RGB.
        mask: HW, 1 = object.
        trim: half pixels that the edge is drawn in by.

    Returns:
        HW4 uint8 RGB and alpha: the object's box with ``MARGIN``.
    """
    x, y, w, h = cv2.boundingRect(mask)
    box = slice(y, y + h), slice(x, x + w)
    m = MARGIN
    padded = cv2.copyMakeBorder(image[box], m, m, m, m, cv2.BORDER_REPLICATE)
    inside = np.pad(mask[box], m).astype(np.float32)
    soft = cv2.GaussianBlur(inside, (0, 0), 0.8)
    alpha = np.clip((soft - 0.5) * 1.6 + 0.5 - 0.15 * trim, 0, 1)
    core = cv2.erode(inside, np.ones((3, 3), np.uint8), iterations=trim)
    weight = cv2.GaussianBlur(core, (0, 0), 2.0)
    spread: FloatArray = (
        cv2.GaussianBlur(padded.astype(np.float32) * core[..., None], (0, 0), 2.0)
        / (np.maximum(weight, 1e-4)[..., None])
    )
    kept = (core > 0)[..., None] | (weight < 1e-3)[..., None]
    colours = np.where(kept, padded, np.clip(spread, 0, 255))
    return np.dstack([colours, alpha * 255]).round().astype(np.uint8)


def borders_of(mask: NDArray[np.uint8]) -> Cut:
    """Whether each border of the photo cuts the object along more than a few pixels."""
    top, right, bottom, left = (
        int(side.sum()) > 3 for side in (mask[0], mask[:, -1], mask[-1], mask[:, 0])
    )
    return top, right, bottom, left
