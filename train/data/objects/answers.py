"""The compact segmenter's answers for canvases, computed once and stored."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ....pipeline.detect.mask import whole_objects
from ....pipeline.detect.segmenters import COMPACT_SIZE, NEARER_SIZE, Segmenter
from ....pipeline.pixels import resize
from ....pipeline.types import FloatArray
from .canvases import Canvas, Canvases

#: Side of a canvas, and of a stored answer, in pixels.
CANVAS, STORED = 400, 200
#: A canvas stands for a part of a photo: its side as a share of the photo's longer side.
FARTHEST, NEAREST = 0.22, 0.85
#: The program's default threshold.
THRESHOLD = 0.5
#: The program's two passes over a photo: its longer side in pixels, and whether it is mirrored.
PASSES = ((COMPACT_SIZE, False), (NEARER_SIZE, True))
#: The first canvases, and all held-out ones, get the mean of both passes; the others the nearer
#: pass alone, of a slightly smaller picture, which takes a third of the time less.
BOTH, ALONE = 501, 0.85


class StoredAnswers:
    """What ``build`` has written.

    Args:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data: NDArray[np.uint8] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_data": None}  # a worker maps the file itself

    def __len__(self) -> int:
        return self.path.stat().st_size // STORED**2 if self.path.exists() else 0

    def __getitem__(self, n: int) -> FloatArray:
        """Answer ``n`` at the canvas's size, HW in [0, 1]."""
        if self._data is None or (n + 1) * STORED**2 > len(self._data):
            self._data = np.memmap(self.path, np.uint8, "r")
        block = self._data[n * STORED**2 : (n + 1) * STORED**2]
        small = block.reshape(STORED, STORED).astype(np.float32) / 255
        return resize(small, (CANVAS, CANVAS), cv2.INTER_LINEAR)


def build(path: Path, canvases: Canvases, count: int, segmenter: Segmenter, *, both: bool) -> None:
    """Store the first answers; those that are in the file already stay.

    Args:
        path: the file, whose folder exists.
        canvases: that are segmented.
        count: how many.
        segmenter: the compact segmenter.
        both: make both passes over every canvas.
    """
    done = len(StoredAnswers(path))
    if done >= count:
        return
    with open(path, "ab") as file:
        file.truncate(done * STORED**2)  # a stop may have left a part of an answer
        numbers = range(done, count)
        for n in tqdm(numbers, total=count, initial=done, unit="answer", dynamic_ncols=True):
            share = float(np.random.default_rng((n, 5)).uniform(FARTHEST, NEAREST))
            twice = both or n < BOTH
            answer = answer_for(canvases[n], segmenter, share * (1 if twice else ALONE), both=twice)
            file.write(answer.tobytes())
            file.flush()


def answer_for(
    canvas: Canvas, segmenter: Segmenter, share: float, *, both: bool
) -> NDArray[np.uint8]:
    """The probability of a canvas's class as the program has it.

    Args:
        canvas: the canvas.
        segmenter: the compact segmenter.
        share: the canvas's side as a share of the longer side of the photo that it stands for.
        both: mean of both passes, or the nearer one alone.

    Returns:
        (STORED, STORED), 0 to 255; 0 on objects of the class that stay.
    """
    passes = []
    for longest, mirrored in PASSES[0 if both else 1 :]:
        size = max(64, round(longest * share))
        kind = cv2.INTER_AREA if size < len(canvas.image) else cv2.INTER_LINEAR
        seen = resize(canvas.image, (size, size), kind)
        seen = np.ascontiguousarray(seen[:, ::-1]) if mirrored else seen
        found = segmenter.probabilities(seen, size)[[0, canvas.category]]
        found = found[:, :, ::-1] if mirrored else found
        passes.append([resize(np.ascontiguousarray(p), (STORED, STORED)) for p in found])
    ground, removed = np.mean(passes, axis=0)
    removed = whole_objects(removed, ground, THRESHOLD)
    if canvas.stays.any():
        stays = cv2.dilate(canvas.stays, np.ones((9, 9), np.uint8)) * (canvas.alpha < 0.5)
        removed = removed * (1 - resize(stays, (STORED, STORED)))
    return (removed * 255).round().astype(np.uint8)
