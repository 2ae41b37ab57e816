"""Early ends of a run.

The first Ctrl-C or SIGTERM lets the photos in progress finish; the second ends the process at once.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from .atomic import remove_own_parts

#: The exit code of a process that was stopped at once; shells use it for Ctrl-C.
STOPPED_AT_ONCE = 130
_FIRST = (
    b"\nremove-objects: stopping: finishing the photos in progress and writing the report; "
    b"once more stops now\n"
)
_SECOND = b"\nremove-objects: stopped; the same command resumes from here\n"


class Stop:
    """A request to begin no further photo.

    Engines call it between photos. Any thread may make the request; it cannot be withdrawn.

    Attributes:
        why: why a run ends that it stops, for the report.
    """

    why = "stopped by the user"

    def __init__(self) -> None:
        self._requested = threading.Event()

    def __call__(self) -> bool:
        """Whether the request was made."""
        return self._requested.is_set()

    def request(self) -> None:
        """Let no further photo begin."""
        self._requested.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the request up to that time, and return whether it was made."""
        return self._requested.wait(seconds)


@contextmanager
def signals_restored(*numbers: signal.Signals) -> Iterator[tuple[signal.Signals, ...]]:
    """Restore the handlers of signals after the block.

    Yields:
        The signals for which the block may set handlers: all of them in the main thread, none in
        any other. A signal whose handler is not Python's cannot be restored and is left out.
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
    """Request a stop at the first SIGINT or SIGTERM in the block; exit at the second.

    The second signal ends the process with ``STOPPED_AT_ONCE`` after its unfinished files are
    removed, so only complete files keep their names. A signal that this process ignores
    (``nohup``, a background job) stays ignored. Only the main thread can handle signals; in any
    other, nothing requests the stop.
    """
    stop = Stop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop():
            _write_to_stderr(_SECOND)
            remove_own_parts()
            os._exit(STOPPED_AT_ONCE)
        stop.request()
        _write_to_stderr(_FIRST)

    with signals_restored(signal.SIGINT, signal.SIGTERM) as numbers:
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, on_signal)
        yield stop


@contextmanager
def stop_on_first_interrupt(stop: Stop) -> Iterator[None]:
    """Request a stop at the first Ctrl-C in the block, where Python would raise an exception.

    That might hit any line of a run, such as the one that starts a thread and has yet to note it.
    The second Ctrl-C raises ``KeyboardInterrupt``. A caller's own handler stays as it is.
    """

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop():
            raise KeyboardInterrupt
        stop.request()

    with signals_restored(signal.SIGINT) as numbers:
        if numbers and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, on_signal)
        yield


def _write_to_stderr(text: bytes) -> None:
    """Write past Python's buffers: the signal may have interrupted a write to them."""
    with suppress(OSError):
        os.write(2, text)
