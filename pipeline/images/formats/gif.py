"""GIF, of one frame."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from ..metadata.hidden import may_hold_picture
from ..metadata.text import decoded, is_known_text
from ..native import Native, Sheet, transparency
from .format import Captured, Format, Source, bare_metadata, encoded


def capture(source: Source) -> Captured:
    """Keep interlacing and the comment, unless the comment might hold a picture."""
    info = source.image.info
    comment = info.get("comment", b"")
    return Captured(
        options={
            "interlace": info.get("interlace", 0),
            "comment": b"" if may_hold_picture(comment) else comment,
        }
    )


def known(native: Native) -> tuple[Native, tuple[str, ...]]:
    """Keep the comment if it is a text."""
    comment = native.options.get("comment", b"")
    text = decoded(comment)
    kept = text is not None and is_known_text(text)
    options = {**native.options, "comment": comment.partition(b"\0")[0] if kept else b""}
    return replace(native, options=options), () if kept else ("comment",)


def encode(sheet: Sheet, native: Native, handle: BinaryIO) -> None:
    """Write a GIF; the first wholly transparent palette entry stays the transparent one."""
    alphas = transparency(sheet).get("transparency", b"")
    clear = {"transparency": alphas.index(0)} if alphas and 0 in alphas else {}
    handle.write(encoded(sheet, "GIF", optimize=False, **clear, **native.options))


def bare(native: Native) -> Native:
    """Drop the metadata and the comment."""
    options = {**native.options, "comment": b""}
    return replace(native, metadata=bare_metadata(native.metadata), options=options)


GIF = Format(
    name="GIF",
    title="GIF",
    suffixes=(".gif",),
    lossy=False,
    from_pixels=False,  # it needs a palette
    capture=capture,
    encode=encode,
    known=known,
    bare=bare,
)
