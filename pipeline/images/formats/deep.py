"""16 bits per channel: decoded by OpenCV, because Pillow has no 16-bit colour mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import UnreadableError
from ...types import Pixels


def decode_16_bits(image: Image.Image, handle: BinaryIO) -> NDArray[np.uint16]:
    """Decode a file at its full depth.

    Pillow decodes it too, because unlike OpenCV it reports a truncated file.

    Args:
        image: the picture as Pillow opened it.
        handle: its file.

    Returns:
        HWC uint16 in OpenCV's BGR or BGRA order.

    Raises:
        UnreadableError: if OpenCV cannot decode it at 16 bits.
    """
    image.load()
    handle.seek(0)
    content = np.frombuffer(handle.read(), np.uint8)
    with silent_opencv():
        bgr = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if bgr is None:
        raise UnreadableError(
            "its samples cannot be decoded at full depth: it is damaged, or coded in an unusual "
            "way; copy it again, or save it as a plain 16-bit RGB file"
        )
    if bgr.dtype != np.uint16 or bgr.ndim != 3 or bgr.shape[:2] != (image.height, image.width):
        raise UnreadableError(
            "its 16-bit samples cannot be decoded at full depth; save it as a plain 16-bit RGB file"
        )
    return cast("NDArray[np.uint16]", bgr)


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV from printing what is wrong with a file: the photo's error says it."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def to_rgb_order(bgr: NDArray[np.uint16]) -> Pixels:
    """Swap BGR or BGRA to RGB or RGBA."""
    code = cv2.COLOR_BGRA2RGBA if bgr.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cast(Pixels, cv2.cvtColor(bgr, code))
