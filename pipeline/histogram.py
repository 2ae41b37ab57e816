"""Counts of figures for small charts: which bars, how high, and where the threshold stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BINS = 24


@dataclass(frozen=True)
class Histogram:
    """``counts`` over equal steps from 0 to ``top``; what lies above stands in the last bar, and ``beyond`` says that there is some.

    ``threshold`` is in the figure's own unit, or None. ``over`` counts what lies above it.
    """

    title: str
    note: str
    counts: tuple[int, ...]
    top: float
    beyond: bool
    threshold: float | None
    over: int
    median: float

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def step(self) -> float:
        return self.top / len(self.counts)

    @property
    def peak(self) -> int:
        return max(self.counts)


def histogram(title: str, note: str, values: Sequence[float | None], threshold: float | None = None) -> Histogram | None:
    """Of the values that are known; None where there are none. A few far outliers do not press the rest into one bar."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return None
    most = known[math.ceil(0.97 * len(known)) - 1]
    top = _round_up(max(most, 1.4 * (threshold or 0), 1e-6))
    counts = [0] * BINS
    for value in known:
        counts[min(max(int(value / top * BINS), 0), BINS - 1)] += 1
    over = 0 if threshold is None else sum(v > threshold for v in known)
    median = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
    return Histogram(title, note, tuple(counts), top, known[-1] > top, threshold, over, median)


def _round_up(value: float) -> float:
    """To the next of 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))
