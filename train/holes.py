"""Random holes to train with. Every generator returns bool HW, True = hole, and takes the random state it uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
HoleGenerator = Callable[[int, np.random.Generator], Mask]


def rectangle(size: int, rng: np.random.Generator, *, side: int | None = None, centred: bool = False) -> Mask:
    """A square hole of ``side`` pixels (default: half of ``size``), anywhere or in the centre."""
    side = side or size // 2
    top, left = ((size - side) // 2,) * 2 if centred else (int(v) for v in rng.integers(0, size - side + 1, 2))
    hole = np.zeros((size, size), bool)
    hole[top : top + side, left : left + side] = True
    return hole


def edge(size: int, rng: np.random.Generator, *, low: float = 0.25, high: float = 0.35) -> Mask:
    """A strip of ``low`` to ``high`` of the picture at the top, bottom, left or right (Wu & Cui: about 30 %)."""
    width = round(size * rng.uniform(low, high))
    hole = np.zeros((size, size), bool)
    hole[:width] = True
    return np.ascontiguousarray(np.rot90(hole, int(rng.integers(4))))


def strokes(size: int, rng: np.random.Generator) -> Mask:
    """Free-form brush strokes: random walks of random width, as in Yu et al. 2019."""
    canvas = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        point = rng.uniform(0, size, 2)
        angle = rng.uniform(0, 2 * np.pi)
        width = int(rng.uniform(0.02, 0.13) * size) + 1
        for _ in range(int(rng.integers(2, 9))):
            angle += rng.uniform(-1.0, 1.0)
            target = point + rng.uniform(0.05, 0.3) * size * np.array([np.cos(angle), np.sin(angle)])
            start, end = [tuple(int(v) for v in p) for p in (point, target)]
            cv2.line(canvas, start, end, 1, width)
            cv2.circle(canvas, end, width // 2, 1, -1)
            point = target
    return canvas.astype(bool)


def mask_folder(folder: Path) -> HoleGenerator:
    """Holes from a folder of pictures (white = hole), turned, mirrored and cropped to half to all of their size."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".png", ".jpg", ".bmp"})
    if not files:
        raise FileNotFoundError(f"{folder}: no mask pictures (.png, .jpg, .bmp) found")
    masks = [np.packbits(_read_grey(p) > 127, axis=None) for p in files]
    shapes = [_read_grey(p).shape for p in files]

    def generate(size: int, rng: np.random.Generator) -> Mask:
        i = int(rng.integers(len(masks)))
        h, w = shapes[i]
        mask = np.unpackbits(masks[i], count=h * w).reshape(h, w)
        mask = np.rot90(mask, int(rng.integers(4)))
        if rng.random() < 0.5:
            mask = mask[:, ::-1]
        side = int(rng.uniform(0.5, 1.0) * min(mask.shape))
        top, left = (int(rng.integers(0, s - side + 1)) for s in mask.shape)
        crop = np.ascontiguousarray(mask[top : top + side, left : left + side])
        return cv2.resize(crop, (size, size), interpolation=cv2.INTER_NEAREST).astype(bool)

    return generate


def object_shapes(label_folders: Sequence[Path]) -> HoleGenerator:
    """Silhouettes of real objects from label pictures (1-20 = object), scaled, moved and dilated: what removal leaves."""
    files = sorted(p for folder in label_folders for p in folder.glob("*.png"))
    if not files:
        raise FileNotFoundError(f"no label pictures (.png) found in {', '.join(str(f) for f in label_folders)}")
    cache: dict[Path, Mask] = {}

    def generate(size: int, rng: np.random.Generator) -> Mask:
        for _ in range(20):
            path = files[int(rng.integers(len(files)))]
            if path not in cache:
                cache[path] = _largest_object(_read_grey(path))
            shape = cache[path]
            if shape.size == 0:
                continue
            # 3 to 30 % of the picture's area as the silhouette's bounding square.
            side = size * float(np.sqrt(rng.uniform(0.03, 0.30)))
            scale = side / float(np.sqrt(shape.shape[0] * shape.shape[1]))
            h, w = (min(size, max(3, round(s * scale))) for s in shape.shape)
            small = cv2.resize(shape.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
            if rng.random() < 0.5:
                small = small[:, ::-1]
            hole = np.zeros((size, size), np.uint8)
            top, left = int(rng.integers(0, size - h + 1)), int(rng.integers(0, size - w + 1))
            hole[top : top + h, left : left + w] = small
            grow = 2 * int(rng.integers(1, max(2, size // 32))) + 1
            return cv2.dilate(hole, np.ones((grow, grow), np.uint8)).astype(bool)
        return strokes(size, rng)

    return generate


def mixture(generators: Sequence[tuple[float, HoleGenerator]], *, low: float = 0.01, high: float = 0.6) -> HoleGenerator:
    """Draw a generator by weight; draw again until the hole is between ``low`` and ``high`` of the picture."""
    weights = np.array([w for w, _ in generators]) / sum(w for w, _ in generators)

    def generate(size: int, rng: np.random.Generator) -> Mask:
        for _ in range(50):
            hole = generators[int(rng.choice(len(generators), p=weights))][1](size, rng)
            if low <= hole.mean() <= high:
                return hole
        return rectangle(size, rng, side=size // 3)

    return generate


def _read_grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise OSError(f"{path}: not a readable picture")
    return image if image.ndim == 2 else image[..., 0]  # type: ignore[return-value]


def _largest_object(labels: NDArray[np.uint8]) -> Mask:
    found = ((labels > 0) & (labels < 255)).astype(np.uint8)
    count, components, stats, _ = cv2.connectedComponentsWithStats(found)
    if count < 2:
        return np.zeros((0, 0), bool)
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h, area = (int(v) for v in stats[best])
    if area < 200:
        return np.zeros((0, 0), bool)
    return components[y : y + h, x : x + w] == best
