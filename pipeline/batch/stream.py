"""One photo from bytes to bytes, for pipes and the service.

It is a run in a temporary folder that disappears with it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import OutputError, UnreadableError, UsageError
from ..images.formats.table import FORMATS
from ..images.open import BAD_CONTENT, HEAD_BYTES, most_file_bytes
from ..images.suffixes import SUFFIXES
from ..remover import ObjectRemover
from ..storage.fetch import local_copy
from ..storage.location import Location
from ..system.signals import Stop
from .call import Call
from .run import Round, clean_folder, log_of_photos
from .settings import BatchSettings

if TYPE_CHECKING:
    from ..report.schema import Entry

#: What messages call the photo.
STANDARD_INPUT = "the standard input"

#: The photo's own mask in the temporary folder.
_MASK = "masks/photo.png"

#: How files begin that Pillow recognises, and the endings of their formats. A file that begins
#: otherwise gets the ending of a JPEG, and its reader says what it found.
_BEGINNINGS = (
    (b"\x89PNG", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"II+\0", ".tif"),
    (b"MM\0+", ".tif"),
)


@dataclass(frozen=True, slots=True)
class Streamed:
    """A cleaned photo.

    Attributes:
        content: the bytes of its file.
        status: ``ok``, ``review`` or ``unchanged``.
        reason: the reason of the status.
        warnings: what else to know.
        entry: the photo's entry of a report; files that it names are gone.
        mask: the bytes of the mask, a PNG; None if nothing was removed, or no mask was asked for.
    """

    content: bytes
    status: str
    reason: str
    warnings: tuple[str, ...]
    entry: Entry
    mask: bytes | None


def clean_bytes(
    content: bytes,
    settings: Settings,
    batch: BatchSettings,
    stop: Stop | None = None,
    *,
    remover: ObjectRemover | None = None,
    shown: str = STANDARD_INPUT,
    within: Path | None = None,
) -> Streamed:
    """Clean one photo that is in memory; nothing stays on the disk.

    Args:
        content: the bytes of the photo's file.
        settings: the settings of the picture.
        batch: the settings of the folder; ``masks`` is the photo's own mask, a file.
        stop: a request ends the run.
        remover: has loaded networks, for the settings; None to load them for this photo.
        shown: what messages call the photo.
        within: the folder for the temporary folder; None for the system's.

    Raises:
        UnreadableError: the photo cannot be cleaned.
        OutputError: the temporary folder cannot be written.
        UsageError, WeightsError: the call cannot work.
    """
    mask = batch.masks
    with tempfile.TemporaryDirectory(prefix="remove-objects-", dir=within) as name:
        folder = Path(name)
        photo = folder / f"photo{suffix_of(content)}"
        try:
            photo.write_bytes(content)
        except OSError as error:
            raise OutputError(
                f"the temporary folder {folder.parent} cannot be written ({error.strerror}); "
                "name another by the environment variable TMPDIR"
            ) from error
        if mask is not None:
            _copy_mask(mask, folder / _MASK)
        own = None if mask is None else (folder / _MASK).parent
        batch = replace(batch, output=folder / "out", masks=own)
        shared = Round(remover or ObjectRemover(settings), wanted=lambda _: True)
        with without_sentences_about_photos():
            result = clean_folder(Call((photo,), (), settings, batch), None, stop or Stop(), shared)
        if not result.photos:
            raise OutputError(result.stopped or "stopped")
        entry = result.photos[0]
        shown_mask = f"the mask {mask}" if within is None else "the mask"
        names = {str(photo): shown, str(folder / _MASK): shown_mask}
        if entry["error"] is not None or entry["output"] is None:
            raise UnreadableError(_renamed(entry["error"] or entry["reason"], names))
        cleaned = (folder / "out" / entry["output"]).read_bytes()
        warnings = tuple(_renamed(warning, names) for warning in entry["warnings"])
        mask_bytes = (folder / "out" / entry["mask"]).read_bytes() if entry["mask"] else None
        reason = _renamed(entry["reason"], names)
        return Streamed(cleaned, entry["status"], reason, warnings, entry, mask_bytes)


@contextmanager
def without_sentences_about_photos() -> Iterator[None]:
    """Keep off the terminal what the one photo's entry tells too; they name the temporary file."""
    before, log_of_photos.disabled = log_of_photos.disabled, True
    try:
        yield
    finally:
        log_of_photos.disabled = before


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """Return a text without the names of temporary files."""
    for name, shown in names.items():
        text = text.replace(name, shown)
    return text


def most_bytes(batch: BatchSettings) -> int:
    """Return the most bytes that a photo's file may have."""
    return most_file_bytes(batch.max_pixels)


def suffix_of(content: bytes) -> str:
    """Return the ending of a photo's format, by its content."""
    with suppress(*BAD_CONTENT):
        handle = BytesIO(content)
        for record in FORMATS:
            if record.recognise and record.recognise(content[:HEAD_BYTES], handle):
                return record.suffixes[0] if record.suffixes[0] in SUFFIXES else ".tif"
    for beginning, suffix in _BEGINNINGS:
        if content.startswith(beginning):
            return suffix
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    if content[4:8] == b"ftyp":
        return ".avif" if content[8:12] in (b"avif", b"avis") else ".heic"
    return ".jpg"


def _copy_mask(mask: Location, copy: Path) -> None:
    if not (mask.is_file() if isinstance(mask, Path) else list(mask.files()) == [""]):
        raise UsageError(f"{mask}: no such file; with - name the photo's own mask: --masks FILE")
    copy.parent.mkdir()
    try:
        with local_copy(mask) as file:
            shutil.copyfile(file, copy)
    except OSError as error:
        raise UnreadableError(f"the mask {mask}: cannot be copied ({error.strerror})") from error
