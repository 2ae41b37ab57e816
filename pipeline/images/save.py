"""Save a photo's outcome: the file that is written when a photo is done, by batch and board."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..config import Settings
from ..errors import UnwritableError
from ..system.atomic import ANYWHERE, Placement, copy_photo
from ..types import Fidelity, Outcome, Photo, Status
from .strip import strip_photo
from .write import write_photo


@dataclass(frozen=True, slots=True)
class SaveOptions:
    """How a photo is saved.

    Attributes:
        lossless: write a lossy format as PNG, with ``.png`` behind its name.
        strip: keep only the metadata that the pixels need.
        keep_all: keep metadata that this program does not know too.
        raw_output: the format of a developed RAW, "tiff" or "jpeg", whose ending comes behind the
            RAW's name.
    """

    lossless: bool = False
    strip: bool = False
    keep_all: bool = False
    raw_output: str = "tiff"

    @classmethod
    def from_settings(cls, settings: Settings) -> SaveOptions:
        """Return the options of a run's settings."""
        return cls(
            settings.lossless,
            settings.strip_metadata,
            keep_all=settings.keep_metadata == "all",
            raw_output=settings.raw_output,
        )


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved photo.

    Attributes:
        path: the file.
        outcome: the photo's outcome with its fidelity; saving may also extend its reason and its
            warnings.
    """

    path: Path
    outcome: Outcome


def save_outcome(
    photo: Photo,
    outcome: Outcome,
    target: Path,
    options: SaveOptions,
    *,
    placement: Placement = ANYWHERE,
) -> Saved:
    """Write the photo with its holes filled, or copy its file if nothing was removed.

    Args:
        photo: the photo as read from ``photo.path``.
        outcome: its outcome; if there is no ``result``, the file is copied byte for byte, or with
            ``options.strip`` without its metadata and with every pixel as it was.
        target: the new file; a lossless one of a lossy photo gets ``.png`` behind this name, and a
            developed RAW ``.tif`` or ``.jpg``.
        options: how to save it.
        placement: where the file may lie, its rights, its date and the last check. With
            ``options.strip`` the file gets today's date.

    Raises:
        UnwritableError: if the outcome has failed, or the file cannot be written as promised.
        UnreadableError: if the photo's file can no longer be read.
    """
    if options.strip:
        placement = placement.undated()
    if outcome.status is Status.FAILED:
        raise UnwritableError(f"there is no result to save: {outcome.reason}")
    if outcome.result is not None and outcome.mask is not None:
        written = write_photo(
            photo,
            outcome.result,
            outcome.mask,
            target,
            lossless=options.lossless,
            strip=options.strip,
            keep_all=options.keep_all,
            raw_output=options.raw_output,
            placement=placement,
        )
        fidelity = Fidelity(written.changed_outside, written.psnr_outside)
        notes = (*filter(None, [written.note]), *written.about_metadata)
        warnings = (*outcome.warnings, *notes)
        return Saved(written.path, replace(outcome, fidelity=fidelity, warnings=warnings))
    if photo.path is None:
        raise UnwritableError(f"{target}: the photo came from no file that could be copied")
    if options.strip:
        target = strip_photo(
            photo, photo.path, target, raw_output=options.raw_output, placement=placement
        )
        outcome = replace(outcome, reason=f"{outcome.reason}; its metadata was removed")
    else:
        copy_photo(photo.path, target, placement=placement)
    return Saved(target, replace(outcome, fidelity=Fidelity(0, None)))
