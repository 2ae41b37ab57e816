"""Text for terminals and pages: file names may hold any character, addresses may hold secrets."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    r"""Escape control characters, writing-direction marks and broken bytes.

    They become ``\n``, ``\u202e``, ``\udcff``.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


def redacted(text: str) -> str:
    """Hide the parts of addresses that may hold passwords or signatures.

    These are the text before an ``@`` and the text after a question mark.
    """
    text = re.sub(r"(://)[^/@\s]*@", r"\1***@", text)
    return re.sub(r"(://[^\s?]*)\?\S*", r"\1?***", text)
