"""Samples of the refiner: a canvas, and a coarse probability from the segmenter or made up."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.pixels import dilate_square, resize
from ....pipeline.types import FloatArray
from ..labelled import PERSON
from .answers import CANVAS, StoredAnswers
from .canvases import Canvas, Canvases
from .photo_noise import photo_noise
from .rough import rough_probability, spoilt, unsure

#: Share of the samples with the segmenter's own answer, and of those, the share that is spoilt.
REAL, SPOILT = 0.6, 0.35
#: Least side in pixels of the window of a canvas that a sample shows.
CLOSEST = 270
#: The segmenter's answer counts where it overlaps the object by this much (IoU): below, it is about
#: something else.
LEAST_OVERLAP = 0.35
#: Half width in pixels of what is near an edge, and how much the rest counts.
NEAR, FAR = 7, 0.2
#: What the segmenter calls a person at least so many pixels from the object may be another person.
APART = 10


class RefinerSamples(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of ``seed``, n and the answers.

    Args:
        canvases: those that ``answers`` belongs to.
        fresh: others, for probabilities that are made up.
        answers: the segmenter's.
        size: side of a sample in pixels.
        seed: see above.
    """

    def __init__(
        self,
        canvases: Canvases,
        fresh: Canvases,
        answers: StoredAnswers,
        *,
        size: int,
        seed: int = 0,
    ) -> None:
        self.canvases, self.fresh, self.answers = canvases, fresh, answers
        self.count, self.size, self.seed = len(answers), size, seed

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """(3HW RGB, 1HW coarse, 1HW alpha, 1HW weight), uint8, 0 to 255; see ``weighted``."""
        rng = np.random.default_rng((self.seed, n, 3))
        canvas, coarse = self._pair(n, rng)
        side = int(rng.integers(CLOSEST, CANVAS + 1))
        top, left = (int(rng.integers(CANVAS - side + 1)) for _ in range(2))
        window = slice(top, top + side), slice(left, left + side)
        flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
        size = self.size, self.size
        maps = np.dstack([coarse, canvas.alpha, canvas.weight])[window][:, flip]
        maps = resize(maps, size, cv2.INTER_LINEAR)
        maps[..., 2] = weighted(maps[..., 1], maps[..., 2])
        seen = resize(canvas.image[window][:, flip], size, cv2.INTER_LINEAR)
        return to_tensors(photo_noise(_recoloured(seen, rng), rng), maps)

    def _pair(self, n: int, rng: np.random.Generator) -> tuple[Canvas, FloatArray]:
        """A canvas and its coarse probability."""
        if rng.random() < REAL and self.count:
            i = int(rng.integers(self.count))
            canvas, coarse = self.canvases[i], self.answers[i]
            if overlap(coarse, canvas) < LEAST_OVERLAP:
                return canvas, rough_probability(canvas.alpha, rng)
            canvas.weight = canvas.weight * (1 - strangers(coarse, canvas))
            if rng.random() < SPOILT:
                coarse = unsure(spoilt(coarse, rng), float(rng.uniform(0.6, 3.0)), rng)
            return canvas, coarse
        canvas = self.fresh[n]
        return canvas, rough_probability(canvas.alpha, rng)


def held_out_samples(
    canvases: Canvases, answers: StoredAnswers, count: int, side: int
) -> list[tuple[Tensor, ...]]:
    """Samples without any chance, of the canvases whose object the segmenter found.

    Args:
        canvases: held-out ones.
        answers: theirs.
        count: how many canvases.
        side: of the window in the middle of a canvas, in pixels.

    Returns:
        As ``RefinerSamples``; the weight is 255 wherever alpha is known.
    """
    edge = (CANVAS - side) // 2
    window = slice(edge, edge + side), slice(edge, edge + side)
    samples = []
    for n in range(min(count, len(answers))):
        canvas, coarse = canvases[n], answers[n]
        if overlap(coarse, canvas) < LEAST_OVERLAP:
            continue
        weight = canvas.weight * (1 - strangers(coarse, canvas))
        _, data = cv2.imencode(".jpg", canvas.image, [cv2.IMWRITE_JPEG_QUALITY, 88])
        image: NDArray[Any] = cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[assignment]
        samples.append(to_tensors(image[window], np.dstack([coarse, canvas.alpha, weight])[window]))
    return samples


def to_tensors(image: NDArray[np.uint8], maps: FloatArray) -> tuple[Tensor, ...]:
    """A picture HWC and maps HWC in [0, 1] as 3HW uint8 and a 1HW uint8 of each map."""
    bytes_ = (np.clip(maps, 0, 1) * 255).round().astype(np.uint8).transpose(2, 0, 1)
    picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return picture, *(torch.from_numpy(m[None].copy()) for m in bytes_)


def weighted(alpha: FloatArray, known: FloatArray) -> FloatArray:
    """How much a pixel counts: 1 near the edge, ``FAR`` elsewhere, 0 where alpha is unknown."""
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    near = (cv2.dilate(alpha, kernel) > 0.02) & (cv2.erode(alpha, kernel) < 0.98)
    return np.where(near, 1.0, FAR).astype(np.float32) * (known > 0.99)


def strangers(coarse: FloatArray, canvas: Canvas) -> FloatArray:
    """1 where the segmenter may have found a person who is not labelled.

    There are some in the streets, and in the background of fashion photos.
    """
    if canvas.category != PERSON:
        return np.zeros_like(coarse)
    known = dilate_square(np.maximum(canvas.alpha, canvas.stays) >= 0.1, APART)
    return ((coarse >= 0.25) & ~known).astype(np.float32)


def overlap(coarse: FloatArray, canvas: Canvas) -> float:
    """Intersection over union of a coarse probability and the object, where it is known."""
    known = canvas.weight > 0
    a, b = (coarse >= 0.5) & known, (canvas.alpha >= 0.5) & known
    return float((a & b).sum() / max(1, (a | b).sum()))


def _recoloured(image: NDArray[np.uint8], rng: np.random.Generator) -> FloatArray:
    """HWC float32 in [0, 1], each channel a little brighter or darker; now and then grey."""
    found = image.astype(np.float32) / 255 * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.05:
        found = np.repeat(found.mean(2, keepdims=True), 3, axis=2)
    return np.clip(found, 0, 1)
