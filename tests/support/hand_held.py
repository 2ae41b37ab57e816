"""Photos of one place, as a hand takes them one after the other."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 240, 320
#: Height and width of ``shot``, and the box (y, x, height, width) of who walks through the first.
LARGE, WALKER = (480, 640), (160, 120, 120, 60)


def place(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture that is like no other: soft spots with stones on them, none of them red."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size, weight in ((4, 1.0), (9, 1.0), (20, 0.8), (50, 0.5)):
        coarse = rng.random((size * 3 // 4 + 1, size, 3)).astype(np.float32)
        picture += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    picture = (picture - picture.min()) / (picture.max() - picture.min())
    picture = (40 + 150 * picture).astype(np.uint8)
    for x, y, w, h in (rng.random((300, 4)) * (width, height, 16, 16)).astype(int):
        grey = rng.integers(30, 180)
        colour = np.clip(grey + rng.integers(-20, 20, 3), 0, 200)
        cv2.rectangle(
            picture, (int(x), int(y)), (int(x + w + 3), int(y + h + 3)), colour.tolist(), -1
        )
    return cv2.GaussianBlur(picture, (0, 0), 0.7)


def held(picture: np.ndarray, right: int = 0, down: int = 0, turn: float = 0.0) -> np.ndarray:
    """A picture by a camera that moved by so many pixels, and was turned by so many degrees."""
    height, width = picture.shape[:2]
    moved = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    moved[:, 2] -= right, down
    return cv2.warpAffine(picture, moved, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def with_person(picture: np.ndarray, x: int, y: int = 80, w: int = 30, h: int = 60) -> np.ndarray:
    """A picture with a red box in it."""
    picture = picture.copy()
    picture[y : y + h, x : x + w] = (255, 0, 0)
    return picture


def empty_shot(number: int) -> np.ndarray:
    """One of the photos of a place, as if nobody walked through it."""
    return held(place(1, *LARGE), 5 * number)


def walker(number: int) -> tuple[slice, slice]:
    """Where somebody stands in a shot."""
    y, x, h, w = WALKER
    x += 160 * number
    return slice(y, y + h), slice(x, x + w)


def shot(number: int) -> np.ndarray:
    """One of the photos of a place, with somebody who walks through it."""
    rows, columns = walker(number)
    _, _, h, w = WALKER
    return with_person(empty_shot(number), columns.start, rows.start, w, h)


def save_shots(folder: Path) -> Path:
    """Write three shots, taken two seconds apart, into a folder."""
    for number in range(3):
        save(shot(number), folder / f"IMG_{number}.png", 2 * number)
    return folder


def save(
    picture: np.ndarray, path: Path, seconds: float | None = None, camera: str = "Box 1"
) -> Path:
    """Write a photo, by its ending; EXIF says that it was taken ``seconds`` after ten o'clock."""
    options: dict = {"quality": 95} if path.suffix == ".jpg" else {}
    if seconds is not None:
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Maker", camera
        minute, second = divmod(int(seconds), 60)
        tags = exif.get_ifd(0x8769)
        tags[0x9003] = f"2024:05:01 {10 + minute // 60:02}:{minute % 60:02}:{second:02}"
        tags[0x9291] = f"{round(seconds % 1 * 100):02}"
        options["exif"] = exif
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path
