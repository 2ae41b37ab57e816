"""Text for the terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """File names may hold anything: control characters and broken bytes are shown, not sent to the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)
