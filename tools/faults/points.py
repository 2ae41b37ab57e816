"""Runs in a forked child, which has everything loaded already, so that it can be killed or starved at any point of its writing.

Points are seen from outside the program: by Python's audit events of opening, renaming, removing and making, and by ``os.fsync``.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

#: Audit events of a change to the disk, and where their path stands in the arguments.
_EVENTS = {
    "open": 0,
    "os.rename": 1,
    "os.remove": 0,
    "os.mkdir": 0,
    "os.rmdir": 0,
    "os.truncate": 0,
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def start(work: Callable[[], object], errors: Path | None = None) -> int:
    """The pid of a child that does ``work`` and ends with its number, or with 70 and a traceback in ``errors``."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of other threads; those of torch and OpenCV sleep here
        pid = os.fork()
    if pid:
        return pid
    code: object = 70
    try:
        if errors is not None:
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code if isinstance(code, int) else 0)


def ended(pid: int, seconds: float = 120) -> int:
    """The exit code of a child, negative for the signal that killed it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("it did not end")


def at_points(folder: Path, told: Callable[[int, str], None]) -> None:
    """From now on, in this process and for good, ``told`` hears of each change below ``folder`` before it is made: its number and what.

    Nothing waits for the disk any more: what a killed process wrote, the system keeps.
    """
    count = 0

    def point(what: str) -> None:
        nonlocal count
        told(count, what)
        count += 1

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event not in _EVENTS:
            return
        path = arguments[_EVENTS[event]]
        if not isinstance(path, str | bytes | os.PathLike) or not os.fsdecode(path).startswith(
            str(folder)
        ):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
            return
        name = Path(os.fsdecode(path)).relative_to(folder).as_posix()
        point(f"{event} {name}")

    os.fsync = lambda _: point("fsync")  # type: ignore[assignment, return-value]
    sys.addaudithook(hear)


def die_at(number: int) -> Callable[[int, str], None]:
    """For ``at_points``: ``kill -9`` before the change of that number."""

    def told(count: int, what: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return told


def limit_files(size: int, *, deadly: bool) -> None:
    """From now on no file of this process grows beyond ``size`` bytes: one that would is an error, or kills in the middle of its write."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
