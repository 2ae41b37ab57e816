"""Photos to paste objects into: a random crop of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.pixels import resize
from ..pictures import read_rgb

#: Folders below the data folder, and how often each is drawn.
FOLDERS = {"scenes/train": 0.40, "scenes/street": 0.38, "scenes/rooms": 0.22}
#: One scene in so many is never trained on.
HELD_OUT = 12


def photos_of(data: Path, folder: str) -> list[Path]:
    """A folder's photos, in the order that decides which are held out."""
    return sorted((data / folder).glob("*.[jp][pn]g"))


class Scenes:
    """The scenes of a data folder.

    Args:
        data: the data folder.
        held_out: give the scenes that are never trained on, or the others.
        folders: below the data folder, and how often each is drawn; the default is ``FOLDERS``.

    Raises:
        FileNotFoundError: there are none.
    """

    def __init__(
        self, data: Path, *, held_out: bool, folders: Mapping[str, float] = FOLDERS
    ) -> None:
        paths = {folder: photos_of(data, folder) for folder in folders}
        chosen = {
            folder: [p for i, p in enumerate(files) if (i % HELD_OUT == 0) == held_out]
            for folder, files in paths.items()
        }
        self.paths = {folder: files for folder, files in chosen.items() if files}
        if not self.paths:
            raise FileNotFoundError(f"{data}: no photos in {', '.join(folders)} below it")
        weights = np.array([folders[folder] for folder in self.paths])
        self._shares = weights / weights.sum()

    def draw(
        self, size: int, rng: np.random.Generator, closest: float = 0.45, low: float = 0.0
    ) -> NDArray[np.uint8]:
        """A square crop of a random scene, mirrored or not.

        Args:
            size: side of the result in pixels.
            rng: random state.
            closest: least side of the crop as a share of the photo's shorter side.
            low: share of the crops that reach down to a photo's lower end, where ground is.

        Returns:
            HWC RGB.

        Raises:
            OSError: the photo cannot be read.
        """
        files = self.paths[str(rng.choice(list(self.paths), p=self._shares))]
        image = read_rgb(files[int(rng.integers(len(files)))])
        short = min(image.shape[:2])
        side = min(short, max(64, int(short * rng.uniform(closest, 1.0))))
        top, left = (int(rng.integers(s - side + 1)) for s in image.shape[:2])
        if low and rng.random() < low:
            top = image.shape[0] - side
        crop = image[top : top + side, left : left + side]
        crop = resize(crop, (size, size), cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
        return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)
