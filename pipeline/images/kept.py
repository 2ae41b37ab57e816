"""Whether a written file has the metadata that it was to get."""

from __future__ import annotations

from collections.abc import Iterator

from .metadata.exif_xmp import orientation, without_orientation
from .native import Metadata, Native


def lost_metadata(wanted: Native, written: Native, *, turned: bool) -> tuple[str, ...]:
    """Compare a file's metadata with those that were given to its encoder.

    Args:
        wanted: what the encoder was given.
        written: the new file's own.
        turned: whether a JPEG's pixels lie as in the source, with the metadata for that.

    Returns:
        A sentence about what is missing or differs; none if all is there.
    """
    metadata = wanted.coded.metadata if turned and wanted.coded is not None else wanted.metadata
    names = [*_lost_blocks(metadata, written.metadata), *_lost_options(wanted, written)]
    if not names:
        return ()
    return (f"the {wanted.format} file could not hold its {', '.join(names)}",)


def _lost_blocks(wanted: Metadata, written: Metadata) -> Iterator[str]:
    for name, before, after in (
        ("EXIF", *_comparable(wanted.exif, written.exif)),
        ("XMP", wanted.xmp, written.xmp),
        ("colour profile", wanted.icc, written.icc),
    ):
        if before and before.rstrip(b"\0 ") != (after or b"").rstrip(b"\0 "):
            yield name
    if set(wanted.blocks) - set(written.blocks):
        yield "other blocks of metadata"


def _comparable(before: bytes | None, after: bytes | None) -> tuple[bytes | None, bytes | None]:
    """Return EXIF of two files without the orientation, if that is the same: 1 may be left out."""
    if before is None or orientation(before, None) != orientation(after, None):
        return before, after
    return without_orientation(before), after and without_orientation(after)


def _lost_options(wanted: Native, written: Native) -> Iterator[str]:
    """Compare what TIFF and GIF keep among the encoder's settings."""
    # Written out, fractions without a value and texts of any kind compare as what they are.
    before, after = (
        {tag: repr(value) for tag, _, value in native.options.get("tags", ())}
        for native in (wanted, written)
    )
    lost = [str(tag) for tag, value in before.items() if after.get(tag) != value]
    if lost:
        yield f"tags {', '.join(lost[:8])}"
    if wanted.options.get("comment", b"") != written.options.get("comment", b""):
        yield "comment"
