"""Run one fill or segmentation at a time, with its progress and its cancellation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from ..config import Settings
from ..errors import RemoveObjectsError, UsageError

if TYPE_CHECKING:
    from ..remover import ObjectRemover


class CancelledError(RemoveObjectsError):
    """The user cancelled the job."""

    code: ClassVar[str] = "cancelled"


class Job:
    """Give the remover to one photo at a time.

    The remover's networks load once, with the settings of ``__init__``. ``progress`` and ``cancel``
    never wait.

    Attributes:
        photo: the key of the photo in progress, or None.
    """

    def __init__(self, settings: Settings) -> None:
        """Begin without a job; the remover is built for the first one."""
        self._settings = settings
        self._remover: ObjectRemover | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._progress: tuple[float, str] = (0.0, "")
        self.photo: str | None = None

    @contextmanager
    def run(self, photo: str) -> Iterator[ObjectRemover]:
        """Run a job: yield the remover for the photo with this key.

        Raises:
            UsageError: another photo is in progress.
            CancelledError: ``cancel`` was called; ``step`` raises it inside the block.
        """
        with self._lock:
            if self.photo is not None:
                raise UsageError("another fill is in progress: wait for it, or cancel it")
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
        """Record the progress; the callback for ``ObjectRemover.clean``.

        Args:
            share: share of the job that is done, 0 to 1.
            stage: name of the stage that starts.

        Raises:
            CancelledError: ``cancel`` was called.
        """
        self.refuse_cancelled()
        self._progress = (share, stage)

    def refuse_cancelled(self) -> None:
        """End a cancelled job.

        Raises:
            CancelledError: ``cancel`` was called.
        """
        if self.is_cancelled():
            raise CancelledError("cancelled: nothing was changed")

    def is_cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._stop.is_set()

    def progress(self) -> dict[str, Any]:
        """Return the key of the photo in progress (or None), the share that is done, the stage."""
        share, stage = self._progress
        return {
            "photo": self.photo,
            "share": round(share, 3),
            "stage": stage,
            "stopping": self.is_cancelled(),
        }

    def cancel(self) -> None:
        """Cancel the job before its next stage: the next hole, probe or measurement."""
        self._stop.set()
