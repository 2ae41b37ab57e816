"""Faces to train the face detector on: a teacher's boxes, and its samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ...models.face_detector import PLACES
from ...pipeline.pixels import resize, scaled_size
from ...pipeline.types import FloatArray
from ..face_teacher import FaceTeacher
from .objects.boxes import CERTAIN as CENTRE
from .objects.boxes import INNER, target, taught
from .objects.photo_noise import photo_noise
from .pictures import read_rgb

#: Folder of single faces below the data folder.
SINGLE = "faces/train"
#: How many of those of single faces are used.
MOST_SINGLE = 1500
#: Longer side in pixels at which the teacher sees a photo, and a picture of a single face.
SIZE, SINGLE_SIZE = 576, 192
#: Least score of a face that is stored, and the score from which it is a face. What lies between
#: them counts neither way.
STORED, CERTAIN = 0.3, 0.7
#: Shares of samples that show 1, 4 and 9 parts of photos.
PARTS = (0.35, 0.4, 0.25)
#: Shares of the parts that are of a photo with faces, and of a single face; the rest is of any.
WITH_FACES, SINGLE_FACES = 0.65, 0.15
#: Least size in pixels of a face that is aimed at, the largest one's share of its part, and by how
#: much a photo is enlarged at most.
SMALLEST, LARGEST, ENLARGED = 9.0, 0.8, 2.5
#: Least size in pixels of a face that is to be found; a smaller one counts neither way.
LEAST = 8.0
#: Standard deviation of a part's rotation in degrees, and the largest one.
ROTATION, MOST_ROTATION = 14.0, 50.0

#: n6: left, top, right, bottom in pixels, score in [0, 1], how far it is turned (``yaw``).
Faces = NDArray[np.float32]


def build(
    path: Path, data: Path, photos: Sequence[Path], teacher: FaceTeacher | None
) -> dict[Path, Faces]:
    """The teacher's faces of every photo; see ``train.data.objects.boxes.taught``."""

    def detect(teacher: FaceTeacher, photo: Path) -> list[list[float]]:
        size = SINGLE_SIZE if photo.is_relative_to(data / SINGLE) else SIZE
        found = teacher.faces(read_rgb(photo), size, STORED)
        return [[round(float(v), 3) for v in row] for row in found]

    return {
        p: np.array(rows, np.float32).reshape(-1, 6)
        for p, rows in taught(path, data, photos, teacher, detect).items()
    }


class FaceSamples(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of ``seed`` and n alone.

    Args:
        faces: of each photo, from ``build``.
        single: those of the photos that show one face from near.
        size: side of a sample in pixels, 32 k + 1.
        seed: see above.
    """

    def __init__(
        self, faces: dict[Path, Faces], single: Sequence[Path], *, size: int, seed: int = 0
    ) -> None:
        self.faces, self.size, self.seed = faces, size, seed
        near = set(single)
        self.photos = sorted(set(faces) - near) or sorted(near)
        self.people = [p for p in self.photos if _certain(faces[p]).any()] or self.photos
        self.single = [p for p in sorted(near) if _certain(faces[p]).any()] or self.people

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """(3HW RGB uint8, and what ``wanted`` returns)."""
        rng = np.random.default_rng((self.seed, n, 11))
        canvas = np.full((self.size, self.size, 3), 127, np.uint8)
        count = int(rng.choice(len(PARTS), p=PARTS)) + 1
        cuts = [round(self.size * (i + rng.uniform(-0.15, 0.15)) / count) for i in range(1, count)]
        edges = [0, *cuts, self.size]
        found = [
            self._put(canvas, (left, top, right, bottom), rng)
            for top, bottom in pairwise(edges)
            for left, right in pairwise(edges)
        ]
        image = canvas.astype(np.float32) / 255
        if rng.random() < 0.1:
            image = np.repeat(image.mean(2, keepdims=True), 3, axis=2)
        elif rng.random() < 0.3:
            image *= rng.uniform(0.8, 1.2, 3).astype(np.float32)
        spoilt = photo_noise(image, rng)
        picture = torch.from_numpy(np.ascontiguousarray(spoilt.transpose(2, 0, 1)))
        aims = wanted(np.concatenate(found), (self.size - 1) // PLACES + 1)
        return picture, *(torch.from_numpy(aim) for aim in aims)

    def _put(
        self, canvas: NDArray[np.uint8], part: tuple[int, int, int, int], rng: np.random.Generator
    ) -> Faces:
        """Put a random photo into a part of the canvas, turned a little; return its faces there."""
        left, top, right, bottom = part
        width, height = right - left, bottom - top
        kind = rng.random()
        files = self.photos
        if kind < WITH_FACES + SINGLE_FACES:
            files = self.people if kind < WITH_FACES else self.single
        path = files[int(rng.integers(len(files)))]
        image, faces = read_rgb(path), self.faces[path]
        middle, scale = _aim(image.shape, faces, (width, height), rng)
        angle = np.deg2rad(np.clip(rng.normal(0, ROTATION), -MOST_ROTATION, MOST_ROTATION))
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        turn = scale * np.array(
            [[np.cos(angle) * mirror, -np.sin(angle)], [np.sin(angle) * mirror, np.cos(angle)]]
        )
        there = rng.uniform(0.25, 0.75, 2) * np.array([width, height])
        matrix = np.concatenate([turn, (there - turn @ middle)[:, None]], axis=1)
        canvas[top:bottom, left:right] = _warped(image, matrix, scale, (width, height))
        return _moved(faces, matrix, (width, height), (left, top))


def _aim(
    shape: tuple[int, ...], faces: Faces, size: tuple[int, int], rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """What of a photo is shown, a face if it has any: (the place x, y; the scale)."""
    h, w = shape[:2]
    sure = np.flatnonzero(_certain(faces))
    fit = max(size) / max(h, w)
    if len(sure):
        x0, y0, x1, y1 = faces[int(rng.choice(sure)), :4]
        most = max(1.5 * SMALLEST, LARGEST * min(size))
        side = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(most))))
        scale = side / float(max(x1 - x0, y1 - y0))
        middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    else:
        scale = fit * float(np.exp(rng.uniform(*np.log([0.6, 2.0]))))
        middle = rng.uniform(0, 1, 2) * np.array([w, h])
    return middle, min(max(scale, 0.3 * fit), ENLARGED)


def _warped(
    image: NDArray[np.uint8], matrix: FloatArray, scale: float, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """A photo under an affine map; first reduced without aliases where the map reduces it much."""
    h, w = image.shape[:2]
    if scale < 0.5:
        image = resize(image, scaled_size(image.shape, 1.25 * scale))
    back = np.diag([w / image.shape[1], h / image.shape[0], 1.0])
    warped = cv2.warpAffine(
        image, matrix @ back, size, flags=cv2.INTER_LINEAR, borderValue=(127,) * 3
    )
    return warped.astype(np.uint8, copy=False)


def _certain(faces: Faces) -> NDArray[np.bool_]:
    return np.asarray(faces[:, 4] >= CERTAIN)


def _moved(
    faces: Faces, matrix: FloatArray, size: tuple[int, int], shift: tuple[int, int]
) -> Faces:
    """Faces under an affine map, cut off at a size and shifted; of ellipses, the boxes around them.

    Those of which little is left, and very small ones, get a score below ``CERTAIN``.
    """
    moved = faces.copy()
    middle = (faces[:, :2] + faces[:, 2:4]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = (faces[:, 2:4] - faces[:, :2]) / 2
    reach = np.sqrt(half**2 @ (matrix[:, :2] ** 2).T)
    limits = np.array(size, np.float32)
    before = np.concatenate([middle - reach, middle + reach], axis=1)
    moved[:, :2], moved[:, 2:4] = before[:, :2].clip(0, limits), before[:, 2:].clip(0, limits)
    sides = moved[:, 2:4] - moved[:, :2]
    whole = np.prod(before[:, 2:] - before[:, :2], axis=1)
    poor = (np.prod(sides, axis=1) < 0.5 * whole) | (sides.max(1, initial=0) < LEAST)
    moved[poor, 4] = np.minimum(moved[poor, 4], CERTAIN / 2)
    moved[:, :4] += np.array([*shift, *shift], np.float32)
    return moved[sides.min(1, initial=np.inf) > 1]


def wanted(
    faces: Faces, places: int
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_], FloatArray]:
    """What the network should say of faces.

    Args:
        faces: n6.
        places: side of the output.

    Returns:
        (the four of ``train.data.objects.boxes.target``; 1hw, how far a face is turned, where the
        distances to the sides count)
    """
    rows = faces.copy()
    rows[:, 4] = np.where(_certain(faces), 1.0, CENTRE / 2)
    rows[:, 5] = 1
    heat, weight, sides, counts = target(rows, places, 1)
    turn = np.zeros((1, places, places), np.float32)
    at = np.arange(places, dtype=np.float32) * PLACES
    for x0, y0, x1, y1, _, turned in faces[_certain(faces)]:
        reach_x, reach_y = (max(INNER * s, PLACES) for s in (x1 - x0, y1 - y0))
        inner = np.ix_(np.abs(at - (y0 + y1) / 2) <= reach_y, np.abs(at - (x0 + x1) / 2) <= reach_x)
        turn[0][inner] = min(float(turned), 1.0)
    return heat, weight, sides, counts, turn
