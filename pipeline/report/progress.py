"""How far a run is: a bar in a terminal, and lines now and then in a log file or a pipe."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..system.text import printable
from ..types import Status
from .terminal import counted, photo_line

if TYPE_CHECKING:
    from .bar import Bar
    from .schema import Entry

#: Where there is no bar, a line tells of every such part of the photos, but not within so many
#: seconds of the one before, and after so many seconds in any case.
LINES, PAUSE, PATIENCE = 10, 10.0, 60.0
#: Seconds after which the bar is drawn anew though no photo is done, so that its clock goes on.
TICK = 1.0
#: Seconds to which a time of some minutes is rounded.
STEP = 5


class Pace:
    """Predicts how long a run takes, by the photos that it has worked on.

    Photos that an earlier run finished cost nothing and come first, so the clock starts after them.
    """

    def __init__(self) -> None:
        self.begun = self._since = self._last = time.monotonic()
        self.done = self._worked = 0

    def add(self, status: str) -> None:
        """Count a photo with its status."""
        self.done += 1
        self._last = time.monotonic()
        if status == Status.SKIPPED.value:
            self._since = self._last
        else:
            self._worked += 1

    @property
    def elapsed(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.begun

    def left(self, total: int) -> float | None:
        """Seconds until ``total`` photos are done; None if that is unknown, or they are."""
        remaining = total - self.done
        if not self._worked or remaining <= 0:
            return None
        each = (self._last - self._since) / self._worked
        waited = time.monotonic() - self._last
        # A photo that takes longer than the others does not make the rest of them quicker.
        return max(each * remaining - waited, each * (remaining - 1))


class State:
    """What is known of a run that goes on; the bar and the lines show it.

    Attributes:
        total: the number of photos.
        counts: photos by status.
        pace: of the run.
        last: name and status of the photo that was done last; None before the first.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.counts: Counter[str] = Counter()
        self.pace = Pace()
        self.last: tuple[str, str] | None = None

    def add(self, entry: Entry) -> None:
        """Count a photo that is done."""
        self.counts[entry["status"]] += 1
        self.last = printable(entry["input"]), entry["status"]
        self.pace.add(entry["status"])


class Progress:
    """Shows how far a run is; ``remove_folder`` calls it.

    In a terminal that is a bar, with the counts so far, the last photo and its verdict, and the
    time that is left; messages are printed above it. Elsewhere a line tells it now and then. With
    ``verbose`` there is a line for each photo.
    """

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._verbose = verbose
        shows_bar = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._shows_bar = shows_bar and not quiet
        self._lines = not quiet and not verbose and not shows_bar
        self._told, self._told_at = 0, time.monotonic()
        self._state: State | None = None
        self._bar: Bar | None = None
        self._ended = threading.Event()
        self._printing = threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._open.close()

    def __call__(self, total: int, entry: Entry | None) -> None:
        """Show the next entry of ``total`` photos; None begins."""
        if self._state is None:
            self._begin(total)
        assert self._state is not None
        if entry is None:
            return
        self._state.add(entry)
        if self._verbose:
            self._print(photo_line(entry))
        if self._bar is not None:
            # Thousands of skipped photos take no time, and are not drawn one by one.
            is_work = entry["status"] != Status.SKIPPED.value
            self._bar.show(self._state.pace.done, at_once=is_work)
        done, since = self._state.pace.done, time.monotonic() - self._told_at
        is_next = done * LINES // total > self._told and since >= PAUSE
        if is_next or since >= PATIENCE or done == total:
            self._line()

    def _begin(self, total: int) -> None:
        self._state = State(total)
        if self._shows_bar:
            from .bar import opened

            self._bar = self._open.enter_context(opened(self._state))
        self._line()
        if self._bar is not None or self._lines:
            ticking = threading.Thread(target=self._tick, name="progress", daemon=True)
            ticking.start()
            self._open.callback(ticking.join)  # before the bar is closed

    def _tick(self) -> None:
        """Draw the clock, or print that a run goes on in which no photo is done for long."""
        while not self._ended.wait(TICK):
            if self._bar is not None:
                self._bar.refresh()
            elif time.monotonic() - self._told_at >= PATIENCE:
                self._line()

    def _print(self, line: str) -> None:
        """Print a line to the standard output, above the bar."""
        if self._bar is None:
            print(line)
            return
        with self._bar.external_write_mode(file=self._bar.fp):
            print(line)

    def _line(self) -> None:
        """Print how far the run is, if nobody sees the bar."""
        assert self._state is not None
        total, done = self._state.total, self._state.pace.done
        with self._printing:
            self._told, self._told_at = done * LINES // total if total else 0, time.monotonic()
            if self._lines:
                print(f"remove-objects: {_words(self._state)}", file=sys.stderr, flush=True)


def _words(state: State) -> str:
    """How far a run is, in a sentence."""
    photos = "photo" if state.total == 1 else "photos"
    text = f"{state.pace.done} of {state.total} {photos}"
    left = state.pace.left(state.total)
    if left is not None:
        text += f", about {duration(left)} left"
    elif state.total and not state.pace.done and state.pace.elapsed >= TICK:
        text += f" after {duration(state.pace.elapsed)}"
    if state.last is not None:
        text += f": {counted(state.counts)}"
        if state.pace.done < state.total:
            name, status = state.last
            text += f"; last {name}: {Status(status).words}"
    return text


def duration(seconds: float) -> str:
    """Seconds in words, rounded as far as anybody wants to know it.

    Such as ``42 s``; up to ten minutes in steps of 5 s, ``1 min 40 s``; then ``12 min``.
    """
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes, rest = divmod(STEP * round(whole / STEP), 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 600 else f"{round(minutes / 60)} h"
