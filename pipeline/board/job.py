"""One slow thing at a time: who is at work, how far it is, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..config import Settings
from ..errors import RemoveObjectsError, UsageError

if TYPE_CHECKING:
    from ..remover import ObjectRemover


class CancelledError(RemoveObjectsError):
    """The person at the board did not want to wait for it."""


class Job:
    """The remover, its networks loaded once, for one photo at a time. ``progress`` and ``cancel`` never wait."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._remover: ObjectRemover | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._progress: tuple[float, str] = (0.0, "")
        self.photo: str | None = None

    @contextmanager
    def run(self, photo: str) -> Iterator[ObjectRemover]:
        """The remover, for the photo of that key.

        Raises:
            UsageError: another photo is at work.
            CancelledError: by ``cancel``, here or in what ``step`` was given to.
        """
        with self._lock:
            if self.photo is not None:
                raise UsageError("another fill is at work: wait for it, or cancel it")
            self.photo, self._progress = photo, (0.0, "loading")
            self._stop.clear()
        try:
            if self._remover is None:
                from ..remover import ObjectRemover

                self._remover = ObjectRemover(self._settings)
            self.step(0.0, "loading")
            yield self._remover
            self.step(1.0, "done")
        finally:
            self.photo = None

    def step(self, share: float, stage: str) -> None:
        """To be given to ``ObjectRemover.clean``: notes how far it is, and stops it where that was asked for."""
        if self._stop.is_set():
            raise CancelledError("cancelled: nothing was changed")
        self._progress = (share, stage)

    def progress(self) -> dict[str, Any]:
        """What is at work: the photo's key (None for nothing), the share that is done, and the stage."""
        share, stage = self._progress
        return {
            "photo": self.photo,
            "share": round(share, 3),
            "stage": stage,
            "stopping": self._stop.is_set(),
        }

    def cancel(self) -> None:
        """Stop what is at work before its next piece (a hole, a probe, a measurement)."""
        self._stop.set()
