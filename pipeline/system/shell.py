"""Commands that people copy from a message or a page into their shell."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

from .text import printable


def in_shell(words: Sequence[str]) -> str:
    """Quote words for the shell that people of this system type in.

    A name with control characters or broken bytes is quoted by its bytes, as Bash and Zsh read it.
    """
    return " ".join(map(_quoted_for_windows if os.name == "nt" else _quoted, words))


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    escaped = re.sub(
        rb"[^\w/.-]", lambda found: b"\\x%02x" % ord(found[0]), os.fsencode(word), flags=re.ASCII
    ).decode("ascii")
    return f"$'{escaped}'"


def _quoted_for_windows(word: str) -> str:
    return word if re.fullmatch(r"[\w\\/:.-]+", word) else f'"{printable(word)}"'
