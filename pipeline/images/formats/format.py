"""``Format``, the record of one image format, and functions that most formats share."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from PIL import Image

from ...errors import UnreadableError
from ...types import Pixels
from ..metadata.exif_xmp import bare_exif, essential_exif, orientation
from ..metadata.icc import plain_profile
from ..native import Coded, FloatSamples, Metadata, Native, Sheet, to_pillow


class Mended(NamedTuple):
    """A file without a fault that costs no pixel.

    Attributes:
        content: the file.
        warnings: what the fault was, and what the cleaned file lacks for it.
    """

    content: bytes
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A loaded picture and its file, for ``Format.capture``.

    Attributes:
        image: the picture as Pillow opened it, decoded.
        handle: its file, open for reading.
        turn: the orientation 1-8 in which the file's pixels lie.
        metadata: the file's metadata, unchanged, without ``blocks``.
    """

    image: Image.Image
    handle: BinaryIO
    turn: int
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Captured:
    """The properties of a file that its format keeps, besides pixels, EXIF, XMP and ICC profile.

    Attributes:
        blocks: for ``Metadata.blocks``.
        options: for ``Native.options``.
        coded: for ``Native.coded``.
        lossless: whether this file's compression is lossless; None if the format decides.
        warnings: about properties that cannot be kept.
        dropped: for ``Native.dropped``.
        turn: for ``Native.turn``, where loading turned the pixels; None if it did not.
    """

    blocks: tuple[tuple[Any, bytes], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    coded: Coded | None = None
    lossless: bool | None = None
    warnings: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    turn: int | None = None


#: Encodes a sheet with its metadata into a file.
Encode: TypeAlias = Callable[[Sheet, Native, BinaryIO], None]


def refuse_pages(image: Image.Image, kind: str = "frames (an animation)") -> tuple[str, ...]:
    """Refuse a file of several pictures.

    Args:
        image: an opened picture.
        kind: the format's word for its pictures.

    Returns:
        No warnings.

    Raises:
        UnreadableError: if the file has more than one picture: cleaning the first one only would
            leave the object on the others.
    """
    count = picture_count(image)
    if count > 1:
        raise UnreadableError(
            f"the file has {count} {kind}: cleaning the first would leave the object on the "
            "others; split it first"
        )
    return ()


def picture_count(image: Image.Image) -> int:
    """Return the number of pictures that Pillow sees in the file."""
    return int(getattr(image, "n_frames", 1))


def exif_of(image: Image.Image) -> bytes | None:
    """Return the file's EXIF from its TIFF header on."""
    return bare_exif(image.info.get("exif"))


def xmp_of(image: Image.Image) -> bytes | None:
    """Return the file's XMP."""
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return xmp.encode() if isinstance(xmp, str) else xmp


def bare_metadata(
    metadata: Metadata,
    *,
    turn: int = 1,
    dpi: tuple[float, float] | None = None,
    blocks: tuple[tuple[Any, bytes], ...] = (),
) -> Metadata:
    """Keep the colour profile, without foreign data, and the density; drop all other metadata.

    Args:
        metadata: the file's metadata.
        turn: the orientation 1-8 to declare in EXIF.
        dpi: the density to declare in EXIF, for a format that has no other place for it.
        blocks: the blocks that are kept.
    """
    exif = essential_exif(turn, dpi)
    return Metadata(exif=exif, icc=plain_profile(metadata.icc), dpi=metadata.dpi, blocks=blocks)


def bare(native: Native) -> Native:
    """Drop a file's metadata but for its colour profile and density."""
    return replace(native, metadata=bare_metadata(native.metadata))


def known(native: Native) -> tuple[Native, tuple[str, ...]]:
    """Return the same ``Native``: its format has no further metadata."""
    return native, ()


def encoded(sheet: Sheet, format: str, **options: Any) -> bytes:
    """Encode in memory with Pillow's encoder for ``format``.

    An encoder that writes to the file itself reports a full disk as an error of its own.
    """
    memory = io.BytesIO()
    to_pillow(sheet).save(memory, format, **options)
    return memory.getvalue()


def pillow_metadata(native: Native) -> dict[str, bytes]:
    """Return EXIF, XMP and ICC profile under the names that Pillow's writers take, if present."""
    metadata = {
        "exif": native.metadata.exif,
        "xmp": native.metadata.xmp,
        "icc_profile": native.metadata.icc,
    }
    return {name: value for name, value in metadata.items() if value}


def _nothing_to_mend(head: bytes, handle: BinaryIO) -> None:
    """Pillow overlooks this format's small faults."""


def _nothing_to_verify(handle: BinaryIO) -> None:
    """A mended file of this format is complete, or the decoder says what it lacks."""


def _no_bomb(image: Image.Image, handle: BinaryIO) -> None:
    """Nothing in this format makes a small file of few pixels slow to decode."""


def _no_orientation(image: Image.Image) -> None:
    """EXIF and XMP are the only places for it."""


def _no_deep_samples(image: Image.Image, handle: BinaryIO) -> Pixels | None:
    return None


def _nothing_more(source: Source) -> Captured:
    return Captured()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One image format. Most defaults suit a format that Pillow reads and writes entirely.

    Attributes:
        name: Pillow's name of the format, which is also ``Native.format``.
        title: the format's name for people.
        suffixes: the file name endings by which a file is taken for a photo, with their dots.
        lossy: whether files of this format may be lossy.
        encode: writes a picture; raises ``UnwritableError`` if the format cannot hold it.
        deep: whether it can hold 16 bits per channel.
        alpha: whether it can hold an alpha channel.
        from_pixels: whether a photo that came from no file may be written in it.
        aliases: other names under which Pillow opens such a file.
        recognise: whether a file, of which these are the first bytes, has this format; None: Pillow
            decides.
        open: opens a recognised file, without decoding it; None: Pillow does.
        pillow: whether Pillow opens the files that are not recognised.
        mend: given a file and its first bytes, the file without a fault of its structure that
            costs no pixel; None if it has none, or is of another format. Raises
            ``UnreadableError`` for a fault that may cost pixels.
        verify: raises ``UnreadableError`` for a mended file that lacks pixels nevertheless.
        refuse_bomb: raises ``UnreadableError`` for an opened file whose pixels would take far
            longer to decode than their number suggests.
        refuse_pages: raises ``UnreadableError`` for a file of several pictures; returns warnings if
            the further pictures are only side data, such as thumbnails.
        deep_samples: the samples (HWC, uint16 or floating-point, RGB order) of a file whose depth
            Pillow would reduce to 8 bits; None for any other file.
        exif: a loaded picture's EXIF.
        directory_orientation: the orientation that the file declares outside EXIF and XMP, where
            it takes precedence; None if it has none.
        capture: collects further properties of a file.
        known: drops the metadata besides EXIF, XMP and colour profile that are not known to hold
            no picture; returns what is left, and the names of what was dropped.
        bare: drops all metadata that the pixels do not need.
        strip: a file's content without its metadata, its coded pixels unchanged; raises
            ``ValueError`` if some metadata might remain. None: such a photo is re-encoded.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    lossy: bool
    encode: Encode
    deep: bool = False
    alpha: bool = True
    from_pixels: bool = True
    aliases: tuple[str, ...] = ()
    recognise: Callable[[bytes, BinaryIO], bool] | None = None
    open: Callable[[BinaryIO], Image.Image] | None = None
    pillow: bool = True
    mend: Callable[[bytes, BinaryIO], Mended | None] = _nothing_to_mend
    verify: Callable[[BinaryIO], None] = _nothing_to_verify
    refuse_bomb: Callable[[Image.Image, BinaryIO], None] = _no_bomb
    refuse_pages: Callable[[Image.Image], tuple[str, ...]] = refuse_pages
    deep_samples: Callable[[Image.Image, BinaryIO], Pixels | FloatSamples | None] = _no_deep_samples
    exif: Callable[[Image.Image], bytes | None] = exif_of
    directory_orientation: Callable[[Image.Image], int | None] = _no_orientation
    capture: Callable[[Source], Captured] = _nothing_more
    known: Callable[[Native], tuple[Native, tuple[str, ...]]] = known
    bare: Callable[[Native], Native] = bare
    strip: Callable[[bytes, Native], bytes] | None = None

    def orientation(self, image: Image.Image) -> int:
        """Return the orientation 1-8 in which a loaded picture's pixels lie."""
        declared = self.directory_orientation(image)
        return orientation(self.exif(image), xmp_of(image)) if declared is None else declared
