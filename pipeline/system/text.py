"""Text for terminals and pages: file names may hold any character, addresses may hold secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

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


def some(names: Sequence[str], shown: int = SHOWN) -> str:
    """Return the first names, and how many more there are: ``a, b, c and 5 more``."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"


def all_of(names: Sequence[str]) -> str:
    """Return names of which all are meant: ``a and b``, or ``a, b, c and 5 more``."""
    if not 1 < len(names) <= SHOWN:
        return some(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: East Asian characters take two."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shortened(name: str, room: int, dots: str = "…") -> str:
    """Cut the name of a file to so many columns, so that its end can still be read.

    Folders go first, then the middle of the name: numbers and ending tell photos apart.

    Args:
        name: a relative path.
        room: columns.
        dots: stands for what is left out.
    """
    if columns(name) <= room:
        return name
    base = name.rpartition("/")[2]
    for whole in (f"{dots}/{base}", base):
        if columns(whole) <= room:
            return whole
    room = max(0, room - columns(dots))
    head = _begin(base, room // 3 if room >= 16 else 0)
    end = _begin(base[::-1], room - columns(head))[::-1]
    return f"{head}{dots}{end}"


def _begin(text: str, room: int) -> str:
    """The longest begin of a text that takes at most so many columns."""
    for length, character in enumerate(text):
        room -= _columns(character)
        if room < 0:
            return text[:length]
    return text


def with_origins(message: str, settings_from: Mapping[str, Mapping[str, Any]]) -> str:
    """Add to an error message where the options that it names are from, if nobody typed them.

    Args:
        message: the message.
        settings_from: options that settings files set, by the files' addresses.
    """
    found = [
        f"; --{key} is from {file}"
        for file, said in settings_from.items()
        for key in said
        if re.search(rf"--{key}(?![\w-])", message)
    ]
    return "".join([message, *found])


def redacted(text: str) -> str:
    """Hide the parts of addresses that may hold passwords or signatures.

    These are the text before an ``@`` and the text after a question mark.
    """
    text = re.sub(r"(://)[^/@\s]*@", r"\1***@", text)
    return re.sub(r"(://[^\s?]*)\?\S*", r"\1?***", text)
