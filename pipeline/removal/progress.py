"""Progress of one removal: each stage is announced before it starts, and timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..system.stopwatch import Stopwatch

#: Called with the share of the work that is done, 0 to 1, and the name of the stage that starts.
Progress = Callable[[float, str], None]

#: Share of a photo's work that is done when a stage starts. The holes divide what lies between
#: ``HOLES_START`` and ``HOLES_END`` equally.
SEGMENT, FACES, SERIES, HOLES_START, HOLES_END, MEASURE = 0.0, 0.05, 0.07, 0.1, 0.9, 0.95
#: Holes that are filled a second time divide what follows ``MEASURE`` equally, up to this share.
AGAIN_END = 0.99
#: The same for the stages of one hole.
INPAINT, PROBE, COMPARE = 0.0, 0.4, 0.7


def no_progress(share: float, stage: str) -> None:
    """Default callback: does nothing."""


class Stages:
    """Announces the stages of one removal and sums their seconds."""

    def __init__(
        self,
        progress: Progress = no_progress,
        *,
        watch: Stopwatch | None = None,
        start: float = 0.0,
        end: float = 1.0,
    ) -> None:
        self.watch = watch or Stopwatch()
        self._progress, self._start, self._end = progress, start, end

    @contextmanager
    def __call__(self, stage: str, share: float | None = None) -> Iterator[None]:
        """Run a stage.

        Args:
            stage: one of ``system.stopwatch.STAGES``.
            share: share of this work that is done when the stage starts; ``None`` announces
                nothing.

        Raises:
            Exception: the callback's own exceptions, which cancel the removal.
        """
        if share is not None:
            self._progress(self._start + share * (self._end - self._start), stage)
        with self.watch(stage):
            yield

    def of_hole(self, index: int, count: int) -> Stages:
        """Stages of the hole ``index`` of ``count``: their shares are of this hole's work."""
        extent = (HOLES_END - HOLES_START) / count
        start = HOLES_START + index * extent
        return Stages(self._progress, watch=self.watch, start=start, end=start + extent)

    def of_second_fill(self, index: int, count: int) -> Stages:
        """Stages of a hole that is filled again, after the first measurements."""
        extent = (AGAIN_END - MEASURE) / count
        start = MEASURE + index * extent
        return Stages(self._progress, watch=self.watch, start=start, end=start + extent)
