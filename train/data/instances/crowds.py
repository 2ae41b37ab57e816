"""Groups of cut-out objects of one class in a scene: whose each pixel is, is known.

They stand in rows, one behind another, and across each other, some of them behind something of
another class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.types import Box, FloatArray
from ..labelled import PERSON
from ..objects.canvases import lit
from ..objects.cut_outs import PRECISE, CutOut, CutOuts
from ..objects.pasting import laid
from ..objects.scenes import Scenes
from ..pictures import first_drawn
from .photos import FOLDER
from .views import Labelled, drawn_part, to_sample

#: Side of a scene as a multiple of a sample's, and of the objects as a share of the scene's.
SIDE, SMALLEST, LARGEST = 1.4, 0.2, 0.75
#: Number of objects of a scene: probabilities of 1, 2, ...
COUNT = (0.2, 0.32, 0.22, 0.12, 0.08, 0.06)
#: Share of the scenes that show people, and of those in which something else covers a part.
PEOPLE, COVERED = 0.72, 0.25
#: Distance of an object's middle from the last one's, in its widths: least and most.
APART = (0.15, 1.3)
#: An object is not asked for if less than this share of it, or fewer pixels, are seen.
LEAST_SEEN, LEAST_PIXELS = 0.12, 60
#: Scenes that are tried for a sample.
ATTEMPTS = 20


#: An object and the store that has its pixels.
Drawn: TypeAlias = tuple[CutOuts, CutOut]


@dataclass(frozen=True, eq=False)
class _Laid:
    """An object in the scene: HWC colours, HW alpha, and whether it is of the scene's class."""

    colours: FloatArray
    alpha: FloatArray
    counts: bool


class Crowds(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of ``seed`` and n alone.

    Args:
        data: data folder.
        folders: of cut-outs, as ``cut_outs.build`` and ``singles.build`` wrote them.
        size: side of a sample in pixels.
        held_out: of photos and objects that are never trained on, or of the others.
        seed: see above.

    Raises:
        FileNotFoundError: there are no scenes.
        ValueError: there are no objects.
    """

    def __init__(
        self,
        data: Path,
        folders: Sequence[Path],
        size: int,
        *,
        held_out: bool = False,
        seed: int = 0,
    ) -> None:
        self.size, self.seed = size, seed
        self.scenes = Scenes(data, held_out=held_out)
        stores = [CutOuts(folder, held_out=held_out) for folder in folders]
        known = [(store, e) for store in stores for e in store.entries]
        known = [(s, e) for s, e in known if sum(e.cut) <= 1 and not e.cut[0]]
        # In VOC's labels people who touch are one; the precise folders show one person a photo.
        single = (*PRECISE, FOLDER)
        self.people = [(s, e) for s, e in known if e.category == PERSON and e.source in single]
        self.others = [(s, e) for s, e in known if e.category != PERSON]
        if not self.people and not self.others:
            named = ", ".join(map(str, folders))
            raise ValueError(f"{named}: no object is cut by at most one border, and not above")

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """As ``views.to_sample`` gives them."""
        what = f"sample {n}: no group of objects in {ATTEMPTS} attempts"
        return first_drawn(self._draw, (self.seed, n, 15), ATTEMPTS, what)

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, ...] | None:
        labelled = self._labelled(rng)
        part = drawn_part(labelled, rng, LEAST_PIXELS)
        return None if part is None else to_sample(labelled, part, self.size, rng)

    def _labelled(self, rng: np.random.Generator) -> Labelled:
        """A scene with a group."""
        side = round(SIDE * self.size)
        ground = self.scenes.draw(side, rng).astype(np.float32)
        things = self._group(ground, rng)
        numbers = np.zeros((side, side), np.uint8)
        own = np.zeros(len(things) + 1)
        for i, thing in enumerate(things, 1):
            ground += thing.alpha[..., None] * (thing.colours - ground)
            numbers[thing.alpha >= 0.5] = i
            own[i] = (thing.alpha >= 0.5).sum()
        seen = np.bincount(numbers.ravel(), minlength=len(own))
        boxes = []
        final = np.zeros_like(numbers)
        belongs = np.zeros_like(numbers)
        for i, thing in enumerate(things, 1):
            if not thing.counts:
                continue
            here = numbers == i
            belongs[here] = 1
            if seen[i] >= max(LEAST_PIXELS, LEAST_SEEN * own[i]):
                boxes.append(_corners(Box.bounding(here)))
                final[here] = len(boxes)
        mask = final > 0
        image = np.clip(ground, 0, 255).round().astype(np.uint8)
        return Labelled(image, mask, final, np.array(boxes, np.float32).reshape(-1, 4), belongs)

    def _group(self, ground: FloatArray, rng: np.random.Generator) -> list[_Laid]:
        """Objects of one class, farther ones first, and perhaps something before them."""
        side = len(ground)
        are_people = bool(self.people) and (not self.others or rng.random() < PEOPLE)
        pool = self.people if are_people else self.others
        first = _draw(pool, rng)
        alike = [one for one in pool if one[1].category == first[1].category]
        height = side * float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
        depth, middle = rng.uniform(0, 0.35), rng.uniform(0.15, 0.6) * side
        ground_line = rng.uniform(0.55, 1.02) * side
        placed: list[tuple[float, _Laid]] = []
        for k in range(1 + int(rng.choice(len(COUNT), p=COUNT))):
            drawn = first if k == 0 else _draw(alike, rng)
            near = rng.uniform(-1, 1)  # nearer ones are larger, and stand lower
            tall = height * (1 + depth * near) * rng.uniform(0.85, 1.15)
            foot = ground_line + depth * near * 0.5 * height
            thing, width = self._laid(drawn, tall, (middle, foot), ground, rng, counts=True)
            placed.append((foot, thing))
            middle += rng.uniform(*APART) * width
            if middle > side:
                middle = rng.uniform(0, 0.6) * side
        placed.sort(key=lambda one: one[0])
        things = [thing for _, thing in placed]
        if self.others and self.people and rng.random() < COVERED:
            everything = self.others + self.people
            pool = [one for one in everything if one[1].category != first[1].category]
            if pool:
                place = rng.uniform(0.1, 0.9) * side, ground_line + rng.uniform(0, 0.3) * height
                tall = height * rng.uniform(0.2, 0.9)
                cover, _ = self._laid(_draw(pool, rng), tall, place, ground, rng, counts=False)
                things.insert(int(rng.integers(len(things) + 1)), cover)
        return things

    def _laid(
        self,
        drawn: Drawn,
        tall: float,
        place: tuple[float, float],
        ground: FloatArray,
        rng: np.random.Generator,
        *,
        counts: bool,
    ) -> tuple[_Laid, float]:
        """An object with its foot at a place, and its width in pixels."""
        side = len(ground)
        store, entry = drawn
        rgba = store[entry]
        middle, foot = place
        if entry.cut[2]:  # the photo ends there: so does the scene
            foot = 1.02 * side
        scale = tall / max(rgba.shape[:2])
        turn = float(np.deg2rad(rng.normal(0, 5)))
        centre = middle, foot - scale * rgba.shape[0] / 2
        layer = laid(rgba, scale, centre, side, turn=turn, mirrored=rng.random() < 0.5)
        alpha = np.ascontiguousarray(layer[..., 3]) / 255
        colours = lit(layer[..., :3], alpha, ground, rng)
        return _Laid(colours, alpha.astype(np.float32), counts), scale * rgba.shape[1]


def _draw(pool: list[Drawn], rng: np.random.Generator) -> Drawn:
    return pool[int(rng.integers(len(pool)))]


def _corners(box: Box) -> list[float]:
    return [box.x, box.y, box.right, box.bottom]
