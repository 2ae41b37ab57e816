"""Labelled photos to train the segmenter on: which folders, and crops with their class ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ...pipeline.pixels import resize
from .copy_paste import CopyPaste, Pair
from .pictures import epoch_order, read_rgb

#: Label folders below the data folder. In ``human`` and ``camvid`` only some classes are
#: labelled; the other pixels are void or background.
LABELLED = (
    "segmentation/voc_train",
    "segmentation/ccp_person",
    "segmentation/human",
    "segmentation/camvid_train",
)

#: Photo folders below the data folder that have no labels; only a teacher can use them.
UNLABELLED = ("scenes/train",)

#: Labels that a teacher predicts better than a student learns them: it was trained with them,
#: and also labels photos of other kinds.
TEACHERS_OWN = "segmentation/voc_train"

#: Label folders that name people and a few other classes: an unlabelled pixel may be a bicycle
#: or a chair, but not a person.
PEOPLE_ONLY = ("segmentation/ccp_person", "segmentation/human", "segmentation/camvid_train")

#: A crop shows all of a photo's shorter side, or at least this share of it.
CLOSEST = 0.7

#: Ids of pixels whose class is unknown, and of pixels that may be anything but a person.
VOID, NOT_PERSON = 255, 254

#: Pascal VOC's class id.
PERSON = 15


def _voc_palette() -> NDArray[np.uint8]:
    """Pascal VOC's colours: the bits of a class id spread over red, green and blue."""
    ids = np.arange(256)
    bits = (ids[:, None] >> np.arange(8)) & 1
    weight = 128 >> (np.arange(8) // 3)
    return np.stack(
        [(bits * weight * (np.arange(8) % 3 == c)).sum(1) for c in range(3)], axis=1
    ).astype(np.uint8)


#: RGB by class id, 256 x 3.
PALETTE = _voc_palette()


class LabelledCrops(Dataset[tuple[Tensor, Tensor]]):
    """An endless sequence of (photo crop, class ids): a function of ``seed`` and sample number.

    Args:
        files: (photo, label) pairs.
        size: side of a crop in pixels.
        seed: of order, crops and pasted objects.
        copy_paste: pastes objects into the crops, or None.
        people_only: folders whose labels name people and few other classes.
    """

    def __init__(
        self,
        files: Sequence[Pair],
        *,
        size: int,
        seed: int,
        copy_paste: CopyPaste | None = None,
        people_only: Sequence[Path] = (),
    ) -> None:
        self.files, self.size, self.seed = list(files), size, seed
        self.copy_paste, self.people_only = copy_paste, tuple(people_only)

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        """A square of a photo, mirrored or not, with objects pasted into it or not.

        Returns:
            (3HW uint8 RGB, HW uint8 class ids; 254 = anything but a person, 255 = void).
        """
        epoch, index = divmod(n, len(self.files))
        order = epoch_order(len(self.files), self.seed, epoch)
        rng = np.random.default_rng((self.seed, n))
        path, label_path = self.files[int(order[index])]
        image, label = self._crop(*read_pair(path, label_path), rng)
        if self.names_people_only(path):
            label = np.where(label == 0, np.uint8(NOT_PERSON), label)
        if self.copy_paste is not None:
            self.copy_paste.paste_some(image, label, rng)
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), torch.from_numpy(
            np.ascontiguousarray(label)
        )

    def names_people_only(self, path: Path) -> bool:
        """Whether the photo's label names people and few other classes."""
        return any(path.is_relative_to(folder) for folder in self.people_only)

    def _crop(
        self, image: NDArray[np.uint8], label: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A random square of photo and label, with random brightness and contrast."""
        scale = self.size / min(image.shape[:2]) / float(np.exp(rng.uniform(np.log(CLOSEST), 0)))
        h, w = (max(self.size, round(side * scale)) for side in image.shape[:2])
        image = resize(image, (h, w), cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        label = resize(label, (h, w), cv2.INTER_NEAREST)
        top, left = (int(rng.integers(0, side - self.size + 1)) for side in image.shape[:2])
        image, label = (
            image[top : top + self.size, left : left + self.size],
            label[top : top + self.size, left : left + self.size],
        )
        image = np.clip(
            image.astype(np.float32) * rng.uniform(0.85, 1.15) + rng.uniform(-12, 12), 0, 255
        ).astype(np.uint8)
        if rng.random() < 0.5:
            image, label = image[:, ::-1], label[:, ::-1]
        return image, label


def read_pair(path: Path, label_path: Path | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a photo and its label.

    Returns:
        (HWC RGB, HW class ids with 255 = void); without a label every pixel is void.

    Raises:
        OSError: a file cannot be read; the message names it.
        ValueError: the label picture has more than one channel.
    """
    image = read_rgb(path)
    label = (
        cv2.imread(str(label_path), cv2.IMREAD_UNCHANGED)
        if label_path
        else np.full(image.shape[:2], VOID, np.uint8)
    )
    if label is None:
        raise OSError(f"{label_path}: not a readable label picture")
    if label.ndim == 3:
        raise ValueError(f"{label_path}: expected one channel of class ids, got {label.shape}")
    return image, label  # type: ignore[return-value]
