"""Pictures to train on: any folder of images, decoded in workers, random crops and flips, the same order after every resume."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .holes import HoleGenerator

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
log = logging.getLogger(__name__)


def find_images(folders: Sequence[Path]) -> list[Path]:
    """All pictures below the folders (nested), sorted. Label and mask folders named ``labels`` are left out."""
    found = sorted(
        p
        for f in folders
        for p in f.rglob("*")
        if p.suffix.lower() in SUFFIXES and p.parent.name != "labels"
    )
    if not found:
        raise FileNotFoundError(
            f"no pictures ({', '.join(sorted(SUFFIXES))}) found in {', '.join(map(str, folders))}"
        )
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


def square(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The centred square of a photo, scaled to ``size``."""
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    cut = rgb[top : top + side, left : left + side]
    return cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def random_crop(
    image: NDArray[np.uint8],
    size: int,
    rng: np.random.Generator,
    *,
    zoom: tuple[float, float] = (0.4, 1.0),
) -> NDArray[np.uint8]:
    """A mirrored-or-not ``size`` x ``size`` crop, its side drawn as a share ``zoom`` of the photo's shorter side."""
    short = min(image.shape[:2])
    side = int(np.clip(rng.uniform(*zoom) * short, min(size * 0.75, short), short))
    top, left = (int(rng.integers(0, s - side + 1)) for s in image.shape[:2])
    crop = image[top : top + side, left : left + side]
    crop = cv2.resize(
        crop, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    )  # type: ignore[assignment]
    return crop[:, ::-1] if rng.random() < 0.5 else crop


@dataclass(frozen=True)
class Stream:
    """Where in an endless row of samples a process reads: sample n belongs to a step, a batch of the step, a process, a place in the batch.

    The row does not depend on ``world`` or ``accumulate`` as long as their product with ``batch`` stays.
    """

    batch: int
    accumulate: int = 1
    rank: int = 0
    world: int = 1

    def batches(self, start: int) -> Iterator[list[int]]:
        """The sample numbers of each batch from optimizer step ``start`` on."""
        row = start * self.accumulate
        while True:
            first = (row * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))
            row += 1


class Shuffled:
    """An endless row of picture files, every file once an epoch, in an order that is a function of ``seed`` alone.

    An unreadable file is reported once a process and its place taken by the next file.
    """

    def __init__(self, paths: Sequence[Path], seed: int) -> None:
        self.paths, self.seed = list(paths), seed
        self._unreadable: set[Path] = set()

    def picture(self, n: int) -> tuple[int, NDArray[np.uint8]]:
        """The row's ``n``-th: (its place in ``paths``, HWC uint8 RGB).

        Raises:
            OSError: none of the files can be read.
        """
        epoch, index = divmod(n, len(self.paths))
        order = epoch_order(len(self.paths), self.seed, epoch)
        for i in range(len(order)):
            place = int(order[(index + i) % len(order)])
            path = self.paths[place]
            if path in self._unreadable:
                continue
            try:
                return place, read_rgb(path)
            except OSError as error:
                self._unreadable.add(path)
                log.warning("%s; left out", error)
        raise OSError(f"none of {len(self.paths)} pictures can be read, from {self.paths[0]} on")


class Crops(Shuffled, Dataset[tuple[Tensor, Tensor]]):
    """An endless row of (picture, hole): sample n is a function of ``seed`` and n alone.

    Args:
        paths: of the pictures.
        holes: how a hole is drawn.
        size: side of the crops in pixels.
        zoom: see ``random_crop``.
        seed: of order, crops and holes.
    """

    def __init__(
        self, paths: Sequence[Path], holes: HoleGenerator, *, size: int, zoom: tuple[float, float] = (0.4, 1.0), seed: int = 0
    ) -> None:  # fmt: skip
        super().__init__(paths, seed)
        self.holes, self.size, self.zoom = holes, size, zoom

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        """(3HW uint8 RGB, 1HW uint8 with 1 = known, 0 = hole)."""
        rng = np.random.default_rng((self.seed, n))
        crop = random_crop(self.picture(n)[1], self.size, rng, zoom=self.zoom)
        known = ~self.holes(self.size, rng)
        return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))), torch.from_numpy(
            known[None].astype(np.uint8)
        )


def batches(
    dataset: Dataset[Any], stream: Stream, start: int, *, workers: int, to_float: bool = True
) -> Iterator[tuple[Tensor, ...]]:
    """Endless batches, decoded ahead of their use in ``workers`` processes (0: here).

    Yields:
        Stacked samples; with ``to_float`` a dataset's (uint8 pictures, uint8 masks) become (N3HW float32 in [0, 1], N1HW float32).
    """
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=stream.batches(start),  # type: ignore[arg-type]
        num_workers=workers,
        # A forked worker hangs where the trainer has used OpenCV's threads before.
        multiprocessing_context="spawn" if workers else None,
        generator=torch.Generator(),  # of its own: a resumed run draws the same global random numbers as an uninterrupted one
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_worker,
        prefetch_factor=4 if workers else None,
    )
    for row in loader:
        if to_float:
            yield row[0].float().div_(255), row[1].float()
        else:
            yield tuple(row)


def _worker(_: int) -> None:
    cv2.setNumThreads(1)  # OpenCV's own threads on top of the trainer's only slow both
    # A stop goes to the whole process group; the trainer finishes its step, and needs its workers for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@lru_cache(maxsize=2)
def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of ``count`` pictures in one epoch: a function of seed and epoch alone, so that a resumed run goes on as it was."""
    return np.random.default_rng((seed, epoch, 7)).permutation(count)
