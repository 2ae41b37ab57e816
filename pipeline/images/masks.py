"""Mask files: a picture of the photo's size, white = remove; in memory bool, True = remove."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UnreadableError
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..types import Mask, Photo
from .mask_contents import understand
from .mask_turn import fits_better, photo_turn, turned_mask
from .read import MAX_PIXELS
from .sandbox import read_photo

#: Share of the photo above which a mask may be inverted.
_MOSTLY_WHITE = 0.7
#: Begins the sentence about a mask that was understood, and is not white on black.
UNDERSTOOD = "its own mask: "
#: Begins the sentence about a mask that may be inverted.
MOSTLY_WHITE = "its own mask removes "
#: The reason of a photo whose mask marks nothing.
EMPTY = "its own mask is empty: no pixel of it is white"
#: Begins the sentence about a mask that fits its photo either way.
EITHER_WAY = "its own mask fits it upright and as stored: "


class MaskShapeError(UnreadableError):
    """A mask has another shape than its photo."""


@dataclass(frozen=True, eq=False, slots=True)
class OwnMask:
    """A user's mask of one photo.

    Attributes:
        mask: HW bool of the photo's size, True = remove.
        notes: sentences for the photo's entry about how the mask was understood.
        doubt: why the mask may lie in the wrong place; empty if nothing says so.
        why_none: why nothing is to be removed; empty if something is.
    """

    mask: Mask
    notes: tuple[str, ...] = ()
    doubt: str = ""
    why_none: str = ""


def read_mask(path: Path, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Read a mask of any format, mode and depth that ``read_photo`` reads.

    Args:
        path: the mask's file; ``mask_contents`` says which pixels remove. A mask of another size
            but the photo's aspect ratio is resized to the photo, nearest pixel.
        size: the photo's upright height and width.
        max_pixels: the limit on the mask's size.

    Returns:
        HW bool, True (remove) where the file is white, upright.

    Raises:
        UnreadableError: if the file cannot be read, is no mask, or has another aspect ratio.
    """
    picture = read_photo(path, max_pixels=max_pixels)
    return _understood(picture, path, size)[0]


def read_own_mask(path: Path, photo: Photo, *, max_pixels: int = MAX_PIXELS) -> OwnMask:
    """Read a user's mask of a photo, and say what is to be known of it.

    Args:
        path: the mask's file, see ``read_mask``.
        photo: the photo.
        max_pixels: the limit on the mask's size.

    Raises:
        MaskShapeError: the mask has another aspect ratio.
        UnreadableError: the file cannot be read, or is no mask.
    """
    return own_mask(read_photo(path, max_pixels=max_pixels), path, photo)


def own_mask(picture: Photo, shown: object, photo: Photo) -> OwnMask:
    """Understand a user's mask of a photo, as ``read_own_mask`` does, that is in memory.

    Args:
        picture: the mask.
        shown: what messages call it.
        photo: the photo.

    Raises:
        MaskShapeError: the mask has another aspect ratio.
        UnreadableError: it is no mask.
    """
    mask, how = _understood(picture, shown, photo.size, photo_turn(photo))
    notes = [f"{UNDERSTOOD}{how}"] if how else []
    if (share := float(mask.mean())) > _MOSTLY_WHITE:
        notes.append(
            f"{MOSTLY_WHITE}{share:.0%} of the photo: white removes and black stays, so invert it "
            "if it is meant the other way round"
        )
    if not mask.any():
        return OwnMask(mask, tuple(notes), why_none=EMPTY)
    doubt = ""
    if _fits_either_way(picture, photo):
        orientation = photo_turn(photo)
        notes.append(
            f"{EITHER_WAY}it is taken for the photo as viewers show it, and EXIF orientation "
            f"{orientation} turns the photo; look whether the right place was removed"
        )
        if fits_better(photo, turned_mask(photo, mask), mask):
            doubt = (
                "its own mask seems to be drawn on the stored pixels, which EXIF orientation "
                f"{orientation} turns: the photo's edges fit it better there; draw it on the "
                "photo as viewers show it"
            )
    return OwnMask(mask, tuple(notes), doubt)


def refuse_no_mask(path: Path, *, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a file that cannot be the mask of any photo.

    Args:
        path: the mask's file, see ``read_mask``.
        max_pixels: the limit on the mask's size.

    Raises:
        UnreadableError: the file cannot be read, is no mask, or removes nothing.
    """
    mask, _ = _meaning(read_photo(path, max_pixels=max_pixels), path)
    if not mask.any():
        raise UnreadableError(
            f"{path}: this mask is empty: no pixel of it is white; paint what is to go"
        )


def _understood(
    picture: Photo, shown: object, size: tuple[int, int], turn: int = 1
) -> tuple[Mask, str]:
    """Return a mask at the photo's size, and how it was understood."""
    if not _has_shape(picture.size, size):
        raise MaskShapeError(_other_shape(picture.size, shown, size, turn))
    mask, how = _meaning(picture, shown)
    return _resized(mask, size), how


def _meaning(picture: Photo, shown: object) -> tuple[Mask, str]:
    """Return a mask at its own size, and how it was understood."""
    try:
        meaning = understand(picture)
    except UnreadableError as error:
        raise UnreadableError(f"{shown}: {error}") from error
    return meaning.mask, meaning.how


def _has_shape(own: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether two sizes have one aspect ratio, as exactly as whole pixels of either allow."""
    (own_height, own_width), (height, width) = own, size
    if own == size:
        return True
    return abs(own_width * height - own_height * width) < max(height, width)


def _other_shape(own: tuple[int, int], shown: object, size: tuple[int, int], turn: int) -> str:
    (own_height, own_width), (height, width) = own, size
    turned = ""
    if _has_shape((own_width, own_height), size):
        why = f", as the stored pixels do that EXIF orientation {turn} turns" if turn >= 5 else ""
        turned = f"; it seems to lie on its side{why}"
    return (
        f"{shown}: this mask is {own_width} x {own_height} pixels, "
        f"its photo {width} x {height} (upright){turned}; "
        "draw it at the photo's size, or at another size of the same shape"
    )


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    (height, width), (own_height, own_width) = size, mask.shape
    if (own_height, own_width) == size:
        return mask
    rows, columns = np.arange(height) * own_height // height, np.arange(width) * own_width // width
    resized: Mask = mask[rows[:, None], columns[None]]
    return resized


def _fits_either_way(picture: Photo, photo: Photo) -> bool:
    """Whether a mask without an orientation of its own fits a turned photo's stored pixels too."""
    turn = photo_turn(photo)
    if turn == 1 or photo_turn(picture) != 1:
        return False
    return turn < 5 or _has_shape(picture.size, photo.size[::-1])


def write_mask(mask: Mask, path: Path, *, placement: Placement = ANYWHERE) -> None:
    """Write a mask as a 1-bit PNG of its size, white = remove.

    Args:
        mask: HW bool.
        path: the new file.
        placement: where the file may lie, its rights, its date and the last check.

    Raises:
        UnwritableError: if it cannot be written.
    """
    encoded = io.BytesIO()  # written to a file, Pillow does not report a full disk as such
    Image.fromarray(mask).save(encoded, "PNG")
    with atomic_write(path, placement=placement) as handle:
        handle.write(encoded.getbuffer())
