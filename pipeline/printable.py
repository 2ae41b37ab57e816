"""File names may hold anything: what cannot be printed is shown escaped, in a terminal as on a page."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Control characters, marks that turn the direction of writing and broken bytes as ``\n``, ``\u202e``, ``\udcff``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)
