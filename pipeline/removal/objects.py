"""The single objects of the removed classes: which pixels are whose, and who of them stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ..config import auto_dilate
from ..detect.instances import Division, divide
from ..detect.mask import dilate
from ..detect.own import OwnFound, own_objects
from ..pixels import resize
from ..types import Box, FloatArray, FoundObject, Mask, Pick, Pixels

if TYPE_CHECKING:
    from ..networks import Networks

#: A class that has less than this share of a connected part of the mask is a mistake there: the
#: part is of the others.
LEAST_OF_PART = 0.2
#: Rows of a photo that are measured together.
STRIP = 512
#: Kept objects are safe with this share of the usual dilation around them, as a mask ends within
#: its object; with the second share they are no trace of the removed ones.
SAFE, FAINT = 0.4, 1.5


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a photo.

    Attributes:
        labels: HW uint16, 0 = none, else the number of each pixel's object.
        found: by number, from 1 on.
        note: what is to be said of the choice, in words; empty if nothing.
        unfit: what a person decided about objects that are not found.
    """

    labels: NDArray[np.uint16]
    found: tuple[FoundObject, ...]
    note: str = ""
    unfit: tuple[Pick, ...] = ()
    _kept: dict[int, Mask] = field(default_factory=dict, init=False, repr=False)

    @property
    def doubtful(self) -> list[FoundObject]:
        """Those who are kept only because nobody can be sure."""
        return [one for one in self.found if one.doubtful]

    @property
    def are_kept(self) -> bool:
        """Whether any of them is kept."""
        return not all(one.removed for one in self.found)

    def mask_of(self, *, removed: bool) -> Mask:
        """HW bool: the pixels of the objects that are removed, or of those that are kept."""
        chosen = np.zeros(len(self.found) + 1, bool)
        chosen[[one.number for one in self.found if one.removed == removed]] = True
        found: Mask = chosen[self.labels]
        return found

    def kept(self, around: float = SAFE) -> Mask | None:
        """The kept objects and a little around them, nothing of the removed ones.

        Computed once for each radius: every stage of a removal asks for it.

        Args:
            around: by how much they are widened, as a share of the usual dilation.

        Returns:
            HW bool, which cannot be written to; None if all objects are removed.
        """
        if not self.are_kept:
            return None
        radius = round(around * auto_dilate(*self.labels.shape))
        if radius not in self._kept:
            kept = dilate(self.mask_of(removed=False), radius)
            kept &= ~self.mask_of(removed=True)
            kept.flags.writeable = False
            self._kept[radius] = kept
        return self._kept[radius]

    def shifted(self, box: Box, shape: tuple[int, int]) -> Objects:
        """The objects of a part of a photo as those of the photo.

        Args:
            box: the part.
            shape: the photo's (height, width).
        """
        labels = np.zeros(shape, np.uint16)
        labels[box.slices] = self.labels
        share = box.area / (shape[0] * shape[1])
        found = tuple(
            replace(one, box=one.box.shifted(box.y, box.x), share=one.share * share)
            for one in self.found
        )
        return replace(self, labels=labels, found=found)


def find_objects(
    rgb: Pixels,
    mask: Mask,
    probabilities: FloatArray,
    classes: Sequence[str],
    networks: Networks,
) -> Objects:
    """Tell the objects of a class mask apart.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        mask: HW bool, the pixels of all ``classes``, before dilation.
        probabilities: 21hw float32 in [0, 1], of the whole photo.
        classes: names of the removed classes.
        networks: the network that divides a class's mask; without one, connected parts are objects.
    """
    labels = np.zeros(mask.shape, np.uint16)
    found: list[FoundObject] = []
    for name, own in _by_class(mask, probabilities, classes):
        numbers, is_own = _divided(rgb, own, networks)
        seen = np.where(is_own, numbers, np.uint16(0))
        for count, total, box in _measured(seen, probabilities[CATEGORIES.index(name)]):
            number = len(found) + 1
            found.append(FoundObject(number, name, box, count / mask.size, total / count))
        labels += np.where(numbers, numbers + np.uint16(labels.max()), np.uint16(0))
    return _by_size(labels, found)


def with_own_objects(objects: Objects | None, own: OwnFound, shape: tuple[int, int]) -> Objects:
    """The objects of a photo with those of own classes, which take the pixels that both have.

    Args:
        objects: of the Pascal VOC classes; None if nobody looked.
        own: what own models found.
        shape: the photo's (height, width).
    """
    labels = np.zeros(shape, np.uint16) if objects is None else objects.labels.copy()
    found = [] if objects is None else list(objects.found)
    first = len(found)
    for one, here, box in own_objects(own):
        number = first + one.number
        found.append(replace(one, number=number))
        labels[box.slices][here > 0] = number
    return _by_size(labels, found)


def _measured(labels: NDArray[np.uint16], probability: FloatArray) -> list[tuple[int, float, Box]]:
    """(pixels, sum of a probability, bounding box) of each object from 1 on, none empty.

    Args:
        labels: HW.
        probability: hw.
    """
    count = int(labels.max())
    pixels, totals = np.zeros(count + 1, np.int64), np.zeros(count + 1)
    first = np.full((2, count + 1), np.iinfo(np.int64).max)
    last = np.full((2, count + 1), -1)
    seen = resize(probability, labels.shape, cv2.INTER_LINEAR)
    for top in range(0, len(labels), STRIP):  # coordinates take 16 bytes a pixel
        strip = labels[top : top + STRIP]
        places = np.nonzero(strip)
        of = strip[places]
        pixels += np.bincount(of, minlength=count + 1)
        totals += np.bincount(of, seen[top : top + STRIP][places], minlength=count + 1)
        for axis, (place, start) in enumerate(zip(places, (top, 0), strict=True)):
            np.minimum.at(first[axis], of, place + start)
            np.maximum.at(last[axis], of, place + start)
    return [
        (
            int(pixels[n]),
            float(totals[n]),
            Box.from_corners(*(int(v) for v in (*first[::-1, n], *(last[::-1, n] + 1)))),
        )
        for n in range(1, count + 1)
    ]


def _by_class(
    mask: Mask, probabilities: FloatArray, classes: Sequence[str]
) -> list[tuple[str, Mask]]:
    """(name, HW bool) of each class: every part of the mask is of those that have most of it."""
    if len(classes) == 1:
        return [(classes[0], mask)] if mask.any() else []
    ids = [CATEGORIES.index(name) for name in classes]
    best = resize(
        probabilities[ids].argmax(0).astype(np.uint8), mask.shape, cv2.INTER_NEAREST
    ).astype(np.intp)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for number in range(1, len(stats)):
        box = Box(*(int(v) for v in stats[number, :4])).slices
        here = parts[box] == number
        count = np.bincount(best[box][here], minlength=len(classes))
        few = count < LEAST_OF_PART * count.sum()
        few[count.argmax()] = False
        best[box][here & few[best[box]]] = count.argmax()
    each = [(name, mask & (best == k)) for k, name in enumerate(classes)]
    return [(name, own) for name, own in each if own.any()]


def _divided(rgb: Pixels, mask: Mask, networks: Networks) -> Division:
    """The objects of a class's mask."""
    if networks.instances is not None:
        return divide(networks.instances, rgb, mask)
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return Division(labels.astype(np.uint16), mask)


def _by_size(labels: NDArray[np.uint16], found: Sequence[FoundObject]) -> Objects:
    """The objects, numbered by size, the largest first."""
    order = sorted(found, key=lambda one: (-one.share, one.box.y, one.box.x))
    new = np.zeros(len(found) + 1, np.uint16)
    for number, one in enumerate(order, 1):
        new[one.number] = number
    numbered = tuple(replace(one, number=i) for i, one in enumerate(order, 1))
    return Objects(new[labels], numbered)
