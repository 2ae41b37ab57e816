"""The layers of a saved mask: a palette PNG that says of each pixel why it was removed.

The file lies beside the mask (``a.layers.png`` beside ``a.png``). Its pixels are the values of
``types.Layer``; where they are not 0, the mask is white.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import UnreadableError
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..types import KEPT, KEPT_COLOUR, LAYER_COLOURS, Layer, Mask


def write_layers(
    layers: NDArray[np.uint8],
    path: Path,
    *,
    kept: Mask | None = None,
    placement: Placement = ANYWHERE,
) -> None:
    """Write layers as an 8-bit palette PNG of their size.

    Args:
        layers: HW uint8, values of ``Layer``.
        path: the new file.
        kept: HW bool, the objects that are kept: where nothing is removed, they get the value
            ``KEPT``; None if there are none.
        placement: where the file may lie, its rights, its date and the last check.

    Raises:
        UnwritableError: if it cannot be written.
    """
    encoded = encode_layers(layers, kept)
    with atomic_write(path, placement=placement) as handle:
        handle.write(encoded)


def encode_layers(layers: NDArray[np.uint8], kept: Mask | None = None) -> bytes:
    """Return the file that ``write_layers`` writes; arguments as there."""
    if kept is not None:
        layers = np.where(kept & (layers == Layer.NONE), np.uint8(KEPT), layers)
    picture = Image.fromarray(layers).convert("L")
    colours = [*(LAYER_COLOURS[layer] for layer in sorted(Layer)), KEPT_COLOUR]
    picture.putpalette(b"".join(bytes(colour) for colour in colours))
    encoded = io.BytesIO()  # written to a file, Pillow does not report a full disk as such
    picture.save(encoded, "PNG", bits=8)
    return encoded.getvalue()


def read_layers(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read layers that ``write_layers`` wrote.

    Args:
        path: the file.
        size: the photo's upright height and width.

    Returns:
        HW uint8, values of ``Layer``; a kept object's pixels are ``Layer.NONE``, and a value of a
        later version counts as ``Layer.OBJECT``.

    Raises:
        UnreadableError: it cannot be read, is no palette PNG, or has another size.
    """
    values = _stored(path, size)
    values[values == KEPT] = Layer.NONE
    values[values > max(Layer)] = Layer.OBJECT
    return values


def read_kept(path: Path, size: tuple[int, int]) -> Mask | None:
    """Read which pixels of saved layers belong to objects that are kept.

    Args:
        path: the file.
        size: the photo's upright height and width.

    Returns:
        HW bool; None if there are none.

    Raises:
        UnreadableError: as ``read_layers``.
    """
    kept: Mask = _stored(path, size) == KEPT
    return kept if kept.any() else None


def _stored(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The values of a file of layers, HW uint8.

    Raises:
        UnreadableError: as ``read_layers``.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            # Before it is decoded: the photo's size bounds the memory.
            if picture.mode != "P" or picture.size != size[::-1]:
                raise UnreadableError(f"{path}: is no palette PNG of its photo's size")
            return np.array(picture)
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise UnreadableError(f"{path}: cannot be read as layers ({error})") from error


def layers_of(mask: Mask, known: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Return the layers of a mask: the known ones where it covers them, elsewhere the object.

    Args:
        mask: HW bool.
        known: HW uint8, values of ``Layer`` inside and outside the mask; None if none is known.

    Returns:
        HW uint8, ``Layer.NONE`` exactly where the mask is False.
    """
    removed = mask.view(np.uint8) * np.uint8(Layer.OBJECT)
    if known is None:
        return removed
    return np.where(mask & (known != Layer.NONE), known, removed)
