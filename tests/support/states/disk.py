"""What lies in a folder, and what happens at its n-th change: a kill, or an act of the user."""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from tests.support.states.pictures import digest

#: Audit events of a change to the disk, and the positions of the path and of the open folder that
#: it is relative to in their arguments.
_EVENTS: dict[str, tuple[int, int | None]] = {
    "open": (0, None),
    "os.rename": (1, 3),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
    "os.remove": (0, 1),
    "os.mkdir": (0, 2),
    "os.rmdir": (0, 1),
    "os.truncate": (0, None),
    "os.chmod": (0, 2),
    "os.utime": (0, 3),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class State(NamedTuple):
    """A file or a link: the digest of its content, or where it leads; mode and time of a file."""

    content: str
    mode: int
    mtime: int

    @property
    def is_link(self) -> bool:
        return self.content.startswith("-> ")


#: Every content that was seen, by its digest.
CONTENTS: dict[str, bytes] = {}


def look(folder: Path) -> dict[str, State]:
    """Return the state of everything below a folder but its folders; links are not followed."""
    found: dict[str, State] = {}
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as listing:
            for entry in listing:
                if entry.is_symlink():
                    found[entry.path] = State(f"-> {os.readlink(entry.path)}", 0, 0)
                elif entry.is_dir():
                    pending.append(entry.path)
                else:
                    found[entry.path] = _state(entry.path)
    return found


def _state(path: str) -> State:
    with open(path, "rb") as file:
        content, status = file.read(), os.fstat(file.fileno())
    key = digest(content)
    CONTENTS[key] = content
    return State(key, stat.S_IMODE(status.st_mode), status.st_mtime_ns)


class Killed(BaseException):
    """The process is dead: no further change reaches the disk."""


@dataclass
class Disturbance:
    """Something that happens at a change to the disk.

    Attributes:
        number: the change before which it happens, from 0.
        act: what the user does then; None to kill the process.
        where: a pattern of the changes that count.
        happened: what the change was that it happened at; empty if there were fewer changes.
    """

    number: int
    act: Callable[[], None] | None = None
    where: str = ""
    happened: str = ""


class _Listener:
    """Counts the changes below a folder while a disturbance waits for one."""

    def __init__(self) -> None:
        self.folder = ""
        self.waiting: Disturbance | None = None
        self.count = 0
        self.lock = threading.Lock()

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.waiting is None or event not in _EVENTS:
            return
        name = _path(arguments, *_EVENTS[event])
        if not name:
            return
        # A name that stays relative is opened below an open folder: the machine changes into none.
        if os.path.isabs(name) and not name.startswith(self.folder):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
            return
        self.point(f"{event} {name.removeprefix(self.folder)}")

    def point(self, what: str) -> None:
        waiting = self.waiting
        if waiting is None or not (waiting.happened or re.search(waiting.where, what)):
            return
        with self.lock:
            number, self.count = self.count, self.count + 1
        if number < waiting.number:
            return
        waiting.happened = waiting.happened or what
        if waiting.act is None:
            raise Killed
        self.waiting = None
        waiting.act()


def _path(arguments: tuple[object, ...], path: int, folder: int | None) -> str:
    """Return the path of an event's arguments; empty if it is a descriptor."""
    name = arguments[path]
    if not isinstance(name, str | bytes | os.PathLike):
        return ""
    name = os.fsdecode(name)
    descriptor = None if folder is None else arguments[folder]
    if isinstance(descriptor, int) and descriptor >= 0 and not os.path.isabs(name):
        return os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), name)
    return name


_listener = _Listener()
_hooked = False


@contextmanager
def disturbed(folder: Path, disturbance: Disturbance | None) -> Iterator[None]:
    """Let a disturbance happen to whatever changes files below the folder in this block."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_listener.hear)  # an audit hook cannot be removed
        _hooked = True
    # Nothing here outlives the machine's power, so nothing waits for the disk.
    with patch.object(os, "fsync", lambda _: _listener.point("fsync")):
        _listener.folder, _listener.count = f"{folder}/", 0
        _listener.waiting = disturbance
        try:
            yield
        finally:
            _listener.waiting = None
