"""How many cores this process may use, and how its threads wait for each other."""

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


def wait_asleep() -> None:
    """Let OpenMP's threads sleep while they wait for each other; call it before torch is imported.

    By default they keep their cores busy. On a machine that does other work too, a thread that has
    its core waits in that way for one that has none, at each of a network's layers: measured while
    training, four times the processor time, and five times the time. A user's own
    ``OMP_WAIT_POLICY`` stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
