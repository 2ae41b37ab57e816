"""The report of a large run, written some time after a decision and not with each of them.

To write it takes a second for thousands of photos. The journal has the decision at once, so
nothing is lost if the board dies before: the next board, or the next run, writes what it knows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..errors import RemoveObjectsError
from ..system.text import printable

log = logging.getLogger(__name__)

#: Of so many photos at most, the report is written with each decision: in 0.2 s.
AT_ONCE = 200
#: Seconds from a decision to the report at least, and the same as a multiple of the processor time
#: that the last writing took: so it takes no more than a tenth of a core.
SECONDS, TIMES = 2.0, 10.0


class LateReport:
    """Writes the report in a thread of its own. Safe to use from several threads."""

    def __init__(self, write: Callable[[], None]) -> None:
        """Begin with nothing to write.

        Args:
            write: writes the report as the journal has it; raises ``RemoveObjectsError`` if it
                cannot.
        """
        self._write, self._took = write, 0.0
        self._timer: threading.Timer | None = None
        self._is_due = self._is_closed = False
        self._lock, self._writing = threading.Lock(), threading.Lock()

    def request(self) -> None:
        """Let the report be written soon; more requests until then are one."""
        with self._lock:
            self._is_due = True
            if self._timer is None and not self._is_closed:
                self._timer = threading.Timer(max(SECONDS, TIMES * self._took), self._run)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Write what is due, and nothing later."""
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
        error = self._try()
        if error is not None:
            log.warning(
                "the report does not tell of the last decisions yet (%s); they are kept, and the "
                "next board or run writes it",
                printable(str(error)),
            )

    def _run(self) -> None:
        with self._lock:
            self._timer = None
        error = self._try()
        if error is not None:  # another process writes there, or the disk refuses: try again
            log.info("the report is written later: %s", printable(str(error)))
            self.request()

    def _try(self) -> RemoveObjectsError | None:
        """Write the report if it is due; returns why it could not be."""
        with self._writing:
            with self._lock:
                is_due, self._is_due = self._is_due, False
            if not is_due:
                return None
            begun = time.thread_time()
            try:
                self._write()
            except RemoveObjectsError as error:
                with self._lock:
                    self._is_due = True
                return error
            self._took = time.thread_time() - begun
            return None
