"""How much memory is free, of the machine and of its container; and giving memory back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

#: The files of a control group, version 2 and version 1: its limit, and what it uses.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)

#: Bytes of a photo between whose stages freed memory is given back. Without that a stage takes new
#: memory beside the holes that the stage before has left: a photo of 12 megapixels 0.2 GB more.
_LARGE = 16 << 20


def free_bytes() -> int | None:
    """Return the bytes that this process may still take; None if the system does not say."""
    known = [free for free in (_of_the_machine(), *map(_of_a_group, _GROUPS)) if free is not None]
    return min(known, default=None)


def _of_the_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError, ValueError, AttributeError):  # macOS and Windows do not count them
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_a_group(files: tuple[str, str]) -> int | None:
    with suppress(OSError, ValueError):  # no such group, or "max"
        limit, used = (int(Path(file).read_text()) for file in files)
        return max(0, limit - used)
    return None


def give_back() -> None:
    """Give memory that this process has freed back to the system.

    glibc keeps it, for each thread apart: some 340 MB after a photo of 12 megapixels. Other
    libraries give it back by themselves.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


def tidy(count: int) -> None:
    """Give back what a stage of a photo has freed, if it is worth the milliseconds.

    Args:
        count: bytes of the photo, or of the part of it that the stage worked on.
    """
    if count >= _LARGE:
        give_back()


@cache
def _trim() -> Callable[[int], int] | None:
    """Glibc's ``malloc_trim``; None where there is none."""
    with suppress(OSError, AttributeError, TypeError):  # TypeError: of Windows
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        return trim
    return None
