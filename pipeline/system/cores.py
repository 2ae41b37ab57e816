"""How many cores this process may use."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: The file of a control group, version 2, that says its share of the cores: "QUOTA PERIOD", in
#: microseconds, or "max PERIOD".
_GROUP = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Return the number of cores that the system leaves to this process, at least 1."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such call
        cores = os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no such group, or "max"
        quota, period = map(int, _GROUP.read_text().split())
        cores = min(cores, round(quota / period))
    return max(1, cores)
