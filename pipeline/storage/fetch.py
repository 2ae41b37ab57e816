"""Files from elsewhere as files of this machine, under names that nothing foreign has a part in, and errors that name the right one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import PhotoError
from .location import Location


@contextmanager
def local_copy(place: Location) -> Iterator[Path]:
    """The file itself where it is on this machine, else a copy for as long as the block runs. Raises ``UnreadableError``."""
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="remove-objects-") as folder:
        copy = Path(folder, f"photo{place.suffix}")
        place.fetch(copy)
        with renamed_errors(copy, place):
            yield copy


@contextmanager
def renamed_errors(here: Path, there: object) -> Iterator[None]:
    """A photo's errors in the block speak of ``there`` where they spoke of the file ``here``."""
    try:
        yield
    except PhotoError as error:
        if str(here) == str(there):
            raise
        raise type(error)(str(error).replace(str(here), str(there))) from error
