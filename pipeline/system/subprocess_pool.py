"""A pool of child processes, for C libraries that read untrusted files.

A crash of such a library ends the child and not this process. Children are started on demand, one
per concurrent caller, and reused. Each serves one thread at a time and ends when its standard
input closes.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Worker = subprocess.Popen[bytes]

_pools: list[SubprocessPool] = []
#: Workers of the parent process that a fork inherited; kept, so that Popen does not wait for them.
_inherited: list[Worker] = []


class NoWorkerError(Exception):
    """A child process cannot be started.

    Attributes:
        first: whether this is the first failure in the pool.
    """

    def __init__(self, reason: str, *, first: bool) -> None:
        super().__init__(reason)
        self.first = first


class SubprocessPool:
    """Child processes that run ``main``, a function at the top level of an importable module.

    The caller imports ``main``, so type checkers and import-linter see which module a child runs.

    Attributes:
        main: what each child runs.
        code: the Python code each child is started with.
        idle: the children that wait for work.
    """

    def __init__(self, main: Callable[[], None]) -> None:
        self.main = main
        self.code = (
            "import sys; sys.path[:] = sys.argv[1:]; "
            f"from {main.__module__} import {main.__name__} as main; main()"
        )
        self.idle: list[Worker] = []
        self._lock = threading.Lock()
        self._refused = False
        _pools.append(self)

    @contextmanager
    def borrow(self) -> Iterator[Worker]:
        """Give an idle worker, or a new one, for the duration of the block.

        If the block raises (Ctrl-C included), the worker is ended: its pipe may hold half an
        answer.

        Raises:
            NoWorkerError: if no child process can be started.
        """
        worker = self._take_idle() or self._start()
        try:
            yield worker
        except BaseException:
            end(worker)
            raise
        with self._lock:
            self.idle.append(worker)

    def close(self) -> None:
        """End the idle workers."""
        while worker := self._pop():
            end(worker)

    def forget(self) -> None:
        """Forget the workers, in a forked child: the processes and pipes belong to the parent."""
        _inherited.extend(self.idle)
        self.idle, self._lock = [], threading.Lock()

    def _take_idle(self) -> Worker | None:
        """Return an idle worker that is alive: a system short of memory may have killed some."""
        while worker := self._pop():
            if worker.poll() is None:
                return worker
            end(worker)
        return None

    def _pop(self) -> Worker | None:
        with self._lock:
            return self.idle.pop() if self.idle else None

    def _start(self) -> Worker:
        # The child gets this process's import path, so that it imports the same modules. An empty
        # entry means the current folder.
        path = [entry or os.getcwd() for entry in sys.path]
        try:
            return subprocess.Popen(
                [sys.executable, "-c", self.code, *path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            first, self._refused = not self._refused, True
            raise NoWorkerError(str(error), first=first) from error


def end(worker: Worker) -> None:
    """Close the worker's pipes, at which it ends by itself; kill it if that takes over 2 s."""
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    try:
        worker.wait(2)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


@atexit.register
def end_idle() -> None:
    """End the idle workers of all pools; a pool starts others when they are needed."""
    for pool in _pools:
        pool.close()


def _forget_all() -> None:
    for pool in _pools:
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
