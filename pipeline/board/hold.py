"""The lock of an output folder, which the threads of one board share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..system import lock


class Hold:
    """Keeps runs and other boards out of a folder while a thread of this process works in it."""

    def __init__(self, folder: Path) -> None:
        """Begin without the lock."""
        self._folder, self._held, self._threads = folder, ExitStack(), 0
        self._counting = threading.Lock()

    @contextmanager
    def __call__(self) -> Iterator[bool]:
        """Hold the folder for the block.

        Yields:
            Whether no other thread of this process held it already: only then are unfinished files
            those of a process that died.

        Raises:
            UsageError: another process holds it, or the folder is not writable.
            OutputError: the disk is full.
        """
        with self._counting:
            is_first = self._threads == 0
            if is_first:
                self._held.enter_context(lock.folder_lock(self._folder))
            self._threads += 1
        try:
            yield is_first
        finally:
            with self._counting:
                self._threads -= 1
                if self._threads == 0:
                    self._held.close()
