"""Tiny photos whose pixels tell which photo they are and which objects they still show.

A photo is 96 x 32 pixels: a plain colour, its *shot*, and up to four boxes. So a result tells by
itself whose it is and what was removed from it, whatever journal and report say.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 32
#: The objects: their left edge and their colour. All are 8 pixels wide and high. A ``shade`` is a
#: person of whom the segmenter is not sure, a ``sign`` is of no class: only a mask removes it.
OBJECTS = {
    "person": (8, (255, 0, 0)),
    "dog": (32, (0, 0, 255)),
    "shade": (56, (190, 0, 0)),
    "sign": (80, (0, 255, 0)),
}
TOP, SIDE = 12, 8
#: Every shot's colour. Two differ by 50 levels at least.
SHOTS = list(product((50, 100, 150, 200), repeat=3))
#: EXIF's tag of a description.
DESCRIPTION = 0x010E
#: Bytes of every JPEG: photos of different content have equal sizes. PNGs are not compressed.
JPEG_BYTES = 3000


@dataclass(frozen=True)
class Facts:
    """What a picture shows.

    Attributes:
        shot: the photo's number; None for a picture of another kind.
        objects: the objects that are still to be seen.
        stripped: whether the description in its EXIF data is gone.
        kind: ``PNG`` or ``JPEG``.
    """

    shot: int | None
    objects: frozenset[str]
    stripped: bool
    kind: str


@cache
def photo_bytes(shot: int, objects: frozenset[str], suffix: str) -> bytes:
    """Return the file of a photo; two of one suffix have the same size."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:] = SHOTS[shot]
    for name in objects:
        left, colour = OBJECTS[name]
        pixels[TOP : TOP + SIDE, left : left + SIDE] = colour
    exif = Image.Exif()
    exif[DESCRIPTION] = f"shot {shot:02}"
    file = io.BytesIO()
    if suffix == ".png":
        Image.fromarray(pixels).save(file, "PNG", compress_level=0, exif=exif)
        return file.getvalue()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    filler = JPEG_BYTES - len(file.getvalue()) - 4
    comment = b"\xff\xfe" + (filler + 2).to_bytes(2, "big") + b"." * filler
    return file.getvalue()[:2] + comment + file.getvalue()[2:]


@cache
def mask_bytes() -> bytes:
    """Return the file of a mask that covers the ``sign``."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    left, _ = OBJECTS["sign"]
    mask[TOP - 2 : TOP + SIDE + 2, left - 2 : left + SIDE + 2] = True
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


_facts: dict[str, Facts] = {}


def facts(content: bytes) -> Facts:
    """Read what a picture shows."""
    key = digest(content)
    if key not in _facts:
        _facts[key] = _read(content)
    return _facts[key]


def pixels_of(content: bytes, name: str) -> np.ndarray:
    """Return the pixels of an object's place, 8 x 8 x 3 uint8."""
    with Image.open(io.BytesIO(content)) as image:
        return place_of(name, np.asarray(image.convert("RGB")))


def place_of(name: str, picture: np.ndarray) -> np.ndarray:
    """Return the part of a picture or of a mask where an object is."""
    left, _ = OBJECTS[name]
    return picture[TOP : TOP + SIDE, left : left + SIDE]


def object_at(box: Sequence[int]) -> str:
    """Return the name of the object at a box (left, top, width, height)."""
    middle = box[0] + box[2] / 2
    return min(OBJECTS, key=lambda name: abs(OBJECTS[name][0] + SIDE / 2 - middle))


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def is_photo(name: str) -> bool:
    """Whether a file of this name is a photo."""
    return PurePosixPath(name).suffix in (".png", ".jpg")


def _read(content: bytes) -> Facts:
    try:
        with Image.open(io.BytesIO(content)) as image:
            kind, stripped = image.format or "", DESCRIPTION not in image.getexif()
            pixels = np.asarray(image.convert("RGB")).astype(int)
    except OSError:
        return Facts(None, frozenset(), True, "")
    if pixels.shape != (HEIGHT, WIDTH, 3):
        return Facts(None, frozenset(), stripped, kind)
    distances = [np.abs(pixels[:6].mean((0, 1)) - colour).max() for colour in SHOTS]
    best = int(np.argmin(distances))
    seen = [
        name
        for name, (left, colour) in OBJECTS.items()
        if np.abs(pixels[TOP + 2 : TOP + 6, left + 2 : left + 6].mean((0, 1)) - colour).max() < 25
    ]
    return Facts(best if distances[best] < 12 else None, frozenset(seen), stripped, kind)
