"""File names may hold anything: what cannot be printed is shown escaped, in a terminal as on a page."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    r"""Control characters, marks that turn the direction of writing and broken bytes as ``\n``, ``\u202e``, ``\udcff``."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


def redacted(text: str) -> str:
    """Without what stands before the @ of an address, and after its question mark: passwords and signatures."""
    text = re.sub(r"(://)[^/@\s]*@", r"\1***@", text)
    return re.sub(r"(://[^\s?]*)\?\S*", r"\1?***", text)
