"""What the mask board needs of a photo whose run saves no masks: its layers, in one small PNG.

It lies in a folder of the program's own in the output folder, under a name made from a hash of the
photo's name, as the report's previews do. A new result replaces it; there is at most one for each
photo, and none larger than ``MOST_BYTES``.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import images
from ..errors import UnreadableError, UnwritableError
from ..report import previews
from ..system.atomic import Placement, atomic_write
from ..system.confined import is_link, remove
from ..types import Layer, Mask, Outcome

if TYPE_CHECKING:
    from ..report.schema import Entry

#: A larger file is not kept: the board then shows the pixels that the result changed.
MOST_BYTES = 2_000_000
#: How far the share of a kept mask may be from that of its entry, absolutely and as a part of it: a
#: run that died may have left the mask of a result that never took its name.
_SAME_SHARE, _SAME_PART = 1e-4, 0.02


class Kept(NamedTuple):
    """What is kept of a photo.

    Attributes:
        layers: HW uint8, values of ``Layer``.
        kept: HW bool, the objects that the run kept; None if there are none.
    """

    layers: NDArray[np.uint8]
    kept: Mask | None


def place(output: Path, name: str) -> Path:
    """The file of a photo's layers, whether it exists or not."""
    return output / previews.kept_mask(name)


def write(output: Path, name: str, outcome: Outcome, placement: Placement) -> None:
    """Keep the layers of an outcome, and the objects that it kept.

    Args:
        output: the output folder.
        name: the photo's name in the report; together with ``output`` it decides the file.
        outcome: of the photo; without holes, nothing is kept.
        placement: the rights of the file; it never leaves ``output``.

    Raises:
        UnwritableError: the disk's errors.
    """
    if outcome.mask is None or not outcome.holes:
        return
    layers = images.layers_of(outcome.mask, outcome.layers)
    content = images.encode_layers(layers, outcome.kept)
    if len(content) > MOST_BYTES:
        return
    with atomic_write(place(output, name), durable=False, placement=placement) as file:
        file.write(content)


def read(file: Path, entry: Entry, size: tuple[int, int]) -> Kept | None:
    """Return the kept layers of a photo's result.

    Args:
        file: of the layers, see ``place``.
        entry: the report's entry of the result.
        size: the photo's upright height and width.

    Returns:
        None if none are kept, or if they are of another result.
    """
    if is_link(file) or is_link(file.parent) or not file.is_file():
        return None
    with suppress(UnreadableError, KeyError, TypeError, ValueError):  # also of a damaged report
        layers = images.read_layers(file, size)
        share, told = float((layers != Layer.NONE).mean()), float(entry["hole_share"])
        if abs(share - told) <= max(_SAME_SHARE, _SAME_PART * told):
            return Kept(layers, images.read_kept(file, size))
    return None


def discard(output: Path, name: str) -> None:
    """Delete the kept layers of a photo: they are not those of its new result."""
    with suppress(OSError, UnwritableError):
        remove(place(output, name), output)
