"""Text for terminals and pages: file names may hold any character, addresses may hold secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Number of names that a sentence shows.
SHOWN = 3


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


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are: ``a, b, c and 5 more``."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def all_of(names: Sequence[str]) -> str:
    """Return names of which all are meant: ``a and b``, or ``a, b, c and 5 more``."""
    if not 1 < len(names) <= SHOWN:
        return some(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def redacted(text: str) -> str:
    """Hide the parts of addresses that may hold passwords or signatures.

    These are the text before an ``@`` and the text after a question mark.
    """
    text = re.sub(r"(://)[^/@\s]*@", r"\1***@", text)
    return re.sub(r"(://[^\s?]*)\?\S*", r"\1?***", text)
