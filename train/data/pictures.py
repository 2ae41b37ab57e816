"""Pictures to train on: any folder, decoded in worker processes, with random crops and flips.

The order of the samples is a function of the seed, so that a resumed run continues it exactly.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...pipeline.pixels import resize
from .holes import HoleGenerator

#: Suffixes of the picture files that ``find_images`` returns.
TRAINING_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
#: A crop's side in the photo is at least this share of the crop's size, if the photo is that large.
LEAST = 0.75
log = logging.getLogger(__name__)

_Drawn = TypeVar("_Drawn")


def find_images(folders: Sequence[Path]) -> list[Path]:
    """All pictures below the folders, at any depth, sorted; folders named ``labels`` are left out.

    Raises:
        FileNotFoundError: there are none.
    """
    images = sorted(
        p
        for f in folders
        for p in f.rglob("*")
        if p.suffix.lower() in TRAINING_SUFFIXES and p.parent.name != "labels"
    )
    if not images:
        raise FileNotFoundError(
            f"no pictures ({', '.join(sorted(TRAINING_SUFFIXES))}) found in "
            f"{', '.join(map(str, folders))}"
        )
    return images


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture file as HWC RGB uint8, its orientation tag applied.

    Raises:
        OSError: the file cannot be read; the message names it.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"{path}: not a readable picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def square(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The centre square of a photo HWC, resized to ``size`` x ``size``."""
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    cut = rgb[top : top + side, left : left + side]
    return resize(cut, (size, size))


def random_crop(
    image: NDArray[np.uint8],
    size: int,
    rng: np.random.Generator,
    *,
    zoom: tuple[float, float] = (0.4, 1.0),
    flip: bool = True,
) -> NDArray[np.uint8]:
    """A random crop of ``size`` x ``size`` pixels.

    Args:
        image: HWC RGB.
        size: side of the result in pixels.
        rng: random state.
        zoom: range of the crop's side as a share of the photo's shorter side; the side is at
            least three quarters of ``size`` if the photo is that large.
        flip: mirror half of the crops.
    """
    short = min(image.shape[:2])
    side = int(np.clip(rng.uniform(*zoom) * short, min(size * LEAST, short), short))
    top, left = (int(rng.integers(0, s - side + 1)) for s in image.shape[:2])
    crop = image[top : top + side, left : left + side]
    crop = resize(crop, (size, size), cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
    return crop[:, ::-1] if flip and rng.random() < 0.5 else crop


@dataclass(frozen=True)
class Stream:
    """Which samples of an endless sequence a process reads.

    A sample's number follows from its optimizer step, the batch of the step, the process and
    the place in the batch. The sequence does not depend on ``world`` or ``accumulate`` as long
    as their product with ``batch`` stays the same.

    Attributes:
        batch: samples per batch and process.
        accumulate: batches per optimizer step.
        rank: number of this process.
        world: count of processes.
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
    """An endless sequence of picture files, each file once an epoch, shuffled by ``seed`` alone.

    An unreadable file is logged once per process and replaced by the next file.

    Args:
        paths: the files.
        seed: of the order.
    """

    def __init__(self, paths: Sequence[Path], seed: int) -> None:
        self.paths, self.seed = list(paths), seed
        self._unreadable: set[Path] = set()

    def picture(self, n: int) -> tuple[int, NDArray[np.uint8]]:
        """The ``n``-th picture of the sequence.

        Returns:
            (its index in ``paths``, HWC uint8 RGB).

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


def split(paths: Sequence[Any], held_out: int, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """A seeded split: (training, held-out).

    Raises:
        ValueError: one of the two would be empty.
    """
    if len(paths) < 2:
        raise ValueError(f"{len(paths)} picture; training needs 2 or more, because one is held out")
    if not 0 < held_out < len(paths):
        raise ValueError(
            f"{held_out} of {len(paths)} pictures to be held out; "
            f"expected 1 to {len(paths) - 1}: set --held-out"
        )
    order = np.random.default_rng(seed).permutation(len(paths))
    return [paths[i] for i in order[held_out:]], [paths[i] for i in order[:held_out]]


class Crops(Shuffled, Dataset[tuple[Tensor, Tensor]]):
    """An endless sequence of (picture, hole): sample n is a function of ``seed`` and n alone.

    Args:
        paths: files of the pictures.
        holes: draws the holes.
        size: side of the crops in pixels.
        zoom: see ``random_crop``.
        flip: see ``random_crop``.
        seed: of order, crops and holes.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        holes: HoleGenerator,
        *,
        size: int,
        zoom: tuple[float, float] = (0.4, 1.0),
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(paths, seed)
        self.holes, self.size, self.zoom, self.flip = holes, size, zoom, flip

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        """(3HW uint8 RGB, 1HW uint8 with 1 = known, 0 = hole)."""
        rng = np.random.default_rng((self.seed, n))
        crop = random_crop(self.picture(n)[1], self.size, rng, zoom=self.zoom, flip=self.flip)
        known = ~self.holes(self.size, rng)
        return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))), torch.from_numpy(
            known[None].astype(np.uint8)
        )


def first_drawn(
    draw: Callable[[np.random.Generator], _Drawn | None],
    key: Sequence[int],
    attempts: int,
    what: str,
) -> _Drawn:
    """Draw until there is something; an unreadable picture is logged and left out.

    Args:
        draw: gives None where the picture has nothing of use.
        key: of the random state: the seed, the number of the sample, and what tells samples apart.
        attempts: most draws.
        what: the error's message.

    Raises:
        ValueError: nothing was drawn.
    """
    seed, n, *more = key
    for attempt in range(attempts):
        try:
            drawn = draw(np.random.default_rng((seed, n, attempt, *more)))
        except OSError as error:
            log.warning("%s; left out", error)
            continue
        if drawn is not None:
            return drawn
    raise ValueError(what)


def batches(
    dataset: Dataset[Any], stream: Stream, start: int, *, workers: int, to_float: bool = True
) -> Iterator[tuple[Tensor, ...]]:
    """Endless batches, decoded ahead of their use in ``workers`` processes (0 = in this one).

    Args:
        dataset: indexed by sample number.
        stream: which samples this process reads.
        start: first optimizer step.
        workers: processes that decode.
        to_float: convert (uint8 pictures, uint8 masks) to (N3HW float32 in [0, 1], N1HW
            float32).

    Yields:
        The stacked samples.
    """
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=stream.batches(start),  # type: ignore[arg-type]
        num_workers=workers,
        # A forked worker hangs if the trainer has used OpenCV's threads before.
        multiprocessing_context="spawn" if workers else None,
        # Its own generator, so that a resumed run draws the same global random numbers as an
        # uninterrupted one.
        generator=torch.Generator(),
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_worker,
        prefetch_factor=4 if workers else None,
    )
    rows = iter(loader)
    try:
        for row in rows:
            if to_float:
                yield row[0].float().div_(255), row[1].float()
            else:
                yield tuple(row)
    finally:
        # A traceback keeps ``rows`` alive after an error, and its processes heed no signal: the
        # program would wait for them for ever.
        if workers:
            rows._shutdown_workers()  # type: ignore[attr-defined]


def _worker(_: int) -> None:
    """Set up a process that decodes pictures."""
    cv2.setNumThreads(1)  # OpenCV's threads on top of the trainer's slow both down
    # A stop signal reaches the whole process group, and the trainer needs its workers to finish
    # the step.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@lru_cache(maxsize=2)
def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of ``count`` pictures in one epoch: a function of seed and epoch alone.

    A resumed run therefore continues the order.
    """
    return np.random.default_rng((seed, epoch, 7)).permutation(count)
