"""Pictures to train on: any folder of images, decoded once, random crops and flips."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.holes import HoleGenerator

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
log = logging.getLogger(__name__)


def find_images(folders: Sequence[Path]) -> list[Path]:
    """All pictures below the folders (nested), sorted. Label and mask folders named ``labels`` are left out."""
    found = sorted(p for f in folders for p in f.rglob("*") if p.suffix.lower() in SUFFIXES and p.parent.name != "labels")
    if not found:
        raise FileNotFoundError(f"no pictures ({', '.join(sorted(SUFFIXES))}) found in {', '.join(map(str, folders))}")
    return found


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture file as HWC RGB, its orientation tag applied.

    Raises:
        OSError: names the file.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"{path}: not a readable picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


class Pictures:
    """Decoded photos, kept in memory as uint8 RGB HWC. Unreadable files are reported once and left out."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.images: list[NDArray[np.uint8]] = []
        self.paths: list[Path] = []
        for path in paths:
            try:
                self.images.append(read_rgb(path))
            except OSError as error:
                log.warning("%s; left out", error)
                continue
            self.paths.append(path)

    def __len__(self) -> int:
        return len(self.images)


def random_crop(
    image: NDArray[np.uint8], size: int, rng: np.random.Generator, *, zoom: tuple[float, float] = (0.4, 1.0)
) -> NDArray[np.uint8]:
    """A mirrored-or-not ``size`` x ``size`` crop, its side drawn as a share ``zoom`` of the photo's shorter side."""
    short = min(image.shape[:2])
    side = int(np.clip(rng.uniform(*zoom) * short, min(size * 0.75, short), short))
    top, left = (int(rng.integers(0, s - side + 1)) for s in image.shape[:2])
    crop = image[top : top + side, left : left + side]
    crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)  # type: ignore[assignment]
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def batches(
    pictures: Pictures, holes: HoleGenerator, *, size: int, batch: int, seed: int, start: int, zoom: tuple[float, float] = (0.4, 1.0)
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches, the same for the same seed, whatever ``start`` (the step to begin at, so that a resumed run goes on).

    Yields:
        (pictures N3HW float32 in [0, 1], masks N1HW float32 with 1 = known, 0 = hole).
    """
    step = start
    while True:
        images, masks = [], []
        for j in range(batch):
            n = step * batch + j
            epoch, index = divmod(n, len(pictures))
            order = epoch_order(len(pictures), seed, epoch)
            rng = np.random.default_rng((seed, n))
            images.append(random_crop(pictures.images[order[index]], size, rng, zoom=zoom))
            masks.append(~holes(size, rng))
        x = torch.from_numpy(np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))).float().div_(255)
        yield x, torch.from_numpy(np.stack(masks)[:, None]).float()
        step += 1


@lru_cache(maxsize=2)
def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of ``count`` pictures in one epoch: a function of seed and epoch alone, so that a resumed run goes on as it was."""
    return np.random.default_rng((seed, epoch, 7)).permutation(count)
