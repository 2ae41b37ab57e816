"""How a run ends before its time: Ctrl-C or SIGTERM once lets the photos at work be finished, once more ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from .atomic import remove_own_parts

#: The exit code of a process that was stopped at once, as shells know it of Ctrl-C.
STOPPED_AT_ONCE = 130
_FIRST = b"\nremove-objects: stopping: the photos at work are finished and the report is written; once more stops now\n"
_SECOND = b"\nremove-objects: stopped; the same command goes on from here\n"


class Stop:
    """Whether no further photo is to be begun. Called by engines between photos; may be asked for from any thread, once and for all."""

    def __init__(self) -> None:
        self._requested = threading.Event()

    def __call__(self) -> bool:
        return self._requested.is_set()

    def request(self) -> None:
        self._requested.set()

    def wait(self, seconds: float) -> bool:
        """Whether it was asked for within that time."""
        return self._requested.wait(seconds)


@contextmanager
def signals_restored(*numbers: signal.Signals) -> Iterator[tuple[signal.Signals, ...]]:
    """Gives those of the signals that may be listened to in the block: all of them in the main thread, none in any other.

    Afterwards they mean what they meant before. One whose handler is not Python's cannot be put back, and is not given.
    """
    handlers = (
        {n: signal.getsignal(n) for n in numbers}
        if threading.current_thread() is threading.main_thread()
        else {}
    )
    before = {number: handler for number, handler in handlers.items() if handler is not None}
    try:
        yield tuple(before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A ``Stop`` that the first SIGINT or SIGTERM asks for while the block runs; the second ends the process with ``STOPPED_AT_ONCE``.

    Files that are being written then are removed: only whole ones stand under their names. A signal that this process ignores
    (``nohup``, a job in the background) stays ignored. Outside the main thread, which alone may listen, nothing asks.
    """
    stop = Stop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop():
            _say(_SECOND)
            remove_own_parts()
            os._exit(STOPPED_AT_ONCE)
        stop.request()
        _say(_FIRST)

    with signals_restored(signal.SIGINT, signal.SIGTERM) as numbers:
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, on_signal)
        yield stop


def _say(text: bytes) -> None:
    """Past Python's buffers, in which the signal may have come."""
    with suppress(OSError):
        os.write(2, text)
