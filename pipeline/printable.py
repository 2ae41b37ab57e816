"""Text that may hold anything, such as a file's name, made fit to be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """Control characters and broken bytes are shown as what they are, not sent to a terminal or a page."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)
