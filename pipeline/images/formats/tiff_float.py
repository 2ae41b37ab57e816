"""TIFF of floating-point samples, which Pillow does not open: 16, 32 or 64 bits, grey or RGB."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO, cast

import cv2
import numpy as np
from PIL import Image

from ...errors import UnreadableError
from ..containers.tiff import Tiff, Value
from ..modes import upright
from ..native import FloatSamples
from .deep import silent_opencv

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 259, 262, 277
_ORIENTATION, _SAMPLE_FORMAT, _XMP, _ICC = 274, 339, 700, 34675
_PLANAR_CONFIGURATION, _PLANAR = 284, 2
#: Places and lengths of strips, and of tiles.
_CODED = ((273, 279), (324, 325))
_GREY, _RGB = (1,), (2,)
_FLOAT = 3
_COMPRESSIONS = {(): "raw", (1,): "raw", (5,): "tiff_lzw"}
_QUARTER_TURNS = ((5,), (6,), (7,), (8,))


class WideTiff(Image.Image):
    """An opened TIFF whose samples are floating-point numbers, or wider than 16 bits.

    Attributes:
        is_float: whether they are floating-point numbers.
        tag_v2: the file's tags as Pillow gives them.
        n_frames: the number of its pages.
    """

    format = "TIFF"

    def __init__(self, file: Tiff, values: Mapping[int, Value]) -> None:
        super().__init__()
        numbers = {tag: file.numbers(value) for tag, value in values.items()}
        self.tag_v2: dict[int, Any] = {
            tag: n[0] if len(n) == 1 else n for tag, n in numbers.items()
        }
        self.tag_v2[_BITS] = numbers.get(_BITS, (1,))
        self.is_float = _FLOAT in numbers.get(_SAMPLE_FORMAT, ())
        self.n_frames = sum(1 for _ in file.pages())
        size = numbers.get(_WIDTH, (0,))[0], numbers.get(_HEIGHT, (0,))[0]
        self._size = size[::-1] if numbers.get(_ORIENTATION) in _QUARTER_TURNS else size
        colours = 3 if numbers.get(_PHOTOMETRIC) == _RGB else 1
        extra = numbers.get(_SAMPLES, (1,))[0] - colours
        self._mode = {3: "RGB", 1: "L"}[colours] + ("A" if extra == 1 else "")
        compression = _COMPRESSIONS.get(numbers.get(_COMPRESSION, ()), "tiff_adobe_deflate")
        self.info: dict[Any, Any] = {"compression": compression}
        for tag, name in ((_XMP, "xmp"), (_ICC, "icc_profile")):
            if tag in values:
                self.info[name] = values[tag].content


def recognise(head: bytes, handle: BinaryIO) -> bool:
    """Whether the file is a TIFF of such samples."""
    if head[:2] not in (b"II", b"MM"):
        return False
    with suppress(ValueError):
        file = Tiff(handle)
        values = file.directory(file.first).values
        if file.numbers(values.get(_PHOTOMETRIC)) not in (_GREY, _RGB):
            return False
        is_wide = max(file.numbers(values.get(_BITS)), default=1) > 16
        return is_wide or _FLOAT in file.numbers(values.get(_SAMPLE_FORMAT))
    return False


def open_picture(handle: BinaryIO) -> Image.Image:
    """Open without decoding."""
    file = Tiff(handle)
    return WideTiff(file, file.directory(file.first).values)


def float_samples(image: WideTiff, handle: BinaryIO) -> FloatSamples:
    """Decode the samples, upright: HWC, RGB order.

    Raises:
        UnreadableError: if they cannot be decoded, or some are missing.
    """
    _refuse_cut_off(handle)
    handle.seek(0)
    content = handle.read()
    samples = _by_tifffile(content)
    if samples is None:
        samples = _by_opencv(content, image)
    if samples is None or samples.dtype.kind != "f":
        raise UnreadableError(
            "its floating-point samples cannot be decoded; save it as a plain 32-bit RGB file, "
            "or with 16 bits"
        )
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.shape[2] != len(image.getbands()):
        raise UnreadableError(
            f"its {samples.shape[2]} channels of floating-point samples cannot be kept; "
            "save it as plain RGB"
        )
    turn = image.tag_v2.pop(_ORIENTATION, 1)  # forgotten once it is applied, as Pillow does
    turned = upright(samples, turn if turn in range(1, 9) else 1)
    if turned.shape[1::-1] != image.size:
        raise UnreadableError("its directory and its samples differ in size; export it again")
    return cast(FloatSamples, turned)


def _refuse_cut_off(handle: BinaryIO) -> None:
    file = Tiff(handle)
    values = file.directory(file.first).values
    size = handle.seek(0, os.SEEK_END)
    for places, lengths in _CODED:
        spans = zip(
            file.numbers(values.get(places)), file.numbers(values.get(lengths)), strict=False
        )
        if any(start + length > size for start, length in spans):
            raise UnreadableError("the file ends before its last pixel; copy it again")


def _by_tifffile(content: bytes) -> Any:
    """Decode plain or deflated samples; None if they are coded in another way."""
    import tifffile

    try:
        with tifffile.TiffFile(BytesIO(content)) as file:
            page = cast(tifffile.TiffPage, file.pages[0])
            samples = page.asarray()
            return np.moveaxis(samples, 0, -1) if page.planarconfig == _PLANAR else samples
    except (ValueError, KeyError, IndexError, tifffile.TiffFileError):
        return None


def _by_opencv(content: bytes, image: WideTiff) -> Any:
    """Decode other codings of 32 or 64 bits; None if OpenCV cannot, or might mistake them."""
    tags = image.tag_v2
    is_plain = tags.get(_PLANAR_CONFIGURATION, 1) == 1 and tags.get(_ORIENTATION, 1) == 1
    if not is_plain or not set(tags[_BITS]) <= {32, 64}:
        return None
    with silent_opencv():
        samples = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.ndim == 2:
        return samples
    return samples[..., [2, 1, 0, 3][: samples.shape[2]]]
