"""Photos of people whose things are labelled: what a removed person carries, and what stays.

Each source of photos has its folder. A photo ``NAME_image.png`` has two labels beside it. In
``NAME_people.png`` a pixel's value is the number of its person; in ``NAME_things.png`` it is the
number of the person who carries the thing there. 0 is nothing, 255 unknown.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.pixels import resize
from ....pipeline.types import Box, Mask, Pixels
from ..objects.photo_noise import photo_noise
from ..objects.scenes import HELD_OUT
from ..pictures import first_drawn, read_rgb
from .views import coloured, given_mask, square_around, to_tensors

#: Folder below the data folder.
FOLDER = "effects/photos"
#: Label of a pixel of which nobody knows what it is.
UNKNOWN = 255
#: Share of the samples in which everybody goes; in the others one person does.
EVERYBODY = 0.3
#: How much more often than another one a person goes who carries something.
CARRYING = 6.0
#: Fewer pixels of a person are none.
LEAST_PIXELS = 60
#: Photos that are tried for a sample.
ATTEMPTS = 20
#: Half width in pixels of the photo of the band along a thing's label that counts as unknown.
ROUGH = 1


class LabelledThings(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of ``seed`` and n alone.

    Args:
        data: data folder.
        size: side of a sample in pixels.
        held_out: of photos that are never trained on, or of the others.
        seed: see above.

    Raises:
        FileNotFoundError: there are no such photos.
    """

    def __init__(self, data: Path, size: int, *, held_out: bool = False, seed: int = 0) -> None:
        self.size, self.seed = size, seed
        self.paths: list[list[Path]] = []
        for folder in sorted(p for p in (data / FOLDER).glob("*") if p.is_dir()):
            names = sorted(folder.glob("*_image.png"))
            chosen = [p for i, p in enumerate(names) if (i % HELD_OUT == 0) == held_out]
            if chosen:
                self.paths.append(chosen)
        if not self.paths:
            raise FileNotFoundError(f"{data / FOLDER}: no folder with *_image.png found")
        # A large source is drawn more often than a small one, though not in proportion.
        weights = np.array([len(paths) ** 0.5 for paths in self.paths])
        self._shares = weights / weights.sum()

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """As ``views.to_tensors`` gives them. Shadows and reflections are unknown."""
        return first_drawn(
            self._draw,
            (self.seed, n, 14),
            ATTEMPTS,
            f"{FOLDER}: {ATTEMPTS} photos could not be read or show nobody of "
            f"{LEAST_PIXELS} pixels",
        )

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, ...] | None:
        source = self.paths[int(rng.choice(len(self.paths), p=self._shares))]
        path = source[int(rng.integers(len(source)))]
        image = read_rgb(path)
        people, things = (_label(path, kind) for kind in ("people", "things"))
        chosen = _chosen(people, things, rng)
        return self._sample(image, people, things, chosen, rng) if chosen else None

    def _sample(
        self,
        image: Pixels,
        people: Pixels,
        things: Pixels,
        chosen: list[int],
        rng: np.random.Generator,
    ) -> tuple[Tensor, ...]:
        persons, carried = np.isin(people, chosen), np.isin(things, chosen)
        known = (things != UNKNOWN) & (people != UNKNOWN) & ~_edge(carried, ROUGH)
        square = square_around(Box.bounding(persons), persons.shape, rng)
        flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
        size = (self.size, self.size)
        how = cv2.INTER_AREA if square.w > self.size else cv2.INTER_LINEAR
        picture = resize(image[square.slices][:, flip], size, how)
        body, goes, sure = (
            resize(m[square.slices][:, flip].astype(np.float32), size, how)
            for m in (persons, persons | carried, known)
        )
        picture = photo_noise(coloured(picture.astype(np.float32) / 255, rng), rng)
        none = np.zeros((2, *size), np.float32)
        mask = given_mask(body, rng, none[0])
        return to_tensors(
            picture, mask, goes, none, none, carried_is_known=(sure > 0.99).astype(np.float32)
        )


def _label(path: Path, kind: str) -> Pixels:
    label = path.with_name(path.name.replace("_image.png", f"_{kind}.png"))
    values = cv2.imread(str(label), cv2.IMREAD_GRAYSCALE)
    if values is None:
        raise OSError(f"{label}: cannot be read; every photo of {FOLDER} has one")
    return values  # type: ignore[return-value]


def _chosen(people: Pixels, things: Pixels, rng: np.random.Generator) -> list[int]:
    """The numbers of the people who go."""
    numbers, counts = np.unique(people, return_counts=True)
    found = [
        int(n)
        for n, count in zip(numbers, counts, strict=True)
        if n not in (0, UNKNOWN) and count >= LEAST_PIXELS
    ]
    if not found or rng.random() < EVERYBODY:
        return found
    weights = np.array([CARRYING if (things == n).any() else 1.0 for n in found])
    return [int(rng.choice(found, p=weights / weights.sum()))]


def _edge(mask: Mask, radius: int) -> Mask:
    """The band of ``radius`` pixels on both sides of a mask's edge."""
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    values = mask.astype(np.uint8)
    band: Mask = cv2.dilate(values, kernel) != cv2.erode(values, kernel)
    return band
