"""Previews of one photo for the report: before, mask, after, and the compared classical fills.

They lie in a folder of their own in the output folder, under names made from a hash of the photo's
name: no odd name, however long or broken, ever becomes part of a path or an address.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..config import COMPARISONS
from ..errors import UnwritableError
from ..pixels import eight_bits, reduction, resize, scaled_size
from ..storage.layout import OWN, PREVIEWS
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..system.confined import remove
from ..types import (
    KEPT_COLOUR,
    LAYER_COLOURS,
    Box,
    HoleOutcome,
    Layer,
    Leftover,
    Mask,
    Outcome,
    Photo,
    Pixels,
)
from . import choice

#: Kinds of previews of which a photo may have any.
SMALL_KINDS = ("before", "mask", "after", *COMPARISONS)
#: Kinds that stand for files which no browser shows, in the viewer of the report's page.
LARGE_KINDS = ("before-large", "after-large")
KINDS = (*SMALL_KINDS, *LARGE_KINDS)
#: Endings of files that browsers show.
SHOWN = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif")
#: What the page of picks shows: the photo, and its objects. Only a run that makes that page
#: writes them, and no other run removes them.
CHOICE_KINDS = ("choice", "objects")
#: Pixels along the longer side, along that of the page of picks, and of large previews; smaller
#: photos keep their size.
LONGER_SIDE = 360
CHOICE_SIDE = 800
LARGE_SIDE = 1600
_SUFFIXES = {"mask": "webp", "objects": "json"}
#: JPEG quality. WebP is a quarter smaller but takes twenty times as long.
QUALITY = 80

#: How opaque the removed pixels are, each in its layer's colour; the colours, RGBA, of the line
#: around them, light inside and dark outside, so that it is visible on any picture; and of the
#: frame of what is left.
OPACITY, LIGHT, DARK = 110, (255, 255, 255, 255), (40, 0, 20, 200)
MARK = (255, 214, 0, 255)


def write(
    output: Path, name: str, photo: Photo, outcome: Outcome, placement: Placement = ANYWHERE
) -> None:
    """Write the previews of one photo, each atomically.

    Args:
        output: the output folder.
        name: the photo's name in the report; together with ``output`` it decides the files.
        photo: HWC uint8 or uint16; shown at 8 bits, without alpha.
        outcome: of ``photo``. If nothing was removed, only the preview before is written.
        placement: the rights of the previews; they never leave ``output``.

    Raises:
        UnwritableError: the disk's errors.
    """
    placement = replace(placement, within=output)
    needs_large = not name.lower().endswith(SHOWN) and max(photo.size) > LONGER_SIDE
    _write(place(output, name, "before"), _jpeg(photo.rgb), placement)
    if needs_large:
        _write(place(output, name, "before-large"), _jpeg(photo.rgb, LARGE_SIDE), placement)
    if outcome.mask is None or not outcome.mask.any():
        return
    drawn = _webp(
        draw_mask(outcome.mask, outcome.holes, outcome.leftovers, outcome.layers, outcome.kept)
    )
    _write(place(output, name, "mask"), drawn, placement)
    if outcome.result is not None:
        _write(place(output, name, "after"), _jpeg(outcome.result), placement)
        if needs_large:
            large = _jpeg(outcome.result, LARGE_SIDE)
            _write(place(output, name, "after-large"), large, placement)
    for method, picture in outcome.compared.items():
        _write(place(output, name, method), _jpeg(picture), placement)


def write_choice(
    output: Path,
    name: str,
    photo: Photo,
    outcome: Outcome,
    weights: Mapping[str, str],
    placement: Placement = ANYWHERE,
) -> None:
    """Write what the page of picks shows of one photo; arguments and errors as of ``write``.

    ``weights`` are the hashes of the networks that found its objects, by name.
    """
    placement = replace(placement, within=output)
    size = scaled_size(photo.rgb.shape, reduction(photo.rgb.shape, CHOICE_SIDE))
    shown = choice.choice_of(outcome, photo.size, (size[0], size[1]), weights)
    _write(place(output, name, "choice"), _jpeg(photo.rgb, CHOICE_SIDE), placement)
    _write(place(output, name, "objects"), choice.encode(shown), placement)


def find(output: Path, name: str, kinds: Sequence[str] = KINDS) -> dict[str, Path]:
    """The existing previews of one photo by kind."""
    files = {kind: place(output, name, kind) for kind in kinds}
    return {kind: file for kind, file in files.items() if file.is_file()}


def find_all(output: Path, names: Sequence[str]) -> dict[str, dict[str, Path]]:
    """The existing previews of photos by name and kind: the folder is listed once."""
    try:
        with os.scandir(output / PREVIEWS) as listing:
            there = {file.name for file in listing if file.is_file()}
    except OSError:
        there = set()
    found = {}
    for name in names:
        files = {kind: place(output, name, kind) for kind in KINDS}
        found[name] = {kind: file for kind, file in files.items() if file.name in there}
    return found


def place(output: Path, name: str, kind: str) -> Path:
    """The file of one preview, whether it exists or not."""
    return output / PREVIEWS / f"{key(name)}-{kind}.{_SUFFIXES.get(kind, 'jpeg')}"


def discard(output: Path, name: str) -> None:
    """Delete the previews of an earlier run: they do not show the new result."""
    for kind in KINDS:
        with suppress(OSError, UnwritableError):
            remove(place(output, name, kind), output)


def reduce_picture(rgb: Pixels, longest: int = LONGER_SIDE) -> NDArray[np.uint8]:
    """Reduce by area to at most ``longest``: HWC uint8 or uint16 in, hwc uint8 out."""
    return eight_bits(_reduce(rgb, longest))


def draw_mask(
    mask: Mask,
    holes: Iterable[HoleOutcome] = (),
    leftovers: Iterable[Leftover] = (),
    layers: NDArray[np.uint8] | None = None,
    kept: Mask | None = None,
) -> NDArray[np.uint8]:
    """Draw the mask as a transparent overlay.

    Args:
        mask: HW bool. A pixel of the overlay is drawn if any of the mask falls into it: no hole is
            too small to be seen.
        holes: in the report's order. Several holes get the numbers that the report gives them.
        leftovers: places where something is left; each gets a frame.
        layers: HW uint8, a ``Layer`` for each pixel of the mask; None if all are of objects. A
            pixel of the overlay has the colour of the layer that covers most of it.
        kept: HW bool, the objects that are kept; None if there are none.

    Returns:
        hw4 uint8 RGBA.
    """
    inside = (_reduce(mask.view(np.uint8) * np.uint8(255)) > 0).astype(np.uint8)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    # A hole that touches the photo's border has no line there.
    eroded = cv2.erode(inside, cross, borderType=cv2.BORDER_CONSTANT, borderValue=1.0)
    drawn = np.zeros((*inside.shape, 4), np.uint8)
    if kept is not None:
        drawn[_reduce(kept.view(np.uint8) * np.uint8(255)) > 127] = (*KEPT_COLOUR, OPACITY)
    drawn[inside > 0] = tint(Layer.OBJECT)
    if layers is not None:
        _tint_layers(drawn, inside > 0, layers)
    drawn[(inside > 0) & (eroded == 0)] = LIGHT
    drawn[(cv2.dilate(inside, cross) > 0) & (inside == 0)] = DARK
    scale = inside.shape[1] / mask.shape[1]
    for left in leftovers:
        _draw_frame(drawn, left.box, scale)
    holes = list(holes)
    if len(holes) > 1:
        for number, hole in enumerate(holes, 1):
            centre = (hole.box.x + hole.box.w / 2) * scale, (hole.box.y + hole.box.h / 2) * scale
            _draw_number(drawn, str(number), centre)
    return drawn


def tint(layer: Layer) -> tuple[int, int, int, int]:
    """The colour of a layer in the overlay, RGBA."""
    return (*LAYER_COLOURS[layer], OPACITY)


def _tint_layers(drawn: NDArray[np.uint8], inside: Mask, layers: NDArray[np.uint8]) -> None:
    """Draw the removed pixels in the colours of their layers."""
    known = [layer for layer in Layer if layer and (layers == layer).any()]
    if not set(known) - {Layer.OBJECT}:
        return
    covered = [_reduce((layers == layer).view(np.uint8) * np.uint8(255)) for layer in known]
    colours = np.array([tint(layer) for layer in known], np.uint8)
    drawn[inside] = colours[np.argmax(covered, axis=0)][inside]


def _draw_frame(drawn: NDArray[np.uint8], box: Box, scale: float) -> None:
    """Draw a frame around a place of the photo, dark outside and in its own colour inside."""
    height, width = drawn.shape[:2]
    x0, y0 = round(box.x * scale) - 1, round(box.y * scale) - 1
    x1, y1 = round(box.right * scale), round(box.bottom * scale)
    corners = (max(1, x0), max(1, y0)), (min(width - 2, x1), min(height - 2, y1))
    for colour, thickness in ((DARK, 3), (MARK, 1)):
        cv2.rectangle(drawn, *corners, colour, thickness)


def _draw_number(drawn: NDArray[np.uint8], text: str, centre: tuple[float, float]) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    x = min(max(round(centre[0] - width / 2), 2), max(drawn.shape[1] - width - 2, 0))
    y = min(max(round(centre[1] + height / 2), height + 2), drawn.shape[0] - 2)
    for colour, thickness in (((*DARK[:3], 255), 4), (LIGHT, 1)):
        cv2.putText(
            drawn, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA
        )


def _reduce(picture: Any, longest: int = LONGER_SIDE) -> Any:
    """Reduce HW or HWC by area.

    Halving comes first: OpenCV halves ten times faster than it reduces by any other factor.
    """
    target = scaled_size(picture.shape, reduction(picture.shape, longest))
    while max(picture.shape[:2]) >= 2 * longest:
        h, w = picture.shape[:2]
        # An odd last row or column is dropped, so that halving is exact.
        even = picture[: max(1, h // 2 * 2), : max(1, w // 2 * 2)]
        picture = resize(even, (max(1, h // 2), max(1, w // 2)))
    return resize(picture, target)


def _jpeg(rgb: Pixels, longest: int = LONGER_SIDE) -> bytes:
    file = io.BytesIO()
    Image.fromarray(reduce_picture(rgb, longest)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _webp(drawn: NDArray[np.uint8]) -> bytes:
    """Encode without loss: a line one pixel wide survives nothing else."""
    file = io.BytesIO()
    Image.fromarray(drawn).save(file, "WEBP", lossless=True, method=1)
    return file.getvalue()


def _write(path: Path, content: bytes, placement: Placement) -> None:
    with atomic_write(path, durable=False, placement=placement) as file:
        file.write(content)


def key(name: str) -> str:
    """Return what the names of a photo's own files begin with, from its name in the report."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def kept_mask(name: str) -> str:
    """Return where the mask lies that a run keeps for the mask board, in the output folder."""
    return f"{OWN}/{key(name)}.png"
