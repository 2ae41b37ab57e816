"""Square pictures of an object from near, with its alpha.

Half are objects pasted into scenes, where alpha is known to the pixel, half are labelled photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.types import FloatArray
from ..labelled import PERSON, VOID, read_pair
from ..pictures import first_drawn
from .cut_outs import CATEGORIES, HELD_OUT, PRECISE, CutOut, CutOuts, label_of, photos_of
from .pasting import laid
from .scenes import Scenes
from .shadows import Stand, Sun, cast, random_sun

#: Share of the canvases that are composites; and how often each labelled folder is drawn.
COMPOSITES = 0.5
PHOTOS = {
    "segmentation/ccp_person": 0.35,
    "segmentation/human": 0.2,
    "segmentation/voc_train": 0.45,
}
#: Half width in pixels of the band along the edges of VOC's labels that counts as unknown.
ROUGH = 3
#: Least share of a canvas that the object takes, and least longer side in pixels of a cut-out.
LEAST, LARGE = 0.02, 110
#: Attempts until a canvas has a large enough object.
ATTEMPTS = 20


@dataclass(eq=False)
class Canvas:
    """A square picture of an object.

    Attributes:
        image: HWC uint8 RGB.
        alpha: HW float32 in [0, 1], what is removed.
        weight: HW float32, 0 = unknown, 1 = known.
        category: VOC class id of the object.
        stays: HW float32 in [0, 1], other objects of the class, which are not removed.
    """

    image: NDArray[np.uint8]
    alpha: FloatArray
    weight: FloatArray
    category: int
    stays: FloatArray


class Canvases:
    """An endless sequence of canvases: number n is a function of ``seed`` and n alone.

    Args:
        data: data folder.
        cut_outs: folder that ``cut_outs.build`` wrote.
        size: side of a canvas in pixels.
        held_out: of scenes, objects and photos that are never trained on, or of the others.
        seed: see above.

    Raises:
        FileNotFoundError: there are no scenes.
        ValueError: there are no objects that are large enough.
    """

    def __init__(
        self, data: Path, cut_outs: Path, size: int, *, held_out: bool = False, seed: int = 0
    ) -> None:
        self.size, self.seed = size, seed
        self.scenes = Scenes(data, held_out=held_out)
        self.cut_outs = CutOuts(cut_outs, held_out=held_out)
        large = [
            entry
            for entry in self.cut_outs.entries
            if max(entry.height, entry.width) >= LARGE and sum(entry.cut) <= 1
        ]
        if not large:
            raise ValueError(
                f"{cut_outs}: no {'held-out ' * held_out}object is {LARGE} pixels long and cut by "
                "at most one border; add labelled photos"
            )
        self.precise = [e for e in large if e.source in PRECISE] or large
        self.others = [e for e in large if e.source not in PRECISE] or large
        photos = {
            source: [p for i, p in enumerate(found) if (i % HELD_OUT == 0) == held_out]
            for source, found in ((s, photos_of(data, s)) for s in PHOTOS)
        }
        self.photos = {source: paths for source, paths in photos.items() if paths}
        weights = np.array([PHOTOS[source] for source in self.photos])
        self._shares = weights / weights.sum()

    def __getitem__(self, n: int) -> Canvas:
        what = f"canvas {n}: no object that is large enough in {ATTEMPTS} attempts"
        return first_drawn(self._draw, (self.seed, n), ATTEMPTS, what)

    def _draw(self, rng: np.random.Generator) -> Canvas | None:
        canvas = self._composite(rng) if rng.random() < COMPOSITES else self._photo(rng)
        return canvas if canvas is not None and canvas.alpha.mean() >= LEAST else None

    def _photo(self, rng: np.random.Generator) -> Canvas | None:
        """A window around an object of a labelled photo; None if the photo has no large one."""
        source = str(rng.choice(list(self.photos), p=self._shares))
        path = self.photos[source][int(rng.integers(len(self.photos[source])))]
        image, label = read_pair(path, label_of(path))
        found = [
            int(c)
            for c in np.unique(label)
            if int(c) in CATEGORIES and (label == c).mean() >= LEAST
        ]
        if not found:
            return None
        category = found[int(rng.integers(len(found)))]
        mask = (label == category).astype(np.uint8)
        known = (label != VOID).astype(np.uint8)
        if source not in PRECISE:
            edge = cv2.dilate(mask, np.ones((3, 3), np.uint8)) != mask
            band = np.ones((2 * ROUGH - 1, 2 * ROUGH - 1), np.uint8)
            known[cv2.dilate(edge.astype(np.uint8), band) > 0] = 0
        matrix, size = self._window(mask, rng), (self.size, self.size)
        picture = cv2.warpAffine(
            image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=(127, 127, 127)
        )
        alpha, weight = (
            cv2.warpAffine(m.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
            for m in (mask, known)
        )
        return Canvas(
            picture,  # type: ignore[arg-type]
            np.clip((alpha - 0.5) * 1.5 + 0.5, 0, 1),
            (weight > 0.99).astype(np.float32),
            category,
            np.zeros_like(alpha),
        )

    def _window(self, mask: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
        """A window around one component of a mask, as a 2 x 3 matrix from photo to canvas.

        Either it shows the whole component, grey where the photo ends, or as much of it as a
        square inside the photo shows.
        """
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA]
        i = 1 + int(rng.choice(len(stats) - 1, p=areas / areas.sum()))
        x, y, w, h = (int(v) for v in stats[i, :4])
        most = max(mask.shape) if rng.random() < 0.6 else min(mask.shape)
        side = min(max(w, h) * rng.uniform(1.1, 2.0), float(most))
        left, top = (
            _placed(centre - side / 2, side, length)
            for centre, length in ((x + w / 2, mask.shape[1]), (y + h / 2, mask.shape[0]))
        )
        s = self.size / side
        return np.array([[s, 0, -left * s], [0, s, -top * s]], np.float32)

    def _composite(self, rng: np.random.Generator) -> Canvas:
        """One or two objects to remove, and up to two that stay, pasted into a scene."""
        size = self.size
        ground = self.scenes.draw(size, rng, closest=0.5).astype(np.float32)
        height = size * rng.uniform(0.38, 0.85)
        first = _draw(self.precise if rng.random() < 0.62 else self.others, rng)
        wanted = [first] + [e for e in [self._alike(first, rng)] if rng.random() < 0.25]
        foreign = [
            _draw(self.precise if rng.random() < 0.5 else self.others, rng)
            for _ in range(int(rng.choice([0, 1, 2], p=[0.55, 0.3, 0.15])))
        ]
        things = [(e, True, height * rng.uniform(0.85, 1.1)) for e in wanted]
        things += [(e, False, height * rng.uniform(0.4, 1.2)) for e in foreign]
        order = rng.permutation(len(things))
        alpha: FloatArray = np.zeros((size, size), np.float32)
        stays: FloatArray = np.zeros((size, size), np.float32)
        sun: Sun | None = random_sun(rng) if rng.random() < 0.5 else None
        for k in order:
            entry, mine, tall = things[int(k)]
            colours, a, stand = self._lay(entry, float(tall), ground, rng)
            if sun is not None:
                ground *= 1 - cast(a, stand, sun, rng)[..., None]
            ground += a[..., None] * (colours - ground)
            alpha = np.maximum(alpha * (1 - a), a) if mine else alpha * (1 - a)
            alike = not mine and entry.category == first.category
            stays = np.maximum(stays, a) if alike else stays * (1 - a)
        image = np.clip(ground, 0, 255).round().astype(np.uint8)
        known = np.ones((size, size), np.float32)
        return Canvas(image, alpha, known, first.category, stays)

    def _alike(self, first: CutOut, rng: np.random.Generator) -> CutOut:
        """Another object of the same class."""
        pool = self.precise if first.category == PERSON else self.others
        return _draw([e for e in pool if e.category == first.category] or [first], rng)

    def _lay(
        self, entry: CutOut, height: float, ground: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, Stand]:
        """An object at a random place: (HWC colours, HW alpha, how it stands)."""
        size = self.size
        rgba = self.cut_outs[entry]
        h = rgba.shape[0]
        scale = min(height / max(rgba.shape[:2]), 1.5)
        mirrored = rng.random() < 0.5
        turn = float(np.deg2rad(rng.normal(0, 5)))
        middle = rng.uniform(0.25, 0.75) * size
        top = rng.uniform(0.0, max(0.02, 1 - scale * h / size)) * size
        if entry.cut[2]:  # the photo ends there: so does the canvas
            top = size - scale * (h - 5)
        elif entry.cut[0]:
            top = -scale * 4.0
        whole = laid(rgba, scale, (middle, top + scale * h / 2), size, turn=turn, mirrored=mirrored)
        alpha: FloatArray = whole[..., 3] / np.float32(255)
        colours = lit(whole[..., :3], alpha, ground, rng)
        if rng.random() < 0.12:
            colours, alpha = _moved(colours, alpha, rng)
        stand = Stand(float(top + scale * h - 4), float(middle), float(scale * h))
        return colours, np.ascontiguousarray(alpha), stand


def lit(
    colours: FloatArray,
    alpha: FloatArray,
    ground: FloatArray,
    rng: np.random.Generator,
    *,
    least: float = 0.8,
) -> FloatArray:
    """The object's colours in more or less the scene's light, darkened to ``least``."""
    mean = np.array(cv2.mean(colours, (alpha > 0.5).astype(np.uint8))[:3], np.float32)
    towards = rng.uniform(0, 0.5) * (ground[::8, ::8].mean((0, 1)) - mean)
    gain = rng.uniform(least, 1.2)
    return colours * np.float32(gain) + (gain * towards).astype(np.float32)


def _moved(
    colours: FloatArray, alpha: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Motion or focus blur of an object, its colours weighted by alpha."""
    if rng.random() < 0.5:
        length, angle = int(rng.integers(3, 15)), rng.uniform(0, np.pi)
        kernel = np.zeros((length | 1, length | 1), np.float32)
        half = length // 2
        start, end = (
            (round(half + s * half * np.cos(angle)), round(half + s * half * np.sin(angle)))
            for s in (-1, 1)
        )
        cv2.line(kernel, start, end, 1.0)
    else:
        line = cv2.getGaussianKernel(9, float(rng.uniform(0.7, 2.0))).astype(np.float32)
        kernel = line @ line.T
    kernel /= kernel.sum()
    soft = cv2.filter2D(alpha, -1, kernel)
    blurred = cv2.filter2D(colours * alpha[..., None], -1, kernel)
    return blurred / np.maximum(soft, 1e-3)[..., None], soft


def _placed(start: float, side: float, length: int) -> float:
    """Where a window begins: inside where it fits, centred where it does not."""
    return float(np.clip(start, 0, length - side)) if side <= length else (length - side) / 2


def _draw(pool: Sequence[CutOut], rng: np.random.Generator) -> CutOut:
    return pool[int(rng.integers(len(pool)))]
