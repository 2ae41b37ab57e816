"""Photos with labels of one's own classes, and crops of them to train a segmenter on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from .labelled import VOID
from .pictures import epoch_order, find_images, read_rgb

log = logging.getLogger(__name__)

Rgb = NDArray[np.uint8]
Label = NDArray[np.uint8]

#: Share of the crops that show a labelled pixel at a random place: thin and small things would be
#: in few others.
SHOWN = 0.7
#: A pixel of a reduced label is of the class that covers this share of it: thin lines survive.
COVERED = 0.3


@dataclass(frozen=True)
class Augmentation:
    """By how much a crop may differ from its photo.

    Attributes:
        zoom: range of the crop's scale, log-uniform; 1 shows the photo's pixels, 0.5 twice as much.
        light: range of brightness and contrast, as shares.
        colour: range of each channel's own factor, as a share.
        angle: most degrees of a rotation.
        blur: share of the crops that are blurred or coded as JPEG.
    """

    zoom: tuple[float, float]
    light: float
    colour: float
    angle: float
    blur: float


#: For hundreds of photos, and for few.
USUAL = Augmentation((0.6, 1.6), 0.2, 0.06, 0.0, 0.15)
STRONG = Augmentation((0.4, 2.0), 0.35, 0.15, 12.0, 0.4)


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos and their labels.

    Attributes:
        pairs: (photo, label) files.
        white: whether the labels are black and white, white being the one class.
        counts: photos that show each class.
    """

    pairs: tuple[tuple[Path, Path], ...]
    white: bool
    counts: tuple[int, ...]


def find_labelled(images: Sequence[Path], labels: Path, classes: Sequence[str]) -> LabelledPhotos:
    """Find photos and their labels, and check every label.

    Args:
        images: folders of photos.
        labels: folder of PNGs under the photos' names relative to their folder.
        classes: names of the classes 1, 2 and so on.

    Raises:
        OSError: no photo that can be read has a label, or a label cannot be read.
        ValueError: a label does not fit its photo or the classes, or a class is never labelled.
    """
    values = _values(_pairs(images, labels))
    white = len(classes) == 1 and all(v[1:255].sum() == 0 for v in values.values())
    for (_, label), count in values.items():
        beyond = np.flatnonzero(count[len(classes) + 1 : 255])
        if len(beyond):
            raise ValueError(
                f"{label}: has the value {beyond[0] + len(classes) + 1}, and --classes names "
                f"{len(classes)}; expected 0 (none) to {len(classes)}, or {VOID} (unknown)"
            )
    numbers = (VOID,) if white else range(1, len(classes) + 1)
    counts = tuple(sum(int(v[n] > 0) for v in values.values()) for n in numbers)
    if 0 in counts:
        names = ", ".join(f"{n} = {name}" for n, name in enumerate(classes, 1))
        raise ValueError(
            f"{labels}: no label shows '{classes[counts.index(0)]}'; by --classes the numbers are "
            f"{names}"
        )
    return LabelledPhotos(tuple(values), white, counts)


def _pairs(images: Sequence[Path], labels: Path) -> list[tuple[Path, Path]]:
    """The photos that have a label, with it."""
    pairs: list[tuple[Path, Path]] = []
    missing: list[tuple[Path, Path]] = []
    for folder in images:
        for path in find_images([folder]):
            label = (labels / path.relative_to(folder)).with_suffix(".png")
            (pairs if label.is_file() and label != path else missing).append((path, label))
    if not pairs:
        path, label = missing[0]
        raise FileNotFoundError(
            f"{labels}: none of {len(missing)} photos has a label; that of {path} would be {label}"
        )
    if missing:
        log.warning(
            "left out for want of a label: %d of the photos, such as %s: %s is missing",
            len(missing),
            *missing[0],
        )
    return pairs


def _values(pairs: Sequence[tuple[Path, Path]]) -> dict[tuple[Path, Path], NDArray[np.int64]]:
    """How many pixels of each label have each of the values 0 to 255.

    A photo that cannot be read is logged and left out.

    Raises:
        OSError: a label, or every photo, cannot be read.
        ValueError: a label is of another size than its photo.
    """
    values = {}
    for path, label in pairs:
        try:
            image = read_rgb(path)
        except OSError as error:
            log.warning("%s; left out", error)
            continue
        found = _fitting_label(label, image, path)
        values[path, label] = np.bincount(found.ravel(), minlength=256)
    if not values:
        raise OSError(f"{pairs[0][0]}: not a readable picture, and no other photo has a label")
    return values


def _fitting_label(label: Path, image: Rgb, path: Path) -> Label:
    """The label of the photo that was read from ``path``.

    Raises:
        OSError: the label cannot be read.
        ValueError: it is of another size.
    """
    found = _read_label(label)
    (h, w), (height, width) = found.shape, image.shape[:2]
    if (h, w) == (height, width):
        return found
    turned = "; draw labels on the photo as viewers show it, upright"
    raise ValueError(
        f"{label}: {w}x{h} pixels, and its photo {path} has {width}x{height}"
        + (turned if (w, h) == (height, width) else "; a label has a number for each pixel")
    )


def _read_label(path: Path) -> Label:
    """A label picture as HW class ids: of a palette its numbers, of black and white 0 and 255."""
    try:
        with Image.open(path) as picture:
            if picture.mode in ("RGB", "RGBA"):
                channels = np.asarray(picture.convert("RGB"))
                if (channels == channels[..., :1]).all():
                    return channels[..., 0].copy()
                raise ValueError(
                    f"{path}: a colour picture; expected one channel of class numbers, or a palette"
                )
            values = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise OSError(f"{path}: not a readable label picture ({error})") from error
    if values.ndim != 2 or values.max(initial=0) > 255:
        raise ValueError(f"{path}: expected one channel of class numbers from 0 to 255")
    return values.astype(np.uint8)


def read_labelled(path: Path, label_path: Path, *, white: bool) -> tuple[Rgb, Label]:
    """Read a photo and its label.

    Returns:
        (HWC RGB, HW class ids with 255 = void)

    Raises:
        OSError: a file cannot be read.
        ValueError: the label is of another size.
    """
    image = read_rgb(path)
    label = _fitting_label(label_path, image, path)
    return image, (label == VOID).astype(np.uint8) if white else label


class LabelledCrops(Dataset[tuple[Tensor, Tensor]]):
    """An endless sequence of (crop, class ids): a function of ``seed`` and sample number.

    Args:
        photos: to cut from.
        size: side of a crop in pixels.
        longest: longer side in pixels at which a photo is seen; larger ones are reduced first.
        seed: of order and crops.
        augmentation: by how much a crop may differ.
    """

    def __init__(
        self,
        photos: LabelledPhotos,
        *,
        size: int,
        longest: int,
        seed: int,
        augmentation: Augmentation,
    ) -> None:
        self.photos, self.size, self.longest, self.seed = photos, size, longest, seed
        self.augmentation = augmentation

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        """(3HW uint8 RGB, HW uint8 class ids; 255 = void)."""
        pairs = self.photos.pairs
        epoch, index = divmod(n, len(pairs))
        place = int(epoch_order(len(pairs), self.seed, epoch)[index])
        rng = np.random.default_rng((self.seed, n))
        image, label = read_labelled(*pairs[place], white=self.photos.white)
        image, label = self._crop(image, label, rng)
        image = _recoloured(image, self.augmentation, rng)
        return (
            torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            torch.from_numpy(np.ascontiguousarray(label)),
        )

    def _crop(self, image: Rgb, label: Label, rng: np.random.Generator) -> tuple[Rgb, Label]:
        """A random square, turned, scaled and mirrored; beyond the photo it is void."""
        how, (height, width) = self.augmentation, image.shape[:2]
        scale = min(1.0, self.longest / max(height, width))
        scale *= float(np.exp(rng.uniform(*np.log(how.zoom))))
        scale = max(scale, self.size / max(height, width) / 1.5)
        x, y = self._centre(label, scale, rng)
        angle = np.radians(rng.uniform(-how.angle, how.angle)) if how.angle else 0.0
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        matrix = np.array([[mirror * cos, -mirror * sin, 0], [sin, cos, 0]])
        matrix[:, 2] = self.size / 2 - matrix[:, :2] @ (x, y)
        side = (self.size, self.size)
        smooth, beyond = _before_reduction(image, scale), cv2.BORDER_REFLECT_101
        crop = cv2.warpAffine(smooth, matrix, side, flags=cv2.INTER_LINEAR, borderMode=beyond)
        return crop, _warped_label(label, matrix, self.size, scale)

    def _centre(self, label: Label, scale: float, rng: np.random.Generator) -> tuple[float, float]:
        """(x, y) of a crop's centre in the photo."""
        height, width = label.shape
        half = self.size / scale / 2
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        present = np.unique(label)
        present = present[(present > 0) & (present != VOID)]
        if len(present) and rng.random() < SHOWN:
            ys, xs = np.nonzero(label == rng.choice(present))
            one = int(rng.integers(len(xs)))
            x, y = (v + rng.uniform(-0.8, 0.8) * half for v in (xs[one], ys[one]))
        return _within(x, half, width), _within(y, half, height)


def _within(centre: float, half: float, length: int) -> float:
    """The centre moved so that the crop shows as much of the photo as it can."""
    return length / 2 if 2 * half >= length else float(np.clip(centre, half, length - half))


def _before_reduction(image: Rgb, scale: float) -> Rgb:
    """A picture without the details that its reduction would turn into noise."""
    if scale >= 0.9:
        return image
    return cv2.GaussianBlur(image, (0, 0), 0.45 / scale)  # type: ignore[return-value]


def _warped_label(label: Label, matrix: NDArray[np.float64], size: int, scale: float) -> Label:
    """The label of a crop, in which thin things stay connected; beyond the photo it is void."""
    warped = np.zeros((size, size), np.uint8)
    best = np.full((size, size), COVERED, np.float32)
    blur = 0.45 / scale if scale < 0.9 else 0.0
    for number in np.unique(label[label > 0]):
        part = (label == number).astype(np.float32)
        if blur:
            part = cv2.GaussianBlur(part, (0, 0), blur)
        share = cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR)
        wins = share >= best
        warped[wins], best[wins] = number, share[wins]
    inside = cv2.warpAffine(np.ones(label.shape, np.uint8), matrix, (size, size))
    return np.where(inside > 0, warped, np.uint8(VOID))


def _recoloured(image: Rgb, how: Augmentation, rng: np.random.Generator) -> Rgb:
    """A crop in another light, of another camera."""
    picture = image.astype(np.float32)
    mean = float(picture.mean())
    factors = rng.uniform(1 - how.colour, 1 + how.colour, 3).astype(np.float32)
    picture = (picture - mean) * rng.uniform(1 - how.light, 1 + how.light) + mean
    picture = picture * factors * rng.uniform(1 - how.light, 1 + how.light)
    image = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < how.blur:
        if rng.random() < 0.5:
            return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9))  # type: ignore[return-value]
        quality = int(rng.integers(40, 90))
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[return-value]
    return image
