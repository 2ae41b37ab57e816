"""Segmenters of the user's own: models of segmentation-models-pytorch, applied to photos.

They stand beside the network for the Pascal VOC classes, whose probabilities they do not touch. A
class that two of them have is found by either: where one of them sees it, it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config import auto_dilate
from ..errors import WeightsError
from ..pixels import resize
from ..system.extras import import_extra
from ..system.text import printable
from ..types import Box, FloatArray, FoundObject, Mask, Pixels
from .mask import dilate, drop_specks
from .segmenters import resize_longest

if TYPE_CHECKING:
    import torch

    from ...models.own_segmenter import OwnModel

#: Connected pixels of an own class below this share of the photo are dropped as specks. Of a digit
#: or a wire far off there is less than of a person.
SPECK_SHARE = 0.00001
#: Share of the usual dilation by which own classes are widened, and the least of it in pixels.
WIDENED, LEAST_WIDENED = 0.5, 3
#: Parts of an own class at most so many times the usual dilation apart are one object: the digits
#: of a date, the wires of a bundle.
TOGETHER = 2


def read_own(folder: Path) -> OwnModel:
    """What a folder's configuration says of its model.

    Raises:
        WeightsError: it holds no model that can be used.
    """
    from ...models.own_segmenter import OwnModelError, read_model

    try:
        return read_model(folder)
    except OwnModelError as error:
        raise WeightsError(f"--segmenter: {error}") from error


class OwnSegmenter:
    """A model of the user's own, applied to photos.

    Attributes:
        classes: names of its classes.
        name: of its folder.
        sha256: of its weights' file.
    """

    def __init__(self, model: OwnModel, device: torch.device) -> None:
        """Load a model, see ``read_own``.

        Raises:
            UsageError: segmentation-models-pytorch is not installed.
            WeightsError: its files do not fit each other.
        """
        import torch

        from ...models.own_segmenter import OwnModelError, load_model

        import_extra(
            "segmentation_models_pytorch",
            f"--segmenter {printable(str(model.folder))} needs segmentation-models-pytorch",
            "own-classes",
        )
        try:
            loaded = load_model(model)
        except OwnModelError as error:
            raise WeightsError(f"--segmenter: {error}") from error
        self.classes, self.name, self.sha256 = model.classes, model.folder.name, loaded.sha256
        self._model, self._normalisation, self._device = model, loaded.normalisation, device
        self._network = loaded.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def probabilities(self, rgb: Pixels) -> FloatArray:
        """Segment a photo.

        Args:
            rgb: HWC uint8 or uint16.

        Returns:
            (classes)hw float32 in [0, 1], with the photo's aspect and at most its size.
        """
        from ...models.own_segmenter import photo_probabilities

        longest = min(max(rgb.shape[:2]), self._model.longest)
        return photo_probabilities(
            self._network,
            resize_longest(rgb, longest),
            self._normalisation,
            exclusive=self._model.exclusive,
            device=self._device,
        )


@dataclass(frozen=True, eq=False)
class OwnFound:
    """What own models found of some classes in a photo.

    Attributes:
        masks: HW bool by class, without specks.
        probabilities: hw float32 in [0, 1] by class.
    """

    masks: dict[str, Mask]
    probabilities: dict[str, FloatArray]

    @property
    def mask(self) -> Mask | None:
        """HW bool, all classes together; None if nothing was found."""
        found: Mask | None = None
        for each in self.masks.values():
            if each.any():
                found = each if found is None else found | each
        return found

    def shares(self) -> dict[str, float]:
        """The share of the photo that each class covers, without those that cover nothing."""
        return {name: float(each.mean()) for name, each in self.masks.items() if each.any()}

    def without(self, outside: Mask | None) -> OwnFound:
        """The same but for pixels that are no picture; None if there are none."""
        if outside is None:
            return self
        masks = {name: each & ~outside for name, each in self.masks.items()}
        return OwnFound(masks, self.probabilities)


def find_own(
    models: Sequence[OwnSegmenter], rgb: Pixels, classes: Sequence[str], threshold: float
) -> OwnFound:
    """Find classes of own models in a photo.

    Args:
        models: those that have one of the classes.
        rgb: the photo, HWC uint8 or uint16.
        classes: the removed classes; those of no model are left out.
        threshold: probability from which a pixel is of a class.
    """
    seen = own_probabilities(models, rgb, classes)
    masks = {}
    for name, probability in seen.items():
        full = resize(probability, rgb.shape[:2], cv2.INTER_LINEAR)
        masks[name] = drop_specks(full >= threshold, SPECK_SHARE)
    return OwnFound(masks, seen)


def own_probabilities(
    models: Sequence[OwnSegmenter], rgb: Pixels, classes: Sequence[str]
) -> dict[str, FloatArray]:
    """The highest probability hw of any model by class, of those that a model has."""
    seen: dict[str, FloatArray] = {}
    for model in models:
        found = model.probabilities(rgb)
        for name, probability in zip(model.classes, found, strict=True):
            if name in classes:
                seen[name] = _higher(seen.get(name), probability)
    return seen


def own_removed(
    models: Sequence[OwnSegmenter], rgb: Pixels, classes: Sequence[str]
) -> FloatArray | None:
    """The probability hw that a pixel is of any of the classes; None if no model has one."""
    removed: FloatArray | None = None
    for probability in own_probabilities(models, rgb, classes).values():
        removed = _higher(removed, probability)
    return removed


def _higher(before: FloatArray | None, probability: FloatArray) -> FloatArray:
    """The higher of two probabilities hw, at the size of the second one."""
    if before is None:
        return probability
    return np.maximum(resize(before, probability.shape, cv2.INTER_LINEAR), probability)


def own_objects(found: OwnFound) -> list[tuple[FoundObject, NDArray[np.uint16], Box]]:
    """The objects of own classes, parts that lie near each other being one.

    Returns:
        (object; hw uint16 of its box, 1 where it is; the box) of each, numbered from 1 on.
    """
    objects: list[tuple[FoundObject, NDArray[np.uint16], Box]] = []
    for name, own in found.masks.items():
        if not own.any():
            continue
        near = dilate(own, TOGETHER * auto_dilate(*own.shape))
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(
            near.astype(np.uint8), connectivity=8
        )
        probability = resize(found.probabilities[name], own.shape, cv2.INTER_LINEAR)
        for number in range(1, count):
            # Only its own part of the photo is looked at: there may be hundreds.
            around = Box(*map(int, boxes[number, :4]))
            here = (labels[around.slices] == number) & own[around.slices]
            box = Box.bounding(here)
            inside = here[box.slices]
            box = box.shifted(around.y, around.x)
            pixels = int(inside.sum())
            confidence = float(probability[box.slices][inside].mean())
            one = FoundObject(len(objects) + 1, name, box, pixels / own.size, confidence)
            objects.append((one, inside.astype(np.uint16), box))
    return objects


def widened(found: Mask, radius: int | None) -> Mask:
    """The pixels of own classes, widened.

    Their models see lines and digits pixel by pixel, so half of the usual dilation covers the edge.

    Args:
        found: HW bool.
        radius: the user's radius in pixels; None for ``WIDENED`` of the usual one.
    """
    if radius is None:
        radius = max(LEAST_WIDENED, round(WIDENED * auto_dilate(*found.shape)))
    return dilate(found, radius)
