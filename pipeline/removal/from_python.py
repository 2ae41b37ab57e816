"""A picture and a mask as a caller gives them: a file, a PIL image or an array."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableError, UsageError
from ..given import shown
from ..images import OwnMask, own_mask, read_own_mask, read_photo
from ..images.metadata.icc import plain_profile
from ..pixels import eight_bits
from ..storage.fetch import local_copy
from ..storage.location import AnyPath, Location, RemotePath, as_location
from ..types import Mask, Photo, Pixels

if TYPE_CHECKING:
    from PIL import Image

    #: A mask as a caller gives it.
    AnyMask: TypeAlias = AnyPath | Image.Image | NDArray[np.bool_] | NDArray[np.uint8]

#: PIL's modes of 8 bits a channel; others lose most of their values on the way through RGB.
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
#: The tag of the EXIF orientation.
_ORIENTATION = 0x0112


@dataclass(frozen=True, eq=False)
class Given:
    """A picture that a caller gave.

    Attributes:
        name: what the log calls it.
        photo: its pixels.
        unchanged: returns an equal picture of the caller's kind.
        cleaned: returns a picture of the caller's kind, of its new pixels and the mask of those
            that were removed.
        notes: sentences for the outcome's warnings.
    """

    name: str
    photo: Photo
    unchanged: Callable[[], Any]
    cleaned: Callable[[Pixels, Mask], Any]
    notes: tuple[str, ...] = ()


def given_picture(image: Any) -> Given:
    """Read a picture.

    Raises:
        UsageError: it is of another kind, or without pixels.
        UnreadableError: it is a file that cannot be read.
    """
    from PIL import Image

    if isinstance(image, str | os.PathLike | RemotePath):
        return _of_file(as_location(image, "image"))
    if isinstance(image, Image.Image) and _is_taken(image):
        return _of_pillow(image)
    if (
        isinstance(image, np.ndarray)
        and image.dtype in (np.uint8, np.uint16)
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size
    ):
        return Given(shown(image), Photo(image), image.copy, lambda pixels, _: pixels.copy())
    raise UsageError(
        "image takes a photo: the path of a file, a PIL image of 8 bits a channel "
        f"({', '.join(_MODES)}) or an array, height x width x 3, of uint8 or uint16 in RGB, with "
        f"pixels; got {shown(image)}{_remedy(image)}"
    )


def _remedy(image: Any) -> str:
    """Say how an array or image of another kind is turned into one that is taken."""
    if isinstance(image, list | tuple):
        return "; remove_folder() takes several photos"
    if isinstance(image, bytes | bytearray):
        return "; Image.open(io.BytesIO(…)) reads the bytes of a file"
    if hasattr(image, "read"):
        return "; Image.open(…) reads an open file"
    if hasattr(image, "getbands") and all(image.size):
        return "; give the path of its file, which is read at its own depth"
    if not isinstance(image, np.ndarray) or not image.size:
        return ""
    if image.dtype.kind == "f":
        return "; of values from 0 to 1, (image * 255).round().astype(np.uint8) makes one"
    if image.dtype == np.uint8 and (image.ndim == 2 or image.shape[2:] in ((1,), (2,), (4,))):
        squeeze = ".squeeze()" if image.shape[2:] == (1,) else ""
        return f"; Image.fromarray(image{squeeze}) makes a PIL image of it"
    return ""


def _of_file(place: Location) -> Given:
    if isinstance(place, Path) and place.is_dir():
        raise UsageError(f"{place}: is a folder; remove_folder() cleans folders")
    with local_copy(place) as file:
        photo = read_photo(file)

    def picture(pixels: Pixels) -> Any:
        from PIL import Image

        result = Image.fromarray(eight_bits(pixels))
        if photo.alpha is not None:
            result.putalpha(Image.fromarray(eight_bits(photo.alpha)))
        native = photo.native
        if native is not None and native.layout.mode in ("RGB", "RGBA", "P"):
            _keep_profile(result, native.metadata.icc)
        return result

    return Given(str(place), photo, lambda: picture(photo.rgb), lambda pixels, _: picture(pixels))


def _of_pillow(image: Image.Image) -> Given:
    from PIL import Image

    photo = _pixels(image)
    alpha, mode = photo.alpha, image.mode

    def cleaned(pixels: Pixels, mask: Mask) -> Any:
        result = Image.fromarray(pixels)
        if alpha is not None:
            result.putalpha(Image.fromarray(alpha))
        if result.mode == mode:
            _keep_profile(result, image.info.get("icc_profile"))
            return result
        # Few modes survive the way to RGB and back; outside the holes nothing may change.
        restored = image.copy()
        converted = (
            result.quantize(palette=image.convert("P"), dither=Image.Dither.NONE)
            if mode == "P"
            else result.convert(mode)
        )
        restored.paste(converted, mask=Image.fromarray(mask))
        return restored

    turn = image.getexif().get(_ORIENTATION, 1)
    notes = (
        f"the picture is taken as its pixels lie, and viewers turn it (EXIF orientation {turn}): "
        "give its path, or ImageOps.exif_transpose(image)",
    )
    return Given(shown(image), photo, image.copy, cleaned, notes if turn in range(2, 9) else ())


def _is_taken(image: Image.Image) -> bool:
    """Whether it is of a mode whose values survive the way to RGB, and has pixels."""
    return image.mode in _MODES and all(image.size)


def _pixels(image: Image.Image) -> Photo:
    """Return its pixels in RGB as they lie, and its alpha channel if it has one."""
    alpha = np.asarray(image.getchannel("A")) if image.mode in ("RGBA", "LA") else None
    return Photo(np.asarray(image.convert("RGB")), alpha)


def _keep_profile(result: Image.Image, profile: bytes | None) -> None:
    """Give a result its picture's colour profile, without which its colours mean others."""
    if (plain := plain_profile(profile)) is not None:
        result.info["icc_profile"] = plain


def _mask_remedy(mask: Any) -> str:
    """Say how an array of another kind is turned into a mask that is taken."""
    if not isinstance(mask, np.ndarray) or not mask.size:
        return ""
    if mask.ndim == 2:
        return "; mask > 0 makes one of numbers that are 0 where the picture stays"
    if mask.ndim == 3 and mask.dtype == np.uint8 and mask.shape[2] in (3, 4):
        return "; Image.fromarray(mask) makes a PIL image of it"
    return "; mask.squeeze() may have the right shape" if mask.squeeze().ndim == 2 else ""


def given_mask(mask: Any, photo: Photo) -> OwnMask:
    """Read a mask of a photo.

    Raises:
        UsageError: it is of another kind, no mask, or of another size than the photo.
        UnreadableError: it is a file that cannot be read, or no mask.
    """
    from PIL import Image

    if isinstance(mask, str | os.PathLike | RemotePath):
        place = as_location(mask, "mask")
        with local_copy(place) as file:
            return read_own_mask(file, photo)
    if isinstance(mask, np.ndarray) and mask.ndim == 2 and mask.dtype == bool:
        if mask.shape != photo.size:
            (h, w), (height, width) = mask.shape, photo.size
            raise UsageError(f"the mask is {w}x{h} pixels, the picture {width}x{height}")
        return OwnMask(mask)
    picture: Photo | None = None
    if isinstance(mask, Image.Image) and _is_taken(mask):
        picture = _pixels(mask)
    elif isinstance(mask, np.ndarray) and mask.ndim == 2 and mask.dtype == np.uint8 and mask.size:
        picture = Photo(np.repeat(mask[..., None], 3, axis=2))
    if picture is None:
        raise UsageError(
            "mask takes the pixels to remove: the path of a picture in which they are white, a "
            "PIL image likewise, or an array, height x width, of bool (True = remove) or uint8; "
            f"got {shown(mask)}{_mask_remedy(mask)}"
        )
    try:
        return own_mask(picture, "mask", photo)
    except UnreadableError as error:
        raise UsageError(str(error)) from error
