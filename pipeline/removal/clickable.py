"""Every object of a photo that a class names, each with the pixels that go with it.

For a person who picks objects by clicks: those of all classes, whichever a run removes. Each object
has its own part of its class's hole, so that one man of a crowd comes and goes without the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES, CLASSES
from ..config import SPECK_SHARE, auto_dilate
from ..detect import mask, multi_scale
from ..detect.clicked import Click, select_clicked
from ..detect.edge import widen_to_edge
from ..detect.own import find_own, widened
from ..detect.refine import refined_holes
from ..pixels import covered_shares, nearest_values, reduction, scaled_size
from ..types import Box, FloatArray, FoundObject, Mask, Pixels
from .objects import find_objects, with_own_objects
from .selection import whole_objects

if TYPE_CHECKING:
    from ..networks import Networks


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask in an eighth of its memory.

    Attributes:
        box: where its pixels lie in the photo.
        bits: of the box's pixels, row by row.
    """

    box: Box
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, mask: Mask) -> PackedMask:
        """Pack an HW bool mask that has a True pixel."""
        box = Box.bounding(mask)
        return cls(box, np.packbits(mask[box.slices]))

    def unpack(self) -> Mask:
        """Bool of the box's size."""
        values = np.unpackbits(self.bits, count=self.box.area)
        return values.reshape(self.box.h, self.box.w).astype(bool)

    def has(self, x: int, y: int) -> bool:
        """Whether a pixel of the photo belongs to it."""
        column, row = x - self.box.x, y - self.box.y
        if not (0 <= column < self.box.w and 0 <= row < self.box.h):
            return False
        place = row * self.box.w + column
        return bool(self.bits[place // 8] >> (7 - place % 8) & 1)


@dataclass(frozen=True, eq=False)
class Clickable:
    """One object that a click picks.

    Attributes:
        found: what it is.
        own: its own pixels.
        hole: those that are removed with it; nothing of another object of its class is among them.
    """

    found: FoundObject
    own: PackedMask
    hole: PackedMask

    def masks(self) -> tuple[Box, Mask, Mask]:
        """(box, the object's own pixels in it, those of its hole)."""
        box, own = self.hole.box, np.zeros((self.hole.box.h, self.hole.box.w), bool)
        own[self.own.box.relative_to(box).slices] = self.own.unpack()
        return box, own, self.hole.unpack()

    def shifted(self, box: Box, shape: tuple[int, int]) -> Clickable:
        """The object of a part of a photo as one of the photo.

        Args:
            box: the part.
            shape: the photo's (height, width).
        """
        share = self.found.share * box.area / (shape[0] * shape[1])
        found = replace(self.found, box=self.found.box.shifted(box.y, box.x), share=share)
        own, hole = (
            replace(packed, box=packed.box.shifted(box.y, box.x))
            for packed in (self.own, self.hole)
        )
        return Clickable(found, own, hole)


def clickable_objects(
    rgb: Pixels, threshold: float, networks: Networks, outside: Mask | None = None
) -> tuple[Clickable, ...]:
    """Find the objects of all classes, class by class, as runs that remove each class alone.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        threshold: probability from which a pixel belongs to a class.
        networks: segmenter, and whatever of detector, refiner and object network ships.
        outside: HW bool, pixels that are no picture and go with nothing; None if there are none.

    Returns:
        The objects, largest first, numbered from 1 on.
    """
    looks = multi_scale.look(networks.segmenter, rgb, networks.detector)
    found = [
        each
        for name in _present(looks, threshold)
        for each in _of_class(rgb, looks, name, threshold, networks, outside)
    ]
    found += _of_own_models(rgb, threshold, networks, outside)
    found.sort(key=lambda each: (-each.found.share, each.found.box.y, each.found.box.x))
    return tuple(
        replace(each, found=replace(each.found, number=number))
        for number, each in enumerate(found, 1)
    )


def object_at(objects: Iterable[Clickable], x: float, y: float) -> Clickable | None:
    """The object at a point: the smallest that has it, else the smallest whose hole has it.

    Args:
        objects: those of the photo.
        x: column in the photo's pixels; (0, 0) is the corner of the first pixel.
        y: row, likewise.
    """
    by_size = sorted(objects, key=lambda each: each.found.share)
    column, row = int(np.floor(x)), int(np.floor(y))
    for each in by_size:
        if each.own.has(column, row):
            return each
    return next((each for each in by_size if each.hole.has(column, row)), None)


def _present(looks: multi_scale.Looks, threshold: float) -> list[str]:
    """The classes that the whole photo shows, or of which the detector has a box."""
    boxes = looks.boxes
    detected = {int(box[5]) for box in boxes if box[4] >= multi_scale.DETECTED}
    least = max(4.0, SPECK_SHARE * looks.probabilities[0].size)
    return [
        name
        for name in CLASSES
        if CATEGORIES.index(name) in detected
        or (looks.probabilities[CATEGORIES.index(name)] >= threshold).sum() >= least
    ]


def _of_class(
    rgb: Pixels,
    looks: multi_scale.Looks,
    name: str,
    threshold: float,
    networks: Networks,
    outside: Mask | None,
) -> Iterator[Clickable]:
    """The objects of one class."""
    height, width = rgb.shape[:2]
    probability = whole_objects(rgb, looks, (name,), threshold, networks)
    area = mask.class_mask(probability, height, width, threshold)
    hole = _hole(rgb, area, probability, threshold, networks)
    if outside is not None:
        area &= ~outside
        hole &= ~outside
    if not area.any():
        return
    objects = find_objects(rgb, area, looks.probabilities, (name,), networks)
    territory = _territory(objects.labels, hole, len(objects.found))
    for one in objects.found:
        own = objects.labels == one.number
        yield Clickable(one, PackedMask.of(own), PackedMask.of(territory == one.number))


def _of_own_models(
    rgb: Pixels, threshold: float, networks: Networks, outside: Mask | None
) -> Iterator[Clickable]:
    """The objects of the classes of own models."""
    classes = networks.own_classes
    if not classes:
        return
    own = find_own(networks.own(classes), rgb, classes, threshold).without(outside)
    objects = with_own_objects(None, own, (rgb.shape[0], rgb.shape[1]))
    if not objects.found:
        return
    hole = widened(objects.labels > 0, None)
    if outside is not None:
        hole &= ~outside
    territory = _territory(objects.labels, hole, len(objects.found))
    for one in objects.found:
        yield Clickable(
            one,
            PackedMask.of(objects.labels == one.number),
            PackedMask.of(territory == one.number),
        )


def _hole(
    rgb: Pixels, area: Mask, probability: FloatArray, threshold: float, networks: Networks
) -> Mask:
    """The pixels that go with a class, HW bool: as a run removes it."""
    if networks.refiner is None:
        return mask.dilate(area, auto_dilate(*area.shape))
    return refined_holes(networks.refiner, rgb, probability, threshold, None)


def _territory(labels: NDArray[np.uint16], hole: Mask, count: int) -> NDArray[np.uint16]:
    """The object that each pixel of a hole goes with: its own one, or the nearest.

    Args:
        labels: HW, 0 or the number of each pixel's object.
        hole: HW bool.
        count: of the objects.

    Returns:
        HW, 0 outside the hole and the objects.
    """
    if count == 1:
        return (hole | (labels > 0)).astype(np.uint16)
    outside = hole & (labels == 0)
    spread = nearest_values(labels, labels > 0)
    found: NDArray[np.uint16] = np.where(outside, spread, labels)
    return found


def selected_by_clicks(
    rgb: Pixels, clicks: Sequence[Click], spared: Mask, networks: Networks
) -> Mask:
    """Select what was clicked, whatever it is, out to its edge as any other mask.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        clicks: of ``checked_clicks``.
        spared: HW bool, pixels that are not selected.
        networks: has the compact segmenter, and the refiner if it ships.

    Returns:
        HW bool.
    """
    selected = select_clicked(networks.compact, rgb, clicks, spared)
    if networks.refiner is None:
        wide = widen_to_edge(rgb, selected, spared)
    else:
        size = scaled_size(rgb.shape, reduction(rgb.shape, multi_scale.MERGED_SIZE))
        wide = refined_holes(networks.refiner, rgb, covered_shares(selected, size), 0.5, None)
    found: Mask = wide & ~spared
    return found
