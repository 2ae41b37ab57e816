"""Single objects cut out of the labelled photos, to make groups of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..objects.boxes import INSTANCES
from ..objects.cut_outs import CATEGORIES, LEAST_SHARE, Object, borders_of, cut_out, write
from .photos import ALONE, CROWD, FOLDER, HELD_OUT, labelled_photos, read_instances

#: An object that another one of its photo touches along more than this share of its outline is cut
#: by it: it is no whole object.
TOUCHED = 0.05


def build(data: Path, folder: Path) -> None:
    """Cut out the objects that no other one touches, if that has not been done.

    Args:
        data: data folder.
        folder: to write to, for ``CutOuts``.

    Raises:
        FileNotFoundError: there are none.
    """
    photos = [*enumerate(labelled_photos(data)), *enumerate(labelled_photos(data, ALONE))]
    write(
        folder,
        ((FOLDER, i % HELD_OUT == 0, partial(_objects, path)) for i, path in photos),
        f"{data / FOLDER}: no object stands alone",
    )


def _objects(path: Path) -> Iterator[Object]:
    image, values = read_instances(path)
    numbers, areas = np.unique(values, return_counts=True)
    for value, area in zip(numbers, areas, strict=True):
        category, number = divmod(int(value), INSTANCES)
        if category not in CATEGORIES or number == CROWD or area < LEAST_SHARE * values.size:
            continue
        own: NDArray[np.uint8] = np.zeros(values.shape, np.uint8)
        own[values == value] = 1
        wide: NDArray[np.uint8] = cv2.dilate(own, np.ones((5, 5), np.uint8)).astype(np.uint8)
        beside = (wide > 0) & (own == 0)
        if (values[beside] > 0).sum() <= TOUCHED * beside.sum():
            yield cut_out(image, own, 1), category, borders_of(own)
