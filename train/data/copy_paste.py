"""Objects cut out of labelled photos and pasted small onto others (copy-paste, Ghiasi et al. 2021).

Labelled photos show their subject large: the small objects in them are rarely labelled, and
hardly ever people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

#: A photo and its label picture, None without one.
Pair: TypeAlias = tuple[Path, Path | None]
Image: TypeAlias = NDArray[np.uint8]
Label: TypeAlias = NDArray[np.uint8]
Reader: TypeAlias = Callable[[Path, Path | None], tuple[Image, Label]]

#: Least share of its photo that an object covers to be cut out: smaller ones are blurred
#: already.
LEAST_SHARE = 0.01
#: Share of the pictures that receive objects, and the most objects of one picture.
SHARE, MOST_OBJECTS = 0.5, 5
#: Longer side of a pasted object: from this many pixels to this share of the picture's side,
#: log-uniform.
SMALLEST, LARGEST = 20, 0.45


class CopyPaste:
    """Copies objects from labelled photos into others.

    Args:
        groups: lists of (photo, label); each group gives as many objects as every other,
            however long it is.
        read: returns HWC RGB and HW class ids (0 = background, 255 = void) of a pair.
    """

    def __init__(self, groups: Sequence[Sequence[Pair]], read: Reader) -> None:
        self.groups = [list(g) for g in groups if g]
        self.read = read

    def draw(self, rng: np.random.Generator) -> tuple[Image, Label] | None:
        """Draw one object in its bounding box.

        Returns:
            (HWC RGB, HW class ids with 0 = outside the object), or None if the drawn photo has
            no object that is large enough.
        """
        group = self.groups[int(rng.integers(len(self.groups)))]
        image, label = self.read(*group[int(rng.integers(len(group)))])
        classes = [int(c) for c in np.unique(label) if 0 < c < 21]
        if not classes:
            return None
        category = classes[int(rng.integers(len(classes)))]
        _, components, stats, _ = cv2.connectedComponentsWithStats(
            (label == category).astype(np.uint8), connectivity=8
        )
        large = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= LEAST_SHARE * label.size)
        if not len(large):
            return None
        i = int(large[int(rng.integers(len(large)))])
        x, y, w, h = (int(v) for v in stats[i, :4])
        box = slice(y, y + h), slice(x, x + w)
        return image[box], np.where(components[box] == i, category, 0).astype(np.uint8)

    def paste_some(self, image: Image, label: Label, rng: np.random.Generator) -> None:
        """Paste up to ``MOST_OBJECTS`` objects into a picture HWC and its label HW, in place.

        An object is pasted only where it fits whole.
        """
        if not self.groups or rng.random() >= SHARE:
            return
        for _ in range(int(rng.integers(1, MOST_OBJECTS + 1))):
            drawn = self.draw(rng)
            longer = np.exp(
                rng.uniform(np.log(SMALLEST), np.log(max(SMALLEST, LARGEST * min(label.shape))))
            )
            if drawn is not None:
                paste(image, label, *drawn, float(longer), rng)


def paste(
    image: Image, label: Label, cutout: Image, ids: Label, longer: float, rng: np.random.Generator
) -> None:
    """Paste an object into a picture and its label, in place; do nothing if it does not fit whole.

    The object lies at a random place, mirrored or not, lighter or darker.

    Args:
        image: the picture, HWC RGB; changed.
        label: its class ids HW; changed.
        cutout: the object in its bounding box, HWC RGB.
        ids: the object's class id HW, 0 outside the object.
        longer: the pasted object's longer side in pixels.
        rng: random state.
    """
    scale = longer / max(ids.shape)
    w, h = (max(1, round(side * scale)) for side in ids.shape[::-1])
    height, width = label.shape
    if h > height or w > width:
        return
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    share = (ids > 0).astype(np.float32)
    # Weight by the share, so that none of the object's old background is copied at its border.
    alpha = cv2.resize(share, (w, h), interpolation=kind)
    colours = (
        cv2.resize(cutout.astype(np.float32) * share[..., None], (w, h), interpolation=kind)
        / np.maximum(alpha, 1e-3)[..., None]
    )
    colours = np.clip(colours * rng.uniform(0.75, 1.2), 0, 255)
    if rng.random() < 0.5:
        alpha, colours = alpha[:, ::-1], colours[:, ::-1]
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    box = slice(top, top + h), slice(left, left + w)
    image[box] = np.round(image[box] + alpha[..., None] * (colours - image[box])).astype(np.uint8)
    label[box][alpha >= 0.5] = int(ids.max())
