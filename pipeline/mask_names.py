"""Names of saved masks: ``masks/<path>/a.png`` for ``a.jpg``, and ``a.jpg.png`` where the short name would not be one photo's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

FOLDER = "masks"


def mask_names(photos: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """For each photo (a path relative to the output folder) the path of its mask, relative to the same. All different.

    A name is lengthened where another photo shares the stem, where another mask took it, and where a photo of the folder
    ``masks`` is itself written there. Upper and lower case count as one, because on many disks they are.
    """
    results = {_key(photo) for photo in photos}
    short = [PurePosixPath(FOLDER, photo).with_suffix(".png") for photo in photos]
    full = [PurePosixPath(FOLDER, f"{photo}.png") for photo in photos]
    names = list(short)
    while True:
        count = Counter(_key(name) for name in names)
        clashes = [i for i, name in enumerate(names) if name != full[i] and (count[_key(name)] > 1 or _key(name) in results)]
        if not clashes:
            return names
        for i in clashes:
            names[i] = full[i]


def _key(path: PurePosixPath) -> str:
    return str(path).casefold()
