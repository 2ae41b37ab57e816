"""Seconds that a photo takes, by stage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

#: Stages in the order of the pipeline, as the report names them.
STAGES = (
    "read",
    "segment",
    "faces",
    "series",
    "inpaint",
    "probe",
    "compare",
    "measure",
    "preview",
    "write",
)


def sum_stages(stages: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sum seconds by stage over several photos, or over parts of one, in the pipeline's order."""
    each = list(stages)
    return {
        name: sum(s.get(name, 0.0) for s in each) for name in STAGES if any(name in s for s in each)
    }


class Stopwatch:
    """Sums the seconds of each stage of one photo."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the block's seconds to ``stage``."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + time.monotonic() - begun

    @property
    def elapsed(self) -> float:
        """Seconds since the stopwatch was created, inside and outside stages."""
        return time.monotonic() - self._begun

    @property
    def stages(self) -> dict[str, float]:
        """Seconds of the stages so far, in the pipeline's order."""
        return {s: self._seconds[s] for s in STAGES if s in self._seconds}
