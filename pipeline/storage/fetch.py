"""Local copies of remote files, and errors that name the remote file instead of its copy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import PhotoError
from .location import Location


@contextmanager
def local_copy(place: Location) -> Iterator[Path]:
    """Yield a local file itself, or a temporary copy of a remote one.

    The copy's name is our own: no remote name becomes a path of this machine.

    Raises:
        UnreadableError: the remote file cannot be downloaded.
    """
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="remove-objects-") as folder:
        copy = Path(folder, f"photo{place.suffix}")
        place.fetch(copy)
        with renamed_errors(copy, place):
            yield copy


@contextmanager
def renamed_errors(path: Path, shown: object) -> Iterator[None]:
    """Let a photo's errors in the block name ``shown`` instead of the file ``path``."""
    try:
        yield
    except PhotoError as error:
        if str(path) == str(shown):
            raise
        raise type(error)(str(error).replace(str(path), str(shown))) from error
