"""Cameras' RAW files: developed by LibRaw (the optional package rawpy), written as TIFF or JPEG.

LibRaw takes the photo from the sensor's samples, not from a preview: in full size, with the white
balance that the camera chose, upright, in sRGB, brightened until 1 % of its pixels are white.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ...errors import UnreadableError, UnwritableError
from ...system.extras import install_command
from ...types import Photo, Pixels
from ..containers.raw_exif import CANON, FUJI, camera_exif, camera_xmp
from ..containers.tiff import Directory, Tiff
from ..native import Layout, Native, Sheet
from .format import Format
from .tiff import tags_of
from .tiff_values import UNDEFINED

#: The format of a developed photo, and the ending behind the RAW's own name, by the option's value.
#: A name of its own keeps it apart from the JPEG that many cameras write beside a RAW.
OUTPUTS = {"tiff": ("TIFF", ".tif"), "jpeg": ("JPEG", ".jpg")}

#: Olympus (three), Panasonic.
_STARTS = (FUJI, b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
_CANON_2_AT = 8
_PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION, _ICC = 262, 330, 50706, 34675
#: A colour filter's samples, and linear RAW.
_RAW_PHOTOMETRICS = ((32803,), (34892,))
_QUARTER_TURNS = (5, 6)
_SRGB_GAMMA = (2.4, 12.92)
_DATE = slice(24, 36)
_THREADS = "OMP_NUM_THREADS"


class Undeveloped(Image.Image):
    """An opened RAW file, with the size that it will have; it is developed, not loaded.

    Attributes:
        raw: rawpy's object.
    """

    format = "RAW"

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self.raw, self._lens = raw, ""
        self._mode = "RGB"
        size = raw.sizes.iwidth, raw.sizes.iheight
        self._size = size[::-1] if raw.sizes.flip in _QUARTER_TURNS else size

    def develop(self, handle: BinaryIO) -> Pixels:
        """Return the photo, HWC uint16, RGB, upright, and collect its metadata in ``info``."""
        samples = self._samples(output_bps=16)
        self._size = samples.shape[1], samples.shape[0]
        self.info = {
            "exif": camera_exif(handle, samples.shape[:2], self._lens),
            "xmp": camera_xmp(handle),
            "icc_profile": srgb_profile(),
        }
        if samples.ndim == 2 or samples.shape[2] == 1:
            samples = np.repeat(samples.reshape(*samples.shape[:2], 1), 3, axis=2)
        return cast(Pixels, np.ascontiguousarray(samples[..., :3]))

    def sketch(self) -> NDArray[np.uint8]:
        """Return the photo's green, HW uint8, upright, at half its size: that takes less time."""
        samples = self._samples(output_bps=8, half_size=True)
        samples = samples.reshape(*samples.shape[:2], -1)
        return np.ascontiguousarray(samples[..., min(1, samples.shape[2] - 1)])

    def _samples(self, **options: Any) -> Any:
        """Let LibRaw develop the photo, which it does once; notes the lens."""
        rawpy = _library()
        try:
            with _silent():
                samples = self.raw.postprocess(
                    use_camera_wb=True,
                    output_color=rawpy.ColorSpace.sRGB,
                    gamma=_SRGB_GAMMA,
                    **options,
                )
            self._lens = str(getattr(getattr(self.raw, "lens", None), "model", "") or "")
        except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
            raise UnreadableError(_refusal(error)) from error
        finally:
            self.raw.close()
        return samples


def _library() -> Any:
    """Import rawpy.

    LibRaw would start a thread for each core. Each reserves memory that the decoder's limit counts,
    though it never uses it, so on a large machine none would be left.
    """
    given = os.environ.get(_THREADS)
    os.environ.setdefault(_THREADS, "4")
    try:
        return importlib.import_module("rawpy")
    finally:
        if given is None:
            del os.environ[_THREADS]


@contextmanager
def _silent() -> Iterator[None]:
    """Send what LibRaw prints about a damaged file, which is in its error too, nowhere."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def is_installed() -> bool:
    """Whether the extra ``raw`` is there."""
    return importlib.util.find_spec("rawpy") is not None


def recognise(head: bytes, handle: BinaryIO) -> bool:
    """Whether the file is a RAW, by its first bytes or its directories."""
    if head.startswith(_STARTS) or head[4:12] == CANON:
        return True
    if head[:4] not in (b"II*\0", b"MM\0*"):
        return False
    if head[_CANON_2_AT : _CANON_2_AT + 2] == b"CR":
        return True
    with suppress(ValueError):
        file = Tiff(handle)
        return any(_is_raw(file, page) for page in file.pages())
    return False


def _is_raw(file: Tiff, page: Directory) -> bool:
    """Whether a directory, or one within it, describes a sensor's samples."""
    if _DNG_VERSION in page.values:
        return True
    if file.numbers(page.values.get(_PHOTOMETRIC)) in _RAW_PHOTOMETRICS:
        return True
    for place in file.numbers(page.values.get(_SUB_DIRECTORIES))[:16]:
        with suppress(ValueError):
            inner = file.directory(place).values
            if file.numbers(inner.get(_PHOTOMETRIC)) in _RAW_PHOTOMETRICS:
                return True
    return False


def open_picture(handle: BinaryIO) -> Image.Image:
    """Open without decoding.

    Raises:
        UnreadableError: if rawpy is not installed, or LibRaw does not know the camera.
    """
    try:
        rawpy = _library()
    except ImportError as error:
        raise UnreadableError(
            f"RAW photos need the package rawpy: {install_command('raw')}"
        ) from error
    handle.seek(0)
    try:
        raw = rawpy.imread(handle)
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise UnreadableError(_refusal(error)) from error
    return Undeveloped(raw)


def _refusal(error: Exception) -> str:
    reason = error.args[0] if error.args else type(error).__name__
    if isinstance(reason, bytes):
        reason = reason.decode("utf-8", "replace")
    return (
        f"LibRaw cannot develop it ({reason}): it is damaged, or its camera is not known; "
        "copy it again, or convert it to DNG or TIFF"
    )


def deep_samples(image: Image.Image, handle: BinaryIO) -> Pixels | None:
    """Develop the photo."""
    assert isinstance(image, Undeveloped)
    return image.develop(handle)


def upright(image: Image.Image) -> int:
    """Return the orientation of a developed photo."""
    return 1


def developed(photo: Photo, native: Native, output: str) -> tuple[Photo, Native]:
    """Return a RAW photo as a photo of the format in which it is written.

    Args:
        photo: the photo as read.
        native: its ``Native``.
        output: a key of ``OUTPUTS``. JPEG takes 8 of the 16 bits.
    """
    name, _ = OUTPUTS[output]
    metadata = native.metadata
    if name == "JPEG":
        rgb = to_8_bits(photo.rgb)
        return replace(photo, rgb=rgb), Native(name, Layout("RGB"), metadata, lossless=False)
    tags, kinds = tags_of(Tiff(BytesIO(metadata.exif))) if metadata.exif else ((), {})
    if metadata.icc:
        tags = (*tags, (_ICC, UNDEFINED, metadata.icc))
    options = {"compression": "tiff_adobe_deflate", "tags": tags, "kinds": kinds}
    return photo, Native(name, Layout("RGB"), replace(metadata, exif=None), options=options)


def to_8_bits(pixels: Pixels) -> Pixels:
    """Return 16-bit pixels in 8 bits, rounded."""
    return cast(Pixels, ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))


def srgb_profile() -> bytes:
    """Return the profile of sRGB, without the date at which it was made."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_DATE] = bytes((0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(profile)


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Refuse: no program writes a camera's RAW.

    Raises:
        UnwritableError: always.
    """
    raise UnwritableError("a RAW file cannot be written; write a TIFF or JPEG")


RAW = Format(
    name="RAW",
    title="RAW (extra raw)",
    suffixes=(
        *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    ),
    lossy=False,
    deep=True,
    alpha=False,
    from_pixels=False,
    recognise=recognise,
    open=open_picture,
    pillow=False,
    deep_samples=deep_samples,
    directory_orientation=upright,
    encode=encode,
)
