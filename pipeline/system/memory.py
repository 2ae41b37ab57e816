"""How much memory is free: of the machine, and of the container that the process runs in."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: The files of a control group, version 2 and version 1: its limit, and what it uses.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


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
