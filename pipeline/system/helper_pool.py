"""Processes that do for this one what might end it: C libraries at work on files from anywhere. Each answers one thread at a time.

They are started when they are first needed, one for each thread that asks at the same time, kept, and end with their standard input.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

Helper = subprocess.Popen[bytes]

_pools: list[Helpers] = []
_inherited: list[Helper] = []


class NoHelperError(Exception):
    """No process can be started. ``first``: it is the first time in this pool."""

    def __init__(self, why: str, *, first: bool) -> None:
        super().__init__(why)
        self.first = first


class Helpers:
    """A pool of processes that run ``main`` of a module of this package. ``code``: what each of them is started with."""

    def __init__(self, module: str) -> None:
        self.code = f"import sys; sys.path[:] = sys.argv[1:]; from remove_objects.pipeline.images.{module} import main; main()"
        self.idle: list[Helper] = []
        self._lock = threading.Lock()
        self._refused = False
        _pools.append(self)

    @contextmanager
    def lent(self) -> Iterator[Helper]:
        """An idle one or a new one. It is ended where the block raises, Ctrl-C included: half an answer would still be in its pipe.

        Raises:
            NoHelperError: none can be started.
        """
        helper = self._idle() or self._start()
        try:
            yield helper
        except BaseException:
            end(helper)
            raise
        with self._lock:
            self.idle.append(helper)

    def close(self) -> None:
        """End those that are idle."""
        while helper := self._pop():
            end(helper)

    def forget(self) -> None:
        """In a forked child: the processes are the parent's, and so are the pipes."""
        _inherited.extend(self.idle)
        self.idle, self._lock = [], threading.Lock()

    def _idle(self) -> Helper | None:
        """One that waits for work and has not died over it (a system short of memory ends whom it likes)."""
        while helper := self._pop():
            if helper.poll() is None:
                return helper
            end(helper)
        return None

    def _pop(self) -> Helper | None:
        with self._lock:
            return self.idle.pop() if self.idle else None

    def _start(self) -> Helper:
        try:
            # What this process imports from, so that what is found is the same; "" stands for the current folder.
            command = [
                sys.executable,
                "-c",
                self.code,
                *(entry or os.getcwd() for entry in sys.path),
            ]
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            first, self._refused = not self._refused, True
            raise NoHelperError(str(error), first=first) from error


def end(helper: Helper) -> None:
    """Close the pipes, at which the process ends by itself; one that is at work is ended."""
    for pipe in (helper.stdin, helper.stdout):
        with suppress(OSError, AttributeError):
            pipe.close()  # type: ignore[union-attr]
    try:
        helper.wait(2)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()


@atexit.register
def _close_all() -> None:
    for pool in _pools:
        pool.close()


def _forget_all() -> None:
    for pool in _pools:
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
