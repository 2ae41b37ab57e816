"""Lists of files for ``--files-from``, as ``find``, ``ls`` and Windows' PowerShell write them."""

from __future__ import annotations

import codecs
import os

#: Byte order marks, their encodings, and what becomes of broken bytes. PowerShell writes UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "surrogateescape"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "replace"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "replace"),
)


def read_list(content: bytes) -> list[str]:
    r"""Return the entries of a list, in order.

    A list with a NUL in it is separated by NULs (``find -print0``), and its entries are taken to
    the byte; any other one has an entry a line. Empty entries are left out. Nothing is a comment.

    Args:
        content: the file's bytes; names may be in no encoding at all.
    """
    for mark, encoding, errors in _MARKS:
        if content.startswith(mark):
            content = os.fsencode(content[len(mark) :].decode(encoding, errors))
            break
    if b"\0" in content:
        entries = content.split(b"\0")
    else:
        entries = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return [os.fsdecode(entry) for entry in entries if entry]
