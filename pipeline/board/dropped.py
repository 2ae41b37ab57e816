"""Names for the results of photos that were dropped on the page, in the board's output folder.

Such a photo has no place among the opened ones. Its result takes a name that nothing has: no file,
no photo of the list, and none that a run knows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path, PurePosixPath

from ..batch.names import RESERVED, folded, layers_name, possible_masks
from ..images.suffixes import is_readable, result_names, usual_suffix
from ..system.text import printable
from ..types import Photo
from .catalog import Item

#: Bytes of the longest stem: what is added to it must fit a disk's longest name.
LONGEST_STEM = 180
#: What some disk or system does not allow in names, and what leads to other folders.
_UNUSUAL = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
#: Names that Windows keeps for devices.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def place(
    item: Item, photo: Photo, output: Path, others: Iterable[Item], known_to_runs: Iterable[str]
) -> tuple[Path, Path]:
    """Return free files for the result of a dropped photo and for its mask.

    Args:
        item: the photo.
        photo: the same, decoded: its format decides the ending where the name has none.
        output: the output folder; it need not exist.
        others: the photos of the list, whose files are not taken either.
        known_to_runs: the names that photos of runs have in the folder, nor are these.
    """
    known = {folded(name) for name in known_to_runs}
    for other in others:
        if other.key == item.key or other.target is None:
            continue
        known |= {folded(each) for each in result_names(_name_in(output, other.target))}
        if other.mask_target is not None:
            known.add(folded(_name_in(output, other.mask_target)))
    for name in _names(item.name, photo):
        mask = possible_masks(name)[0]
        taken = [*result_names(name), str(mask), str(layers_name(mask))]
        if folded(name) in RESERVED or any(folded(each) in known for each in taken):
            continue
        if not any(os.path.lexists(output / each) for each in taken):
            return output / name, output / mask
    raise AssertionError  # there is always a next number


def _names(name: str, photo: Photo) -> Iterator[str]:
    """Yield the names to try: the photo's own if any disk takes it, then with numbers."""
    plain = _UNUSUAL.sub("_", printable(name)).strip(" .") or "photo"
    if not is_readable(plain):
        plain += usual_suffix(photo)
    path = PurePosixPath(plain)
    stem = path.stem.encode()[:LONGEST_STEM].decode(errors="ignore").rstrip(" .")
    if _DEVICE.fullmatch(stem.partition(".")[0]):
        stem = f"_{stem}"
    yield f"{stem}{path.suffix}"
    for number in count(2):
        yield f"{stem}-{number}{path.suffix}"


def _name_in(output: Path, path: Path) -> str:
    try:
        return path.relative_to(output).as_posix()
    except ValueError:
        return ""
