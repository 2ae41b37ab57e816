"""Random holes for training.

Every generator takes a size in pixels and a random state, and returns bool HW with True = hole.
All are functions or classes of this module, so that they can be sent to the processes that
decode pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Mask = NDArray[np.bool_]
HoleGenerator = Callable[[int, np.random.Generator], Mask]
#: (weight, name) of each kind of hole of a mixture.
Kinds = tuple[tuple[float, str], ...]


def rectangle(
    size: int, rng: np.random.Generator, *, side: int | None = None, centred: bool = False
) -> Mask:
    """A square hole of ``side`` pixels (default: half of ``size``), anywhere or in the centre."""
    side = side or size // 2
    top, left = (
        ((size - side) // 2,) * 2
        if centred
        else (int(v) for v in rng.integers(0, size - side + 1, 2))
    )
    hole = np.zeros((size, size), bool)
    hole[top : top + side, left : left + side] = True
    return hole


def edge(size: int, rng: np.random.Generator, *, low: float = 0.25, high: float = 0.35) -> Mask:
    """A strip of ``low`` to ``high`` of the picture's side, at one of the four borders.

    Wu & Cui remove about 30 %.
    """
    width = round(size * rng.uniform(low, high))
    hole = np.zeros((size, size), bool)
    hole[:width] = True
    return np.ascontiguousarray(np.rot90(hole, int(rng.integers(4))))


def centred(size: int, rng: np.random.Generator) -> Mask:
    """``rectangle`` of half the side, in the centre."""
    return rectangle(size, rng, centred=True)


def any_rectangle(size: int, rng: np.random.Generator) -> Mask:
    """A square of an eighth to half of the side, anywhere."""
    return rectangle(size, rng, side=int(rng.integers(max(1, size // 8), size // 2)))


def strokes(size: int, rng: np.random.Generator) -> Mask:
    """Free-form brush strokes: random walks of random width, as in Yu et al. 2019."""
    canvas = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        point = rng.uniform(0, size, 2)
        angle = rng.uniform(0, 2 * np.pi)
        width = int(rng.uniform(0.02, 0.13) * size) + 1
        for _ in range(int(rng.integers(2, 9))):
            angle += rng.uniform(-1.0, 1.0)
            target = point + rng.uniform(0.05, 0.3) * size * np.array(
                [np.cos(angle), np.sin(angle)]
            )
            start, end = [tuple(int(v) for v in p) for p in (point, target)]
            cv2.line(canvas, start, end, 1, width)
            cv2.circle(canvas, end, width // 2, 1, -1)
            point = target
    return canvas.astype(bool)


def blobs(size: int, rng: np.random.Generator) -> Mask:
    """One to three round patches: ellipses whose outlines are moved by noise."""
    hole = np.zeros((size, size), bool)
    yy, xx = np.mgrid[:size, :size] / size
    for _ in range(int(rng.integers(1, 4))):
        noise = cv2.GaussianBlur(
            rng.standard_normal((size, size)).astype(np.float32), (0, 0), size / 16
        )
        (y, x), (a, b) = rng.uniform(0.1, 0.9, 2), rng.uniform(0.06, 0.25, 2)
        distance = np.sqrt(((yy - y) / a) ** 2 + ((xx - x) / b) ** 2)
        hole |= distance + 0.35 * noise / max(float(noise.std()), 1e-6) < 1
    return hole


class FreeForm:
    """Strokes and blobs that together cover ``low`` to ``high`` of the picture.

    They are drawn on top of each other until the share is reached; a last one that overshoots
    is drawn again.
    """

    def __init__(self, low: float, high: float) -> None:
        if not 0 < low < high < 1:
            raise ValueError(f"expected 0 < low < high < 1, got {low} and {high}")
        self.low, self.high = low, high

    def __call__(self, size: int, rng: np.random.Generator) -> Mask:
        """Draw one hole of ``size`` x ``size`` pixels."""
        hole = np.zeros((size, size), bool)
        for _ in range(200):
            if hole.mean() >= self.low:
                return hole
            more = hole | (strokes if rng.random() < 0.7 else blobs)(size, rng)
            if more.mean() <= self.high:
                hole = more
        # No stroke fits between a share just below ``low`` and ``high``: grow the hole by its
        # border.
        while hole.mean() < self.low:
            hole = (
                cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
                if hole.any()
                else centred(size, rng)
            )
        return hole


def free_form(size: int, rng: np.random.Generator) -> Mask:
    """``FreeForm`` of any share up to 0.6, as Liu et al.'s irregular masks have."""
    low = float(rng.uniform(0.01, 0.5))
    return FreeForm(low, low + 0.1)(size, rng)


class MaskFolder:
    """Holes from a folder of mask pictures (white = hole).

    Each is rotated by a multiple of 90 degrees, mirrored, and cropped to half to all of its
    size. Masks without a hole are logged and left out.

    Raises:
        FileNotFoundError: the folder holds no mask pictures.
        OSError: a picture cannot be read; the message names it.
        ValueError: no mask has a hole.
    """

    def __init__(self, folder: Path) -> None:
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".png", ".jpg", ".bmp"})
        if not files:
            raise FileNotFoundError(f"{folder}: no mask pictures (.png, .jpg, .bmp) found")
        masks = [_read_grey(p) > 127 for p in files]
        empty = [p for p, m in zip(files, masks, strict=True) if not m.any()]
        if len(empty) == len(files):
            raise ValueError(
                f"{folder}: none of its {len(files)} masks has a white pixel, such as {files[0]}; "
                "paint the holes white"
            )
        if empty:
            log.warning(
                "%d of %d masks are empty and left out, such as %s: white is the hole",
                *(len(empty), len(files), empty[0]),
            )
        masks = [m for m in masks if m.any()]
        self.masks = [np.packbits(m, axis=None) for m in masks]
        self.shapes = [m.shape for m in masks]

    def __call__(self, size: int, rng: np.random.Generator) -> Mask:
        """Draw one hole of ``size`` x ``size`` pixels."""
        i = int(rng.integers(len(self.masks)))
        h, w = self.shapes[i]
        mask = np.unpackbits(self.masks[i], count=h * w).reshape(h, w)
        mask = np.rot90(mask, int(rng.integers(4)))
        if rng.random() < 0.5:
            mask = mask[:, ::-1]
        side = int(rng.uniform(0.5, 1.0) * min(mask.shape))
        top, left = (int(rng.integers(0, s - side + 1)) for s in mask.shape)
        crop = mask[top : top + side, left : left + side]
        # Beside a small hole a crop would show none.
        crop = np.ascontiguousarray(crop if crop.any() else mask)
        return cv2.resize(crop, (size, size), interpolation=cv2.INTER_NEAREST).astype(bool)


class Silhouettes:
    """Silhouettes of objects, scaled, moved and dilated: the holes that removal leaves.

    Args:
        shapes: bool HW each, one object in its bounding box; at least one.
    """

    def __init__(self, shapes: Sequence[Mask]) -> None:
        self.shapes = list(shapes)

    def __call__(self, size: int, rng: np.random.Generator) -> Mask:
        """Draw one hole of ``size`` x ``size`` pixels."""
        return _placed(self.shapes[int(rng.integers(len(self.shapes)))], size, rng)


class ObjectShapes:
    """``Silhouettes`` of the largest objects of label pictures.

    Args:
        label_folders: folders of label pictures (.png) of class ids, 1-20 = object.

    Raises:
        FileNotFoundError: the folders hold no label picture.
    """

    def __init__(self, label_folders: Sequence[Path]) -> None:
        self.files = sorted(p for folder in label_folders for p in folder.glob("*.png"))
        if not self.files:
            raise FileNotFoundError(
                f"no label pictures (.png) found in {', '.join(str(f) for f in label_folders)}"
            )
        self._cache: dict[Path, Mask] = {}

    def __call__(self, size: int, rng: np.random.Generator) -> Mask:
        """Draw one hole of ``size`` x ``size`` pixels."""
        for _ in range(20):
            path = self.files[int(rng.integers(len(self.files)))]
            if path not in self._cache:
                self._cache[path] = largest_object(_read_grey(path))
            shape = self._cache[path]
            if shape.size == 0:
                continue
            return _placed(shape, size, rng)
        return strokes(size, rng)


def _placed(shape: Mask, size: int, rng: np.random.Generator) -> Mask:
    """A silhouette scaled, mirrored, moved and dilated in a picture of ``size`` x ``size``."""
    # The silhouette's bounding box covers 3 to 30 % of the picture's area.
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


class Mixture:
    """Draw a generator by weight, again until the hole covers ``low`` to ``high`` of the picture.

    Args:
        generators: (weight, generator) of each kind; the weights need not add up to 1.
        low: least share of the picture.
        high: largest share of the picture.
    """

    def __init__(
        self,
        generators: Sequence[tuple[float, HoleGenerator]],
        *,
        low: float = 0.01,
        high: float = 0.6,
    ) -> None:
        self.generators, self.low, self.high = list(generators), low, high
        self.weights = np.array([w for w, _ in generators]) / sum(w for w, _ in generators)

    def __call__(self, size: int, rng: np.random.Generator) -> Mask:
        """Draw one hole of ``size`` x ``size`` pixels; a square if no draw fits."""
        for _ in range(50):
            hole = self.generators[int(rng.choice(len(self.generators), p=self.weights))][1](
                size, rng
            )
            if self.low <= hole.mean() <= self.high:
                return hole
        return rectangle(size, rng, side=size // 3)


#: What stands in for the kinds that need files of a data folder.
WITHOUT_DATA = {"irregular": "free-form", "objects": "silhouettes"}


def without_data(weights: Sequence[tuple[float, str]]) -> Kinds:
    """The kinds of a preset's holes as they are drawn without a data folder."""
    return tuple((weight, WITHOUT_DATA.get(name, name)) for weight, name in weights)


def named_mixture(
    weights: Sequence[tuple[float, str]],
    data: Path | None = None,
    silhouettes: Sequence[Mask] = (),
) -> Mixture:
    """The mixture of a preset's holes.

    Args:
        weights: (weight, name) of each kind.
        data: data folder, which holds the masks of ``irregular`` and the labels of ``objects``;
            None = both are drawn by what needs no files, see ``WITHOUT_DATA``.
        silhouettes: bool HW each, for that kind; without any it is ``blobs``.
    """
    if data is None:
        weights, data = without_data(weights), Path()
    kinds: dict[str, Callable[[], HoleGenerator]] = {
        "free-form": lambda: free_form,
        "silhouettes": lambda: Silhouettes(silhouettes) if silhouettes else blobs,
        "edge": lambda: edge,
        "rectangle": lambda: rectangle,
        "centred": lambda: centred,
        "any-rectangle": lambda: any_rectangle,
        "strokes": lambda: strokes,
        "blobs": lambda: blobs,
        "free-form-10-20": lambda: FreeForm(0.1, 0.2),
        "free-form-40-50": lambda: FreeForm(0.4, 0.5),
        "free-form-50-80": lambda: FreeForm(0.5, 0.8),
        "irregular": lambda: MaskFolder(data / "masks" / "irregular"),
        "objects": lambda: ObjectShapes(
            [data / "segmentation" / s / "labels" for s in ("voc_train", "human")]
        ),
    }
    generators = [(weight, kinds[name]()) for weight, name in weights]
    highest = max([0.6, *(each.high for _, each in generators if isinstance(each, FreeForm))])
    return Mixture(generators, high=highest)


def _read_grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise OSError(f"{path}: not a readable picture")
    return image if image.ndim == 2 else image[..., 0]  # type: ignore[return-value]


def largest_object(labels: NDArray[np.uint8]) -> Mask:
    """The mask of the largest object in its bounding box; empty if it has fewer than 200 pixels."""
    objects = ((labels > 0) & (labels < 255)).astype(np.uint8)
    count, components, stats, _ = cv2.connectedComponentsWithStats(objects)
    if count < 2:
        return np.zeros((0, 0), bool)
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h, area = (int(v) for v in stats[best])
    if area < 200:
        return np.zeros((0, 0), bool)
    return components[y : y + h, x : x + w] == best
