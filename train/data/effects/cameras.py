"""Moments of cameras that do not move: objects with their true shadows and reflections.

A moment ``N_image.png`` of a camera has beside it ``N_objects.png``, 255 = object, and
``N_shadow.png`` and ``N_reflection.png``, 255 = effect, 0 = none, between = unknown. A video gives
them: its background is known, and what differs from it is an object or an effect.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.pixels import resize
from ....pipeline.types import Box, FloatArray, Mask, Pixels
from ..objects.photo_noise import photo_noise
from ..pictures import first_drawn, read_rgb
from .views import coloured, given_mask, square_around, to_tensors

#: Folder below the data folder: one folder for each camera.
FOLDER = "effects/cameras"
#: One camera in so many, with all its moments, is never trained on.
HELD_OUT = 6
#: Least pixels of an object.
LEAST_PIXELS = 80
#: Moments that are tried for a sample.
ATTEMPTS = 20
#: Share of the samples in which every object of the view goes; in the others one does.
EVERYTHING = 0.5
#: An effect whose distances to two objects differ by less than this factor may be of either.
WHOSE = 1.6


class CameraMoments(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of ``seed`` and n alone.

    Args:
        data: data folder.
        size: side of a sample in pixels.
        held_out: of cameras that are never trained on, or of the others.
        seed: see above.

    Raises:
        FileNotFoundError: there are no such cameras.
    """

    def __init__(self, data: Path, size: int, *, held_out: bool = False, seed: int = 0) -> None:
        self.size, self.seed = size, seed
        cameras = sorted(p for p in (data / FOLDER).glob("*") if p.is_dir())
        chosen = [p for i, p in enumerate(cameras) if (i % HELD_OUT == 0) == held_out]
        moments = [sorted(camera.glob("*_image.png")) for camera in chosen]
        self.moments = [found for found in moments if found]
        if not self.moments:
            raise FileNotFoundError(f"{data / FOLDER}: no camera with *_image.png found")

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """As ``views.to_tensors`` gives them. What does not move is carried by nobody."""
        return first_drawn(
            self._draw,
            (self.seed, n, 15),
            ATTEMPTS,
            f"{FOLDER}: {ATTEMPTS} moments could not be read or show no object of "
            f"{LEAST_PIXELS} pixels",
        )

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, ...] | None:
        camera = self.moments[int(rng.integers(len(self.moments)))]
        path = camera[int(rng.integers(len(camera)))]
        objects = _map(path, "objects") >= 128
        image = read_rgb(path)
        effects = np.stack([_map(path, kind) for kind in ("shadow", "reflection")])
        count, labels, stats, _ = cv2.connectedComponentsWithStats(objects.astype(np.uint8))
        large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= LEAST_PIXELS]
        return self._sample(image, effects, labels, large, rng) if large else None

    def _sample(
        self,
        image: Pixels,
        effects: NDArray[np.uint8],
        labels: NDArray[np.int32],
        large: list[int],
        rng: np.random.Generator,
    ) -> tuple[Tensor, ...]:
        first = int(rng.choice(large))
        square = square_around(Box.bounding(labels == first), labels.shape, rng)
        seen = labels[square.slices]
        everything = rng.random() < EVERYTHING
        removed = seen > 0 if everything else seen == first
        others = (seen > 0) & ~removed
        own, doubtful = _whose(removed, others)
        flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
        size = (self.size, self.size)
        how = cv2.INTER_AREA if square.w > self.size else cv2.INTER_LINEAR

        def small(layer: NDArray[np.generic]) -> FloatArray:
            return resize(layer[:, flip].astype(np.float32), size, how)

        picture = resize(image[square.slices][:, flip], size, how)
        here = effects[(slice(None), *square.slices)]
        unknown = ((here > 20) & (here < 235)) | ((here >= 235) & doubtful)
        if not (effects[1] >= 235).any():  # a shadow on a bright floor may be a reflection too
            unknown[1] = True
        # Another object's pixels have no effect that anybody could see.
        yes = (here >= 235) & own & ~others
        found = np.stack([small(layer) for layer in yes])
        known = np.stack([small(layer) < 0.01 for layer in unknown]).astype(np.float32)
        body = small(removed)
        still = small((here > 20).any(0) | (seen > 0)) < 0.01
        picture = photo_noise(coloured(picture.astype(np.float32) / 255, rng), rng)
        mask = given_mask(body, rng, found.max(0))
        return to_tensors(
            picture, mask, body, found, known, carried_is_known=still.astype(np.float32)
        )


def _map(path: Path, kind: str) -> NDArray[np.uint8]:
    beside = path.with_name(path.name.replace("_image.png", f"_{kind}.png"))
    values = cv2.imread(str(beside), cv2.IMREAD_GRAYSCALE)
    if values is None:
        raise OSError(f"{beside}: cannot be read; every moment of {FOLDER} has one")
    return values  # type: ignore[return-value]


def _whose(removed: Mask, others: Mask) -> tuple[Mask, Mask]:
    """(pixels nearer to what is removed than to other objects, those of which nobody can say)."""
    if not others.any():
        return np.ones_like(removed), np.zeros_like(removed)
    near, far = (
        cv2.distanceTransform((~m).astype(np.uint8), cv2.DIST_L2, 3) for m in (removed, others)
    )
    doubtful: Mask = (near < WHOSE * far) & (far < WHOSE * near) & ~removed & ~others
    own: Mask = near <= far
    return own, doubtful
