"""What to tell of an exception that nobody foresaw: a fault of this program, or no memory left.

Whoever catches one keeps its harm to the photo at hand, and hides nothing: the message names the
place in this package, and the traceback goes to the log.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from .text import printable

_PACKAGE = __name__.partition(".")[0]
#: Characters of an exception's own message that are quoted; the traceback has all of it.
_QUOTED = 300
#: What the messages of OpenCV and torch hold if the machine's memory did not suffice. OpenCV has a
#: code too, but at the class of its errors, where another thread's error replaces it.
_NO_MEMORY = ("(-4:Insufficient memory)", "DefaultCPUAllocator")


def is_want_of_memory(error: BaseException) -> bool:
    """Whether the memory, of the machine or of a GPU, did not suffice.

    Python's and NumPy's errors say so by their type, torch's for GPUs too; its error for the
    machine and OpenCV's say it in their messages alone.
    """
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(sign in str(error) for sign in _NO_MEMORY)
    )


def told(error: BaseException) -> str:
    """Return the exception's type, the innermost place in this package, and the message.

    In one line, such as ``ValueError at remove_objects/pipeline/pixels.py:12: no such axis``.
    """
    kind, at = type(error).__name__, _place(error)
    return f"{kind}{f' at {at}' if at else ''}{quoted(error)}"


def quoted(error: BaseException) -> str:
    """Return the beginning of the exception's message behind a colon; "" if it has none."""
    text = " ".join(str(error).split())
    return f": {text[:_QUOTED]}{'…' if len(text) > _QUOTED else ''}" if text else ""


def trace(error: BaseException) -> str:
    """Return the traceback for a log: lines without control characters, no line break at the end.

    The messages of errors may hold names of files, and these any character.
    """
    lines = "".join(traceback.format_exception(error)).rstrip("\n").split("\n")
    return "\n".join(map(printable, lines))


def _place(error: BaseException) -> str | None:
    """Return file and line of the innermost frame that is this package's; None without one."""
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if (module := str(frame.f_globals.get("__name__"))).partition(".")[0] == _PACKAGE:
            # The module says where the file lies in an installation, wherever the checkout is.
            folder = str(frame.f_globals.get("__package__") or module).replace(".", "/")
            place = f"{folder}/{Path(frame.f_code.co_filename).name}:{line}"
    return place
