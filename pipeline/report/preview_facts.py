"""What the page has to know of previews: their sizes, and where the mask is.

To know it a file must be decoded, which for thousands of photos takes as long as all else. So it is
remembered beside the masks that a run keeps for the mask board, for files that stay as they are.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import UnwritableError
from ..storage.layout import OWN
from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..system.confined import is_link
from .previews import LARGE_KINDS, LARGE_SIDE

#: The file, in the folder of the program's own in the output folder.
NAME = "previews.json"
#: Fewer files are decoded at once, so nothing is remembered of them.
LEAST = 200
#: A larger file of facts is neither written nor read: it would be of 40,000 previews and more.
MOST_BYTES = 4_000_000

#: Bytes and modification time of a file, width and height of its picture in pixels, and of a mask
#: the horizontal centre of what is marked, in [0, 1].
_Row: TypeAlias = tuple[int, int, int, int, float | None]


@dataclass(frozen=True)
class Previews:
    """The readable previews of one photo.

    Attributes:
        files: by kind.
        size_on_disk: bytes of all that the page may hold itself.
        size: (width, height) of the preview before removal; None without one.
        middle: horizontal centre of the mask in [0, 1].
    """

    files: dict[str, Path]
    size_on_disk: int
    size: tuple[int, int] | None
    middle: float


class PreviewFacts:
    """The facts about the previews of one output folder."""

    def __init__(self, folder: Path | None) -> None:
        """Read what is remembered; without a folder nothing is, and nothing will be."""
        self._file = None if folder is None else folder / OWN / NAME
        self._remembered = {} if self._file is None else _read(self._file)
        self._rows: dict[str, _Row] = {}

    def of(self, files: dict[str, Path]) -> Previews:
        """Return the previews of one photo that can be read; ``files`` are all of it by kind."""
        readable, sizes, size_on_disk, middle = {}, {}, 0, 0.5
        for kind, file in files.items():
            if kind in LARGE_KINDS:
                readable[kind] = file  # the viewer alone looks at it, and says what it cannot show
                continue
            try:
                row = self._row(kind, file)
            except Exception:  # Pillow raises whatever a damaged file leads to; the page goes on
                continue
            readable[kind], sizes[kind] = file, row[2:4]
            size_on_disk += row[0]
            if row[4] is not None:
                middle = row[4]
        return Previews(readable, size_on_disk, sizes.get("before"), middle)

    def remember(self, placement: Placement = ANYWHERE) -> None:
        """Remember the facts of the previews that were asked for, if there are many.

        Args:
            placement: the rights of the file; it never leaves the output folder.
        """
        if self._file is None or len(self._rows) < LEAST or self._rows == self._remembered:
            return
        content = json.dumps(self._rows, separators=(",", ":")).encode()
        if len(content) > MOST_BYTES:
            return
        # Without it the next page is written as slowly as this one, and nothing else is lost.
        with (
            suppress(UnwritableError),
            atomic_write(self._file, durable=False, placement=placement) as file,
        ):
            file.write(content)

    def _row(self, kind: str, file: Path) -> _Row:
        status = file.stat()
        name = file.name
        for known in (self._rows.get(name), self._remembered.get(name)):
            if known is not None and known[:2] == (status.st_size, status.st_mtime_ns):
                self._rows[name] = known
                return known
        width, height, middle = _decoded(kind, file)
        row = self._rows[name] = status.st_size, status.st_mtime_ns, width, height, middle
        return row


def _decoded(kind: str, file: Path) -> tuple[int, int, float | None]:
    """Return the width and height of a preview, and the middle of a mask."""
    from PIL import Image

    with Image.open(file) as image:
        box = image.getbbox() if kind == "mask" else None
        middle = None if box is None else (box[0] + box[2]) / 2 / image.width
        return image.width, image.height, middle


def _read(path: Path) -> dict[str, _Row]:
    """Read remembered rows; damaged ones, and those of a forged file, are left out."""
    with suppress(OSError, ValueError):
        if is_link(path) or is_link(path.parent) or path.stat().st_size > MOST_BYTES:
            return {}
        told = json.loads(path.read_bytes())
        if isinstance(told, dict):
            return {name: tuple(row) for name, row in told.items() if _is_row(row)}  # type: ignore[misc]
    return {}


def _is_row(row: Any) -> bool:
    if not (isinstance(row, list) and len(row) == 5):
        return False
    *numbers, middle = row
    return (
        all(type(number) is int for number in numbers)
        and all(0 < side <= LARGE_SIDE for side in numbers[2:])
        and (middle is None or (type(middle) is float and 0 <= middle <= 1))
    )
