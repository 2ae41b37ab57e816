"""Run work in a forked child that can be killed, or run out of space, at any point of its writing.

The child has all modules loaded. Points are observed without changes to the program: by Python's
audit events of opening, renaming, removing and creating files, and by ``os.fsync``.
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

import cv2

#: Audit events of a change to the disk, and the positions of the path and of the open folder that
#: it is relative to in their arguments.
_EVENTS: dict[str, tuple[int, int | None]] = {
    "open": (0, None),
    "os.rename": (1, 3),
    "os.link": (1, 3),
    "os.remove": (0, 1),
    "os.mkdir": (0, 2),
    "os.rmdir": (0, 1),
    "os.truncate": (0, None),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def start(work: Callable[[], object], errors: Path | None = None) -> int:
    """Fork a child that calls ``work`` and exits with its result.

    Args: work: returns the exit code, or anything else for 0. errors: file for the child's
        messages. An exception leaves its traceback there, and exit code
            70.

    Returns:
        The child's process id.
    """
    parent = os.getpid()
    # OpenCV's other threads do not exist in the child, and a child that changes their number waits
    # for them forever, or crashes. With a single thread there are none.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with warnings.catch_warnings():
            # It warns of other threads; those of torch sleep here.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    finally:
        if os.getpid() == parent:
            cv2.setNumThreads(threads)
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
    """Wait for a child and return its exit code, or the negative signal that killed it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended_pid, status = os.waitpid(pid, os.WNOHANG)
        if ended_pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the child did not end")


def at_points(folder: Path, on_change: Callable[[int, str], None]) -> None:
    """Call ``on_change`` before each change below a folder, until this process ends.

    ``os.fsync`` becomes a mere point: the system keeps the writes of a killed process.

    Args:
        folder: the folder to observe.
        on_change: called with the number of the change, from 0, and its description.
    """
    count = 0

    def point(what: str) -> None:
        nonlocal count
        on_change(count, what)
        count += 1

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event not in _EVENTS:
            return
        path = _absolute(arguments, *_EVENTS[event])
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


def _absolute(arguments: tuple[object, ...], path: int, folder: int | None) -> object:
    """Return the path of an audit event's arguments, absolute if it is relative to a folder."""
    name, descriptor = arguments[path], None if folder is None else arguments[folder]
    if isinstance(name, str) and isinstance(descriptor, int) and descriptor >= 0:
        return os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), name)
    return name


def die_at(number: int) -> Callable[[int, str], None]:
    """Return a callback for ``at_points``: ``kill -9`` before the change of that number."""

    def on_change(count: int, what: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return on_change


def limit_files(size: int, *, deadly: bool) -> None:
    """Limit the size of the files that this process writes, until it ends.

    Args:
        size: bytes.
        deadly: whether a write beyond the limit kills the process, or is an error.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
