"""The bar of a run in a terminal: one line, as wide as the terminal at most."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ..system.text import columns, shortened
from ..types import Status
from .progress import duration
from .terminal import counted

if TYPE_CHECKING:
    from .progress import State

#: Columns of the bar itself, in a terminal of fewer columns than ``_WIDE`` and in a wider one.
_BAR, _LONG_BAR, _WIDE = 10, 20, 100
#: Columns behind the bar from which on nothing is shortened but the name.
_MUCH = 64
#: A name is cut to so many columns before the line leaves anything else out, and before it leaves
#: the name out.
_GOOD_NAME, _LEAST_NAME = 20, 8
#: What somebody has to look at.
_TO_CHECK = (Status.REVIEW.value, Status.FAILED.value)


@contextmanager
def opened(state: State) -> Iterator[Bar]:
    """Show a bar of ``state`` in the block; log messages and warnings are printed above it."""
    # The class makes its lock for itself and its children alone, and other bars (of a download)
    # must have the same.
    tqdm.get_lock()
    logging.captureWarnings(True)
    try:
        with (
            Bar(state) as bar,
            logging_redirect_tqdm(tqdm_class=tqdm),
        ):
            yield bar
    finally:
        logging.captureWarnings(False)


class Bar(tqdm):  # type: ignore[misc]
    """Counts, the last photo and the time that is left, behind a bar whose width never changes."""

    monitor_interval = 0  # ``Progress`` draws it every second

    def __init__(self, state: State) -> None:
        self._state = state
        super().__init__(total=state.total, dynamic_ncols=True, miniters=1, file=sys.stderr)

    def show(self, done: int, *, at_once: bool) -> None:
        """Draw it with so many photos done, at once or if that was not done just now."""
        if at_once:
            self.n = done
            self.refresh()
        else:
            self.update(done - self.n)

    @property
    def format_dict(self) -> dict[str, Any]:
        """What tqdm puts into the line."""
        known: dict[str, Any] = super().format_dict
        bar = _LONG_BAR if known["ncols"] and known["ncols"] >= _WIDE else _BAR
        known["bar_format"] = f"{{percentage:3.0f}}%|{{bar:{bar}}}| {{n_fmt}}/{{total_fmt}}{{tail}}"
        known["tail"] = ""
        if hasattr(self, "_state"):
            head = columns(f"100%|{'':{bar}}| {known['n']}/{known['total']}")
            room = (known["ncols"] or _WIDE) - head
            known["tail"] = tail(self._state, room, "..." if known["ascii"] is True else "…")
        return known


def tail(state: State, room: int, dots: str = "…") -> str:
    """What stands behind the bar: time, counts, and the last photo with its verdict.

    Args:
        state: of the run.
        room: columns that it may take.
        dots: stands for what is left out of a name.
    """
    times, counts = _times(state), _counts(state.counts)
    # With much room all is said; with little always the same, whatever the last name is.
    forms = [(0, 0), (0, 1), (1, 1)] if room >= _MUCH else [(1, 1)]
    for least in (_GOOD_NAME, _LEAST_NAME):
        for time, count in forms:
            parts = f"  {', '.join(part for part in (times[time], counts[count]) if part)}"
            rest = room - columns(parts)
            last = "" if state.last is None else _last(*state.last, rest, least, dots)
            if last is not None and rest >= 0:
                return f"{parts}{last}"
    shortest = (f"  {times[1]}, {counts[1]}", f"  {times[1]}")
    return next((text for text in shortest if columns(text) <= room), "")


def _last(name: str, status: str, room: int, least: int, dots: str) -> str | None:
    """The last photo and its verdict; None if the room is not enough for the least of its name."""
    verdict = f": {Status(status).words}"
    room -= len("  ") + columns(verdict)
    if room < min(least, columns(name)):
        return None
    return f"  {shortened(name, room, dots)}{verdict}"


def _times(state: State) -> tuple[str, str]:
    """The time, in full and shorter."""
    elapsed, left = duration(state.pace.elapsed), state.pace.left(state.total)
    if left is not None:
        return f"{elapsed} so far, about {duration(left)} left", f"{duration(left)} left"
    if state.pace.done < state.total:
        return (f"{elapsed} so far",) * 2
    return (f"in {elapsed}",) * 2


def _counts(counts: Counter[str]) -> tuple[str, str]:
    """The counts, in full and shorter."""
    to_check = sum(counts[status] for status in _TO_CHECK)
    return counted(counts), f"{to_check} to check" if to_check else ""
